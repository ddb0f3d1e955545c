-- ARGV: microseconds that rows are kept and may be ahead, then per row scope,
-- microseconds that its scope is kept after its last row, its time, figures.
-- series:<scope> has the rows by time, each with its time before its figures: a
-- set holds no text twice.

local oldest, latest = now - tonumber(ARGV[1]), now + tonumber(ARGV[2])
local written = {}
for i = 3, #ARGV, 4 do
  local key, at = P .. 'series:' .. ARGV[i], tonumber(ARGV[i + 2])
  if at > oldest and at <= latest then
    call('ZREMRANGEBYSCORE', key, at, at)
    call('ZADD', key, at, num(at) .. '|' .. ARGV[i + 3])
    written[key] = tonumber(ARGV[i + 1])
  end
end
for key, kept in pairs(written) do
  call('ZREMRANGEBYSCORE', key, '-inf', oldest)
  local last = call('ZRANGE', key, -1, -1, 'WITHSCORES')
  call('PEXPIREAT', key, num(floor((tonumber(last[2]) + kept) / 1000)))
end
return 1
