-- ARGV: how many are kept, microseconds that resolved ones are kept, then per
-- alert id, time of its change, 1 if it is resolved, text. alerts has their ids
-- by time, alerts.over those of the resolved ones, alert.text the texts.

local ALERTS, OVER, TEXT = P .. 'alerts', P .. 'alerts.over', P .. 'alert.text'

local function drop(id)
  call('ZREM', ALERTS, id)
  call('ZREM', OVER, id)
  call('HDEL', TEXT, id)
end

for i = 3, #ARGV, 4 do
  local id, at = ARGV[i], min(tonumber(ARGV[i + 1]), now)
  call('HSET', TEXT, id, ARGV[i + 3])
  call('ZADD', ALERTS, at, id)
  if ARGV[i + 2] == '1' then
    call('ZADD', OVER, at, id)
  else
    call('ZREM', OVER, id)
  end
  news_alerts = true
end
for _, id in ipairs(call('ZRANGEBYSCORE', OVER, '-inf', now - tonumber(ARGV[2]))) do
  drop(id)
end
for _ = 1, call('ZCARD', ALERTS) - tonumber(ARGV[1]) do
  drop(call('ZRANGE', OVER, 0, 0)[1] or call('ZRANGE', ALERTS, 0, 0)[1])
end
flush()
return 1
