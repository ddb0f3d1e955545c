-- Answer: learned run times, the counters of the whole store, then those of each
-- tenant: `t:<tenant>` says how many tasks it ever submitted.

local total = call('HGETALL', TOTAL)
local reply = { call('HGETALL', RUNTIME), total }
for i = 1, #total, 2 do
  local tenant = match(total[i], '^t:(.*)$')
  if tenant then
    reply[#reply + 1] = call('HGETALL', COUNT .. tenant)
  end
end
return reply
