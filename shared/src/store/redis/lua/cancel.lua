-- ARGV: tenant, reason, then ids. Answer: one letter per id: c cancelled, r
-- requested, u unknown, or the final state's own letter.

local tenant, reason = ARGV[1], ARGV[2]
local letters = {}
for i = 3, #ARGV do
  local id = ARGV[i]
  local h = load(id)
  local letter
  if not h[S] or part(h[Q]).tenant ~= tenant then
    letter = 'u'
  elseif h[S] == 'X' then
    if not rare(h, 'ca') then
      set_rare(h, 'ca', true)
      set_rare(h, 'cr', reason)
      change(id, h)
    end
    asked[#asked + 1] = id
    letter = 'r'
  elseif pending(h[S]) then
    end_task(id, h, CancelAsked, 'cancelled', reason ~= '' and reason or 'cancelled')
    letter = 'c'
  else
    letter = h[S]
  end
  letters[#letters + 1] = letter
  -- A later id of this call may be a dependent that this one takes along.
  resolve()
end
flush()
return concat(letters)
