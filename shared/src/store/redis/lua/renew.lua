-- ARGV: microseconds of the lease, then per run id, token, progress or nothing.
-- Answer: one letter per run: K kept, C cancel asked, R refused.

local lease_end = min(now + tonumber(ARGV[1]), MAX)
local letters = {}
for i = 2, #ARGV, 3 do
  local id = ARGV[i]
  local h = call('HMGET', T .. id, 's', 'a', 'q', 'k', 'ca')
  local letter = 'R'
  if h[K] == ARGV[i + 1] and h[S] and on(Renewed, h[S]) == 'X' then
    place(LEASES, id, lease_end)
    if ARGV[i + 2] ~= '' then
      call('HSET', T .. id, 'pg', ARGV[i + 2])
    end
    letter = h[CA] and 'C' or 'K'
  end
  letters[#letters + 1] = letter
end
flush()
return concat(letters)
