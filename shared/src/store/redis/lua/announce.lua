-- ARGV: pairs of type and description.

for i = 1, #ARGV, 2 do
  if call('HGET', P .. 'type.info', ARGV[i]) ~= ARGV[i + 1] then
    call('HSET', P .. 'type.info', ARGV[i], ARGV[i + 1])
    news_workers = true
  end
  call('ZADD', P .. 'types', now, ARGV[i])
end
flush()
return 1
