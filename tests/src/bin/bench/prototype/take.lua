-- KEYS: ready. ARGV: at most how many. Ready -> taken; gives the ids.
local ids = redis.call('LPOP', KEYS[1], ARGV[1])
if not ids then return {} end
for _, id in ipairs(ids) do redis.call('HSET', 'task:' .. id, 'state', 'taken') end
return ids
