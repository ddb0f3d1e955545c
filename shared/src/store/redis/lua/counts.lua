-- ARGV: tenant. Answer: now, when the oldest startable task was submitted or
-- -1, counters, and the histograms of this minute and the five before it, the
-- latest first.

local tenant = ARGV[1]
local oldest

local function consider(id)
  local h = load(id)
  if h[S] and part(h[Q]).tenant == tenant and find('RTQ', h[S], 1, true) then
    oldest = min(oldest or MAX, h[B])
  end
end

-- Taken and queued tasks stand by deadline, which nearly is by age; the first
-- few tell enough.
local function consider_first(key, n)
  for _, id in ipairs(call('ZRANGE', key, 0, n)) do
    consider(id)
  end
end

for rank = 0, 3 do
  for _, name in ipairs(call('SMEMBERS', READY_INDEX .. rank)) do
    if match(name, ':(.*)$') == tenant then
      consider_first(READY .. rank .. ':' .. name, 0)
    end
  end
end
-- The first of a band that is still taken is nearly its oldest.
local looks = 256
for _, member in ipairs(call('ZRANGE', TAKEN, 0, 15)) do
  for id in each_id(#member == WIDTH and member or call('GET', TAKEN .. ':' .. member) or '') do
    consider(id)
    looks = looks - 1
    if load(id)[S] == 'T' or looks <= 0 then break end
  end
end
for _, route in ipairs(call('HKEYS', QUEUED_N)) do
  consider_first(QUEUED .. route, 31)
end

local reply = { now, oldest or -1, call('HGETALL', COUNT .. tenant) }
local minute = floor(now / 60000000)
for back = 0, 5 do
  reply[#reply + 1] = call('HGETALL', MINUTE .. num(minute - back) .. ':' .. tenant)
end
return reply
