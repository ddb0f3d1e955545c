-- Answer: now, and the standing orders (lua/standing.lua).

return { now, call('HGETALL', P .. 'orders') }
