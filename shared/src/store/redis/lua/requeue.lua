-- ARGV: route, limit, microseconds overdue (empty for all).

local cut = ARGV[3] == '' and '+inf' or now - tonumber(ARGV[3])
local ids = call('ZRANGEBYSCORE', QUEUED .. ARGV[1], '-inf', cut, 'LIMIT', 0, ARGV[2])
local moved = 0
fetch(ids)
for _, id in ipairs(ids) do
  local h = load(id)
  if h[S] and move(id, h, Requeued) then
    moved = moved + 1
  else
    place(QUEUED .. ARGV[1], id, false)
  end
end
flush()
return moved
