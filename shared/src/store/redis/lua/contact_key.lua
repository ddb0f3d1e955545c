-- ARGV: the tenant, the key to take if it has none. Answer: its key.

call('HSETNX', P .. 'contact.keys', ARGV[1], ARGV[2])
return call('HGET', P .. 'contact.keys', ARGV[1])
