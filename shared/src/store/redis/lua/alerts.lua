-- ARGV: limit, microseconds that resolved ones are kept. Answer: time and text
-- of each, the newest first.

local over, reply = {}, {}
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'alerts.over', '-inf', now - tonumber(ARGV[2]))) do
  over[id] = true
end
local found, most = call('ZREVRANGE', P .. 'alerts', 0, -1, 'WITHSCORES'), 2 * tonumber(ARGV[1])
for i = 1, #found, 2 do
  if #reply >= most then break end
  if not over[found[i]] then
    local r = #reply
    reply[r + 1], reply[r + 2] = tonumber(found[i + 1]), call('HGET', P .. 'alert.text', found[i])
  end
end
return reply
