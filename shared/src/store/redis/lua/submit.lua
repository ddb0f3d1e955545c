-- ARGV: tenant, key, fingerprint, reply, linked, number of classes, files (per
-- task that refers to any a line: its place from 0, space, hashes), then per
-- class its queue and most attempts, then per task its id, head, what only Rust
-- reads, and payload. A head is the number of the task's class, and if the task
-- has anything unusual
--   class|expires at|run at|policy|bytes of parents|bytes of reads|
-- followed by the rows of its parents and of those it reads, and traceparent.
-- Parents of the same submission stand before their dependents.

local held = held_in()
if held then
  return { 'layout', held, LAYOUT }
end
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
local classes = {}
local first = 8 + 2 * tonumber(ARGV[6])
-- Ids are minted once per submission: a first task that is here already means
-- that this one was stored, and its answer lost.
local asked_before = ARGV[first] and load(ARGV[first])
if asked_before and asked_before[S] and part(asked_before[Q]).tenant == tenant then
  return { 'accepted' }
end
if mode() == 'stopped' then
  return { 'stopped' }
end
for i = 8, first - 1, 2 do
  classes[#classes + 1] = { q = ARGV[i], most = tonumber(ARGV[i + 1]), ready = {}, n = 0 }
end

-- The parts of an unusual head; nothing of a usual one.
local function parse(head)
  local class, expires, run_at, policy, up, rd, at = match(head, '^(%d+)|(%d*)|(%d*)|(%a*)|(%d+)|(%d+)|()')
  if class then
    local reads = at + up
    return sub(head, at, reads - 1), class, expires, run_at, policy, sub(head, reads, reads + rd - 1), sub(head, reads + rd)
  end
end

-- id -> state, of the parents outside and of this submission's own tasks.
local states = {}
if ARGV[5] == '1' then
  local unknown = { 'unknown' }
  for i = first, #ARGV, 4 do
    local parents = parse(ARGV[i + 1])
    for parent in each_id(parents or '') do
      if not states[parent] then
        local h = load(parent)
        if h[S] and part(h[Q]).tenant == tenant then
          states[parent] = h[S]
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

local files = ARGV[7]
if files ~= '' then
  local unknown = { 'files' }
  for place, hashes in string.gmatch(files, '(%d+) (%x+)\n') do
    for hash in string.gmatch(hashes, EACH_FILE) do
      if call('EXISTS', P .. 'f:' .. tenant .. ':' .. hash) == 0 then
        unknown[#unknown + 1] = tonumber(place)
        unknown[#unknown + 1] = hash
      end
    end
  end
  if #unknown > 1 then
    return unknown
  end
end

-- The first task makes the store ours.
if call('GET', LAYOUT_KEY) ~= LAYOUT then call('SET', LAYOUT_KEY, LAYOUT) end
local accepted = (#ARGV - first + 1) / 4
local seq = call('INCRBY', P .. 'seq', accepted) - accepted
local list, dependents = {}, {}

local function record(state, class, mark)
  return { state, 0, class.q, seq, now, mark, class.most, 0, false, false, false, false, false, false }
end

-- Notes the task at its parents; returns those that have not ended, and the
-- first that failed.
local function join(id, parents)
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
  return open, failed
end

-- Decides where an unusual task starts.
local function unusual(id, head, mark)
  local parents, class, expires, run_at, policy, reads, trace = parse(head)
  class = classes[tonumber(class)]
  expires, run_at = tonumber(expires), tonumber(run_at)
  local open, failed = join(id, parents)
  local h = record('R', class, mark)
  h[R] = { x = expires, ra = run_at, run = policy == 'run' or nil, tp = trace ~= '' and trace or nil,
    up = parents ~= '' or nil, rd = reads ~= '' or nil }
  if parents ~= '' then
    call('SET', U .. id, #parents .. '|' .. parents .. reads)
  end
  if failed and policy ~= 'run' then
    h[S], h[FA] = 'K', now
    h[R].e = 'dependency_failed'
    h[R].em = 'it depends on task ' .. spell(failed) .. ', which had failed or was cancelled'
    finals[#finals + 1] = id
    ended[#ended + 1] = id
  elseif #open > 0 then
    h[S] = 'W'
    many('SADD', O .. id, open)
  elseif run_at and run_at > now then
    h[S], h[R].due = 'S', run_at
    place(DUE, id, run_at)
  end
  if expires and h[S] ~= 'K' then
    place(EXPIRES, id, expires)
  end
  return class, h
end

local payloads = {}
for i = first, #ARGV, 4 do
  local id = ARGV[i]
  seq = seq + 1
  local class, h = classes[tonumber(ARGV[i + 1])], nil
  if class then
    h = record('R', class, ARGV[i + 2])
  else
    class, h = unusual(id, ARGV[i + 1], ARGV[i + 2])
    if not next(h[R]) then h[R] = false end
  end
  local state, place_of = h[S], num(seq)
  states[id], records[id], changed[id] = state, h, h
  local p, l = #payloads, #list
  payloads[p + 1], payloads[p + 2] = id, ARGV[i + 3]
  list[l + 1], list[l + 2] = place_of, id
  if state == 'R' then
    local r = #class.ready
    class.ready[r + 1], class.ready[r + 2] = place_of, id
  end
  if state == 'K' then
    count(class.q, nil, 'K')
  else
    class.n = class.n + 1
  end
end

if files ~= '' then
  for place, hashes in string.gmatch(files, '(%d+) (%x+)\n') do
    local id = ARGV[first + 4 * place]
    refer(id, records[id], hashes)
  end
end
for at = 1, #payloads, 4000 do
  call('HSET', PAYLOAD, unpack(payloads, at, min(at + 3999, #payloads)))
end
many('ZADD', LIST .. tenant, list)
for parent, of in pairs(dependents) do
  many('ZADD', D .. parent, of)
  local h = load(parent)
  set_rare(h, 'dn', true)
  change(parent, h)
end
for _, class in ipairs(classes) do
  local p = part(class.q)
  if class.n > 0 then
    add(p.count, p.P, class.n)
  end
  if #class.ready > 0 then
    many('ZADD', READY .. class.q, class.ready)
    touched[class.q] = true
    news_ready = true
  end
end
add(TOTAL, 't:' .. tenant, accepted)
if key ~= '' then
  call('HSET', known, 'f', ARGV[3], 'r', ARGV[4])
  call('EXPIRE', known, 86400)
end
flush()
return { 'accepted' }
