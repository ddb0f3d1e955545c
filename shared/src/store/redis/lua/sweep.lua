-- ARGV: microseconds after which a missing sweep is an outage, the extension of
-- leases, the cap of lapses alone, the retention, the limit of each kind.
-- Answer: due, takes lapsed, leases lapsed, workers lost, expired, reaped,
-- outage, more, microseconds to the next due task or -1, overdue routes, files
-- expired.

local outage_after, lease, cap = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local retention, limit = tonumber(ARGV[4]), tonumber(ARGV[5])
local more = 0

-- The members of a set that are due by now, at most `limit`.
local function due_members(key, by)
  local ids = call('ZRANGEBYSCORE', key, '-inf', by, 'LIMIT', 0, limit)
  if #ids == limit then more = 1 end
  return ids
end

-- An index that names a task in another state is a bug; it is put right.
local function misplaced(key, id, h)
  redis.log(redis.LOG_WARNING, 'zero gate: task ' .. spell(id) .. ' stood in ' .. key .. ' in state ' .. tostring(h[S]))
  place(key, id, false)
end

-- The tasks in this state whose deadlines in a set of bands have passed.
local function due_in_bands(key, state)
  local due, number = {}, nil
  local function consider(id)
    local h = load(id)
    if h[S] == state and (number and h[V] == number or not number and h[V] <= 0) then
      due[#due + 1] = id
      return true
    end
  end
  for _, member in ipairs(due_members(key, now)) do
    if #member == WIDTH then
      number = nil
      if not consider(member) then misplaced(key, member, load(member)) end
    else
      number = tonumber(member)
      local ids, before = {}, #due
      for id in each_id(call('GET', key .. ':' .. member) or '') do
        ids[#ids + 1] = id
      end
      fetch(ids)
      for _, id in ipairs(ids) do
        if #due < limit then consider(id) end
      end
      if #due == before and before < limit then
        redis.log(redis.LOG_WARNING, 'zero gate: the last of ' .. key .. ':' .. member .. ' left without taking it away')
        drop_band(key, number)
      end
    end
    if #due >= limit then
      more = 1
      break
    end
  end
  return due
end

-- Moves whatever is due in a set to the state that the event leads to.
local function sweep_set(key, event)
  local moved = 0
  local ids = due_members(key, now)
  fetch(ids)
  for _, id in ipairs(ids) do
    local h = load(id)
    if h[S] and move(id, h, event) then
      moved = moved + 1
    else
      misplaced(key, id, h)
    end
  end
  return moved
end

local SWEEP = P .. 'sweep'
local function outage()
  local boot = match(call('INFO', 'server'), 'run_id:(%x+)') or ''
  local last = call('HMGET', SWEEP, 'at', 'boot')
  call('HSET', SWEEP, 'at', now_s, 'boot', boot)
  if not last[1] or (now - tonumber(last[1]) <= outage_after and last[2] == boot) then
    return 0
  end
  local until_then = min(now + lease, MAX)
  for _, id in ipairs(call('ZRANGEBYSCORE', LEASES, '-inf', '(' .. num(until_then))) do
    place(LEASES, id, until_then)
  end
  return 1
end

local lapsed, lost = 0, 0
local function lapse(id)
  local h = load(id)
  lapsed = lapsed + 1
  if rare(h, 'ca') then
    stop(id, h)
  else
    close_attempt(id, h, 'worker_lost', 'the lease of its worker ran out')
    local alone = (rare(h, 'la') or 0) + (rare(h, 'solo') and 1 or 0)
    set_rare(h, 'la', alone > 0 and alone or nil)
    if rare(h, 'solo') and alone >= cap then
      end_task(id, h, LapsedOut, 'worker_lost', 'its workers vanished while it ran, ' .. alone .. ' times alone')
      lapsed, lost = lapsed - 1, lost + 1
    else
      set_rare(h, 'solo', true)
      move(id, h, Lapsed)
    end
  end
  revoke(h)
end

-- One after the other, each with its consequences: a dependent of an expired
-- task is cancelled for that, though it may have expired as well.
local function expire()
  local expired = 0
  local ids = due_members(EXPIRES, now)
  fetch(ids)
  for _, id in ipairs(ids) do
    local h = load(id)
    if h[S] and end_task(id, h, Expired, 'expired', EXPIRY) then
      expired = expired + 1
      resolve()
    elseif not changed[id] then
      misplaced(EXPIRES, id, h)
    end
  end
  return expired
end

-- Its parents may be reaped once their last dependent went. They may have ended
-- long before it, or after it, if it was cancelled: not in the order of FINAL.
local function orphan(id, parents)
  for parent in each_id(parents) do
    call('ZREM', D .. parent, id)
    if call('EXISTS', D .. parent) == 0 then
      local h = load(parent)
      if h[S] then
        set_rare(h, 'dn', nil)
        change(parent, h)
        if h[FA] then call('ZADD', FINAL_LATE, num(h[FA]), parent) end
      end
    end
  end
end

-- The task refers to no file any more; those that nobody else uses begin to
-- expire. A reference goes before it is counted out: a task that is reaped again
-- after a fault must not take away what others refer to.
local function unrefer(id, tenant)
  local refers = P .. 'fr:' .. id
  for _, hash in ipairs(call('SMEMBERS', refers)) do
    local name = tenant .. ':' .. hash
    local file = P .. 'f:' .. name
    call('SREM', refers, hash)
    if call('EXISTS', file) == 1 and call('HINCRBY', file, 'u', -1) <= 0 then
      local keep = tonumber(call('HGET', file, 'keep') or 0)
      call('ZADD', P .. 'fx', num(min(now + keep, MAX)), name)
    end
  end
end

local function expire_files()
  local names = call('ZRANGEBYSCORE', P .. 'fx', '-inf', now, 'LIMIT', 0, limit)
  for _, name in ipairs(names) do
    local file = P .. 'f:' .. name
    local key = call('HGET', file, 'k')
    -- Its record may be gone, with whoever took it away by hand.
    if key then call('SREM', P .. 'fk:' .. match(name, '^[^:]*'), key) end
    call('UNLINK', file)
    call('ZREM', P .. 'fx', name)
  end
  if #names == limit then more = 1 end
  return #names
end

-- The reaper's next ids, at most n, when each ended, and what strikes them off;
-- nil if none is due. They are struck off when all is done: a fault on the way
-- must not leave tasks behind that nobody would reap.
local function next_late(n)
  local found = call('ZRANGEBYSCORE', FINAL_LATE, '-inf', now - retention, 'WITHSCORES', 'LIMIT', 0, n)
  if #found == 0 then return nil end
  local ids, stamps = {}, {}
  for i = 1, #found, 2 do
    ids[#ids + 1], stamps[#stamps + 1] = found[i], tonumber(found[i + 1])
  end
  return ids, stamps, function()
    many('ZREM', FINAL_LATE, ids)
  end
end

local function next_finals(n)
  local stamp, row = match(call('LINDEX', FINAL, 0) or '', '^(%d+)|(.*)$')
  if not stamp or tonumber(stamp) > now - retention then
    return nil
  end
  local ids, stamps = {}, {}
  for id in each_id(sub(row, 1, WIDTH * n)) do
    ids[#ids + 1], stamps[#stamps + 1] = id, tonumber(stamp)
  end
  return ids, stamps, function()
    if #row > WIDTH * n then
      call('LSET', FINAL, 0, stamp .. '|' .. sub(row, WIDTH * n + 1))
    else
      call('LPOP', FINAL)
    end
  end
end

-- What has dependents by now comes back when the last of them is reaped, and
-- what was retried when it ends again.
local function reap(id, stamp, gone, keys)
  local h = load(id)
  if not h[S] then
    -- Gone, or unreadable: nothing of it stays.
    gone[#gone + 1] = id
    return
  end
  if h[FA] ~= stamp or rare(h, 'dn') then
    return
  end
  gone[#gone + 1] = id
  if rare(h, 'fl') then
    unrefer(id, part(h[Q]).tenant)
  end
  if h[S] ~= 'C' or h[A] > 1 then keys[#keys + 1] = ATTEMPTS .. id end
  if rare(h, 'up') then
    orphan(id, (kin(id)))
    keys[#keys + 1] = U .. id
  end
  place(LIST .. part(h[Q]).tenant, id, false)
  records[id], changed[id] = NONE, nil
end

local function reap_all()
  local reaped, looked = 0, 0
  while looked < limit do
    local ids, stamps, strike = next_late(limit - looked)
    if not ids then ids, stamps, strike = next_finals(limit - looked) end
    if not ids then break end
    looked = looked + #ids
    fetch(ids)
    local gone, keys = {}, {}
    for i, id in ipairs(ids) do
      reap(id, stamps[i], gone, keys)
    end
    for _, hash in ipairs({ T, PAYLOAD, RESULT }) do
      many('HDEL', hash, gone)
    end
    for at = 1, #keys, 4000 do
      call('UNLINK', unpack(keys, at, min(at + 3999, #keys)))
    end
    strike()
    reaped = reaped + #gone
  end
  if looked == limit then more = 1 end
  return reaped
end

local function overdue()
  local found = {}
  for _, route in ipairs(call('HKEYS', QUEUED_N)) do
    local n = call('ZCOUNT', QUEUED .. route, '-inf', now)
    if n > 0 then
      local f = #found
      found[f + 1], found[f + 2] = route, min(n, limit)
      found[f + 3] = math.ceil(tonumber(call('HGET', QUEUED_W, route) or 0) / SLIP)
    end
  end
  return found
end

-- Orders that are over, and those of workers that never came, after an hour.
local function forget_orders()
  local fields = call('HGETALL', ORDERS)
  for i = 1, #fields, 2 do
    local stays, at = match(fields[i + 1], '^(%d+)|(%d+)|')
    local worker = match(fields[i], '^w[pd]:(.*)$')
    if worker and at and tonumber(at) <= now - 3600000000 then
      if not call('ZSCORE', P .. 'workers', worker) then free_worker(worker) end
    elseif stays and stays ~= '0' and tonumber(stays) <= now then
      call('HDEL', ORDERS, fields[i])
      orders_changed()
    end
  end
end

-- Workers are forgotten after an hour, types after a day.
local function forget()
  for _, worker in ipairs(call('ZRANGEBYSCORE', P .. 'workers', '-inf', now - 3600000000)) do
    call('ZREM', P .. 'workers', worker)
    call('HDEL', P .. 'worker.state', worker)
    call('HDEL', P .. 'worker.mark', worker)
    free_worker(worker)
    news_workers = true
  end
  for _, name in ipairs(call('ZRANGEBYSCORE', P .. 'types', '-inf', now - 86400000000)) do
    call('ZREM', P .. 'types', name)
    call('HDEL', P .. 'type.info', name)
  end
end

local out = outage()
local due = sweep_set(DUE, Due)
local takes = 0
for _, id in ipairs(due_in_bands(TAKEN, 'T')) do
  if move(id, load(id), TakeLapsed) then takes = takes + 1 end
end
if out == 0 then
  for _, id in ipairs(due_in_bands(LEASES, 'X')) do
    lapse(id)
  end
end
resolve()
add(TOTAL, 'lapsed', lapsed + lost)
local expired = expire()
-- Written before anything is reaped: no fault there may undo what lapsed.
flush()
local reaped = reap_all()
local files_expired = expire_files()
forget()
forget_orders()
flush()
local next_due = call('ZRANGE', DUE, 0, 0, 'WITHSCORES')
return { due, takes, lapsed, lost, expired, reaped, out, more,
  next_due[2] and max(0, tonumber(next_due[2]) - now) or -1, overdue(), files_expired }
