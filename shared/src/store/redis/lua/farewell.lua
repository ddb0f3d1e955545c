-- ARGV: worker.

news_workers = call('ZREM', P .. 'workers', ARGV[1]) == 1
call('HDEL', P .. 'worker.state', ARGV[1])
call('HDEL', P .. 'worker.mark', ARGV[1])
free_worker(ARGV[1])
flush()
return 1
