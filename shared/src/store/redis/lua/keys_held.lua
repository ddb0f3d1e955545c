-- ARGV: tenant, then keys. Answer: per key 1 or 0.

local held = {}
for i = 2, #ARGV do
  held[i - 1] = call('SISMEMBER', P .. 'fk:' .. ARGV[1], ARGV[i])
end
return held
