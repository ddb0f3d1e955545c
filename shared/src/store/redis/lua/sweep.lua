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
  redis.log(redis.LOG_WARNING, 'zero gate: task ' .. id .. ' stood in ' .. key .. ' in state ' .. tostring(h[S]))
  place(key, id, false)
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
  if h[S] ~= 'X' then
    return misplaced(LEASES, id, h)
  end
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

-- Its parents may be reaped once their last dependent went.
local function orphan(id, parents)
  for parent in each_id(parents) do
    call('ZREM', D .. parent, id)
    if call('EXISTS', D .. parent) == 0 then
      local h = load(parent)
      if h[S] then
        set_rare(h, 'dn', nil)
        change(parent, h)
        if h[FA] then place(FINAL, parent, h[FA]) end
      end
    end
  end
end

-- The task refers to no file any more; those that nobody else uses begin to
-- expire.
local function unrefer(id, tenant)
  for _, hash in ipairs(call('SMEMBERS', P .. 'fr:' .. id)) do
    local name = tenant .. ':' .. hash
    local file = P .. 'f:' .. name
    if call('HINCRBY', file, 'u', -1) <= 0 then
      call('ZADD', P .. 'fx', num(min(now + tonumber(call('HGET', file, 'keep')), MAX)), name)
    end
  end
end

local function expire_files()
  local names = call('ZRANGEBYSCORE', P .. 'fx', '-inf', now, 'LIMIT', 0, limit)
  for _, name in ipairs(names) do
    local file = P .. 'f:' .. name
    call('SREM', P .. 'fk:' .. match(name, '^[^:]*'), call('HGET', file, 'k'))
    call('UNLINK', file)
    call('ZREM', P .. 'fx', name)
  end
  if #names == limit then more = 1 end
  return #names
end

local function reap_all()
  local reaped = 0
  while reaped < limit do
    flush_sets()
    local ids = call('ZRANGEBYSCORE', FINAL, '-inf', now - retention, 'LIMIT', 0, limit - reaped)
    if #ids == 0 then break end
    fetch(ids)
    local keys = {}
    for _, id in ipairs(ids) do
      local h = load(id)
      keys[#keys + 1], keys[#keys + 2], keys[#keys + 3], keys[#keys + 4] = T .. id, PAYLOAD .. id, RESULT .. id, ATTEMPTS .. id
      if rare(h, 'up') then
        orphan(id, match(call('GET', U .. id) or '', '^([^|]*)'))
        keys[#keys + 1] = U .. id
      end
      if rare(h, 'fl') then
        unrefer(id, part(h[Q]).tenant)
        keys[#keys + 1] = P .. 'fr:' .. id
      end
      if h[Q] then place(LIST .. part(h[Q]).tenant, id, false) end
      place(FINAL, id, false)
      records[id], changed[id] = NONE, nil
    end
    for at = 1, #keys, 4000 do
      call('UNLINK', unpack(keys, at, min(at + 3999, #keys)))
    end
    reaped = reaped + #ids
  end
  if reaped == limit then more = 1 end
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

-- Workers are forgotten after an hour, types after a day.
local function forget()
  for _, worker in ipairs(call('ZRANGEBYSCORE', P .. 'workers', '-inf', now - 3600000000)) do
    call('ZREM', P .. 'workers', worker)
    call('HDEL', P .. 'worker.state', worker)
    call('HDEL', P .. 'worker.mark', worker)
    news_workers = true
  end
  for _, name in ipairs(call('ZRANGEBYSCORE', P .. 'types', '-inf', now - 86400000000)) do
    call('ZREM', P .. 'types', name)
    call('HDEL', P .. 'type.info', name)
  end
end

local out = outage()
local due = sweep_set(DUE, Due)
local takes = sweep_set(TAKEN, TakeLapsed)
if out == 0 then
  for _, id in ipairs(due_members(LEASES, now)) do
    lapse(id)
  end
end
resolve()
local expired = expire()
local reaped = reap_all()
local files_expired = expire_files()
forget()
flush()
local next_due = call('ZRANGE', DUE, 0, 0, 'WITHSCORES')
return { due, takes, lapsed, lost, expired, reaped, out, more,
  next_due[2] and max(0, tonumber(next_due[2]) - now) or -1, overdue(), files_expired }
