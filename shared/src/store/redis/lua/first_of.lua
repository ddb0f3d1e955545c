-- ARGV: key, who asks, microseconds of the window, microseconds that it is
-- remembered after its end. Answer: how many others asked in the window before,
-- or -1 if somebody else was first in this one. first:<key> has by whom and at
-- what time it began, n others since, and was, the answer.

local key, window = P .. 'first:' .. ARGV[1], tonumber(ARGV[3])
local held = call('HMGET', key, 'by', 'at', 'n', 'was')
if held[1] == ARGV[2] then
  return tonumber(held[4])
elseif held[2] and tonumber(held[2]) + window > now then
  call('HINCRBY', key, 'n', 1)
  return -1
end
local was = held[3] or '0'
call('HSET', key, 'by', ARGV[2], 'at', now_s, 'n', 0, 'was', was)
call('PEXPIRE', key, num(min(floor((window + tonumber(ARGV[4])) / 1000), MAX)))
return tonumber(was)
