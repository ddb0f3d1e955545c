-- KEYS: ready. ARGV: first id, count. Stores that many tasks and makes them ready.
local first, count = tonumber(ARGV[1]), tonumber(ARGV[2])
for id = first, first + count - 1 do
  redis.call('HSET', 'task:' .. id, 'state', 'ready', 'attempt', 1, 'type', 'noop', 'priority', 'medium', 'input', '{}')
  redis.call('RPUSH', KEYS[1], id)
end
return count
