-- ARGV: tenant, hash, key, length, media type, name, microseconds to keep it,
-- key that it replaces. Answer: the key that holds, and the uses.

local name = ARGV[1] .. ':' .. ARGV[2]
local file, keys = P .. 'f:' .. name, P .. 'fk:' .. ARGV[1]
local known = call('HMGET', file, 'k', 'u')
local key, uses = known[1], tonumber(known[2] or 0)
if not key or key == ARGV[8] then
  if key then call('SREM', keys, key) end
  key = ARGV[3]
  call('SADD', keys, key)
  call('HSET', file, 'k', key, 'b', ARGV[4], 'u', uses)
end
call('HSET', file, 't', ARGV[5], 'n', ARGV[6], 'keep', ARGV[7])
if uses == 0 then
  call('ZADD', P .. 'fx', num(min(now + tonumber(ARGV[7]), MAX)), name)
end
return { key, uses }
