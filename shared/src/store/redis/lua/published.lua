-- ARGV: per slip, microseconds to its re-publish deadline, its number of
-- tickets, and per ticket id and attempt.

local at = 1
while at < #ARGV do
  local deadline, n = min(now + tonumber(ARGV[at]), MAX), tonumber(ARGV[at + 1])
  local weight = floor(SLIP / n)
  for i = at + 2, at + 2 * n, 2 do
    local id = ARGV[i]
    local h = call('HMGET', T .. id, 's', 'a', 'q')
    local to = h[S] and on(Published, h[S])
    if to == 'Q' and (h[A] or 0) + 1 == tonumber(ARGV[i + 1]) then
      local route = part(h[Q]).route
      call('HSET', T .. id, 's', to, 'wt', weight)
      place(TAKEN, id, false)
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
