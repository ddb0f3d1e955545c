-- KEYS: task, leases, done. ARGV: id, token, result. Running -> completed if the token is still the task's.
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'state', 'completed', 'result', ARGV[3])
redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('INCR', KEYS[3])
