-- Operators' standing orders, in one hash: f:<feature> by name, p the fleet's
-- profile, wp:<worker> and wd:<worker> a worker's profile and its drain. A value
-- is `end or 0|given at|what only Rust reads`. v is the version.

local ORDERS = P .. 'orders'

local function orders_changed()
  call('HSET', ORDERS, 'v', num(max(now, (tonumber(call('HGET', ORDERS, 'v')) or 0) + 1)))
  news_orders = true
end

-- The worker is gone, and what was ordered of it.
local function free_worker(worker)
  if call('HDEL', ORDERS, 'wp:' .. worker, 'wd:' .. worker) > 0 then orders_changed() end
end
