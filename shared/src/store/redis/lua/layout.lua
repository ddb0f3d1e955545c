-- Asked at the beginning of every connection. Answer: nothing if this program may
-- work, else the layout that the tasks are of, and this one. Nothing is claimed by
-- asking: a program that only looks in on an idle store locks nobody out.

local found = held_in()
return found and { found, LAYOUT } or {}
