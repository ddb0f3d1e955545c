-- ARGV: scope, first time, last time, limit, microseconds that rows are kept.
-- Answer: the rows.

local first = max(tonumber(ARGV[2]), now - tonumber(ARGV[5]) + 1)
return call('ZRANGEBYSCORE', P .. 'series:' .. ARGV[1], num(first), ARGV[3], 'LIMIT', 0, ARGV[4])
