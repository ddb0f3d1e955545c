-- ARGV: tenant, number to start below or +inf, how many are wanted, how many to
-- look at, states, rank or nothing, type or nothing.
-- Answer: the last number looked at, or -1 if the list ended; then pairs of
-- number and view.

local wanted, budget = tonumber(ARGV[3]), tonumber(ARGV[4])
local below = ARGV[2] == '+inf' and '+inf' or '(' .. ARGV[2]
local reply = { -1 }
local looked = call('ZREVRANGEBYSCORE', LIST .. ARGV[1], below, '-inf', 'WITHSCORES', 'LIMIT', 0, budget)
for i = 1, #looked, 2 do
  local h = load(looked[i])
  if h[S] and find(ARGV[5], h[S], 1, true) then
    local route = part(h[Q]).route
    if (ARGV[6] == '' or sub(route, 1, 1) == ARGV[6]) and (ARGV[7] == '' or sub(route, 3) == ARGV[7]) then
      reply[#reply + 1] = { looked[i + 1], view(looked[i], false) }
    end
  end
  if #reply > wanted then
    reply[1] = tonumber(looked[i + 1])
    return reply
  end
end
if #looked == 2 * budget then
  reply[1] = tonumber(looked[#looked])
end
return reply
