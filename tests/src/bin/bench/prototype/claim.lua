-- KEYS: task, leases. ARGV: id, token. Taken -> running under a lease, or nothing.
if redis.call('HGET', KEYS[1], 'state') ~= 'taken' then return 0 end
local now = redis.call('TIME')
redis.call('HSET', KEYS[1], 'state', 'running', 'token', ARGV[2], 'started', now[1])
redis.call('ZADD', KEYS[2], now[1] + 20, ARGV[1])
return 1
