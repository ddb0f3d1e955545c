-- ARGV: tenant, key, fingerprint, reply, linked, number of classes, then per
-- class its queue and most attempts, then per task its id, head, what only Rust
-- reads, and payload. A head is the number of the task's class, and if the task
-- has anything unusual
--   class|expires at|run at|policy|parents|reads|traceparent
-- Parents of the same submission stand before their dependents.

local tenant, key = ARGV[1], ARGV[2]
local known = P .. 'idem:' .. tenant .. ':' .. key
if key ~= '' then
  local stored = call('HMGET', known, 'f', 'r')
  if stored[1] then
    if stored[1] == ARGV[3] then
      return { 'replayed', stored[2] }
    end
    return { 'reused' }
  end
end
if mode() == 'stopped' then
  return { 'stopped' }
end

local classes = {}
local first = 7 + 2 * tonumber(ARGV[6])
for i = 7, first - 1, 2 do
  classes[#classes + 1] = { q = ARGV[i], most = ARGV[i + 1], ready = {}, n = 0 }
end

local HEAD = '^(%d+)|(%d*)|(%d*)|(%a*)|([^|]*)|([^|]*)|(.*)$'

-- id -> state, of the parents outside and of this submission's own tasks.
local states = {}
if ARGV[5] == '1' then
  local unknown = { 'unknown' }
  for i = first, #ARGV, 4 do
    local parents = match(ARGV[i + 1], '^%d+|%d*|%d*|%a*|([^|]*)')
    for parent in each_id(parents or '') do
      if not states[parent] then
        local h = call('HMGET', T .. parent, 's', 'q')
        if h[1] and part(h[2]).tenant == tenant then
          states[parent] = h[1]
        else
          unknown[#unknown + 1] = (i - first) / 4
          unknown[#unknown + 1] = parent
        end
      end
    end
    states[ARGV[i]] = 'W'
  end
  if #unknown > 1 then
    return unknown
  end
end

local accepted = (#ARGV - first + 1) / 4
local seq = call('INCRBY', P .. 'seq', accepted) - accepted
local payloads, list, dependents = {}, {}, {}

-- Decides where an unusual task starts, and stores it.
local function store_unusual(id, head, m)
  local class, expires, run_at, policy, parents, reads, trace = match(head, HEAD)
  class = classes[tonumber(class)]
  local open, failed = {}, nil
  for parent in each_id(parents) do
    local state = states[parent]
    if state == 'F' or state == 'K' then
      failed = failed or parent
    elseif state ~= 'C' then
      open[#open + 1] = parent
    end
    local of = dependents[parent] or {}
    dependents[parent] = of
    of[#of + 1] = seq
    of[#of + 1] = id
  end
  local state = 'R'
  local fields = { 'q', class.q, 'n', seq, 'b', now_s, 'm', m, 'ma', class.most }
  local function set(field, value)
    fields[#fields + 1] = field
    fields[#fields + 1] = value
  end
  if failed and policy ~= 'run' then
    state = 'K'
    set('fa', now_s)
    set('e', 'dependency_failed')
    set('em', 'it depends on task ' .. failed .. ', which had failed or was cancelled')
    place(FINAL, id, now)
    ended[#ended + 1] = id
  elseif #open > 0 then
    state = 'W'
    many('SADD', O .. id, open)
  elseif run_at ~= '' and tonumber(run_at) > now then
    state = 'S'
    set('du', run_at)
    place(DUE, id, tonumber(run_at))
  end
  if run_at ~= '' then set('ra', run_at) end
  if policy ~= '' then set('po', policy) end
  if trace ~= '' then set('tp', trace) end
  if reads ~= '' then set('rd', 1) end
  if parents ~= '' then
    set('up', 1)
    call('SET', U .. id, parents .. '|' .. reads)
  end
  if expires ~= '' then
    set('x', expires)
    if state ~= 'K' then place(EXPIRES, id, tonumber(expires)) end
  end
  states[id] = state
  call('HSET', T .. id, 's', state, unpack(fields))
  return class, state
end

for i = first, #ARGV, 4 do
  local id, head = ARGV[i], ARGV[i + 1]
  seq = seq + 1
  local class, state = classes[tonumber(head)], 'R'
  if class then
    call('HSET', T .. id, 's', 'R', 'q', class.q, 'n', seq, 'b', now_s, 'm', ARGV[i + 2], 'ma', class.most)
    states[id] = 'R'
  else
    class, state = store_unusual(id, head, ARGV[i + 2])
  end
  local p, l = #payloads, #list
  payloads[p + 1], payloads[p + 2] = PAYLOAD .. id, ARGV[i + 3]
  list[l + 1], list[l + 2] = seq, id
  if state == 'R' then
    local r = #class.ready
    class.ready[r + 1], class.ready[r + 2] = seq, id
  end
  if state == 'K' then
    count(class.q, nil, 'K')
  else
    class.n = class.n + 1
  end
end

for at = 1, #payloads, 4000 do
  call('MSET', unpack(payloads, at, min(at + 3999, #payloads)))
end
many('ZADD', LIST .. tenant, list)
for parent, of in pairs(dependents) do
  many('ZADD', D .. parent, of)
  call('HSET', T .. parent, 'dn', 1)
  place(FINAL, parent, false)
end
for _, class in ipairs(classes) do
  local p = part(class.q)
  if class.n > 0 then
    add(p.count, p.route .. ':P', class.n)
  end
  if #class.ready > 0 then
    many('ZADD', READY .. class.q, class.ready)
    touched[class.q] = true
    news_ready = true
  end
end
if key ~= '' then
  call('HSET', known, 'f', ARGV[3], 'r', ARGV[4])
  call('EXPIRE', known, 86400)
end
flush()
return { 'accepted' }
