-- ARGV: microseconds of the lease, then per run id, token, progress or nothing.
-- Answer: one letter per run: K kept, C cancel asked, R refused.

local lease_end = num(min(now + tonumber(ARGV[1]), MAX))
local letters, ids = {}, {}
for i = 2, #ARGV, 3 do
  ids[#ids + 1] = ARGV[i]
end
fetch(ids)
for i = 2, #ARGV, 3 do
  local id = ARGV[i]
  local h = load(id)
  local letter = 'R'
  if h[K] == ARGV[i + 1] and on(Renewed, h[S]) == 'X' then
    if h[V] > 0 then
      leave_band(LEASES, id, h)
      h[V] = 0
      change(id, h)
    end
    place(LEASES, id, lease_end)
    if ARGV[i + 2] ~= '' then
      set_rare(h, 'pg', ARGV[i + 2])
      change(id, h)
    end
    letter = rare(h, 'ca') and 'C' or 'K'
  end
  letters[#letters + 1] = letter
end
flush()
return concat(letters)
