-- ARGV: set, hash, seconds. Answer: now, then per member of the set that is no
-- older than that its score and its value in the hash.

local found = call('ZRANGEBYSCORE', P .. ARGV[1], now - tonumber(ARGV[3]) * 1000000, '+inf', 'WITHSCORES')
local reply = { now }
for i = 1, #found, 2 do
  local r = #reply
  reply[r + 1], reply[r + 2], reply[r + 3] = found[i], tonumber(found[i + 1]), call('HGET', P .. ARGV[2], found[i])
end
return reply
