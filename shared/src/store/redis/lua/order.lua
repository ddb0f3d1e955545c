-- ARGV: field, text or nothing to withdraw the order, microseconds that it lasts
-- or nothing. Answer: as orders.

local stays = ARGV[3] == '' and '0' or num(min(now + tonumber(ARGV[3]), MAX))
if ARGV[2] ~= '' and (stays == '0' or tonumber(stays) > now) then
  call('HSET', ORDERS, ARGV[1], stays .. '|' .. now_s .. '|' .. ARGV[2])
  orders_changed()
elseif call('HDEL', ORDERS, ARGV[1]) > 0 then
  orders_changed()
end
flush()
return { now, call('HGETALL', ORDERS) }
