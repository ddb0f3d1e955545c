-- ARGV: worker, mark (what makes a change worth a signal), state. Answer: mode,
-- whether the worker was unknown, hint, the version of the standing orders.

local mark = call('HGET', P .. 'worker.mark', ARGV[1])
if mark ~= ARGV[2] then
  call('HSET', P .. 'worker.mark', ARGV[1], ARGV[2])
  news_workers = true
end
call('HSET', P .. 'worker.state', ARGV[1], ARGV[3])
call('ZADD', P .. 'workers', now, ARGV[1])
flush()
return { mode(), mark and 0 or 1, hint(), tonumber(call('HGET', P .. 'orders', 'v')) or 0 }
