-- ARGV: per slip, microseconds to its re-publish deadline, its number of
-- tickets, and per ticket id and attempt.

local ids, at = {}, 1
while at < #ARGV do
  local n = tonumber(ARGV[at + 1])
  for i = at + 2, at + 2 * n, 2 do
    ids[#ids + 1] = ARGV[i]
  end
  at = at + 2 + 2 * n
end
fetch(ids)

at = 1
while at < #ARGV do
  local deadline, n = num(min(now + tonumber(ARGV[at]), MAX)), tonumber(ARGV[at + 1])
  local weight = floor(SLIP / n)
  for i = at + 2, at + 2 * n, 2 do
    local id = ARGV[i]
    local h = load(id)
    local to = h[S] and on(Published, h[S])
    if to == 'Q' and h[A] + 1 == tonumber(ARGV[i + 1]) then
      local route = part(h[Q]).route
      leave_band(TAKEN, id, h)
      h[S], h[V] = to, weight
      change(id, h)
      place(QUEUED .. route, id, deadline)
      add(TAKEN_N, route, -1)
      add(QUEUED_N, route, 1)
      add(QUEUED_W, route, weight)
    end
  end
  at = at + 2 + 2 * n
end
flush()
return 1
