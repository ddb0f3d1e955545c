-- ARGV: nonce, limit, microseconds to the deadline, default window, then pairs
-- of type and window.
-- Answer: more, then runs of tasks of one queue: its name, the type's learned
-- run time, and one text per task.

if mode() ~= 'running' then
  return { 0 }
end
local memo = P .. 'nonce:' .. ARGV[1]
local left, deadline = tonumber(ARGV[2]), num(min(now + tonumber(ARGV[3]), MAX))
local reply, group_q, group = { 0 }, nil, nil
-- A share of each take is kept for the least urgent work that may start. A
-- take of one has nothing to share.
local spare = left > 1 and max(1, floor(left / 16)) or 0

-- Tasks that may be set aside (expired, or not due yet) in one call: a queue full
-- of them must not hold up the server. The rest are for the next call.
local aside = max(256, 4 * left)

-- Appends one task: id, solo, attempt, length of the trace, trace, m.
local function emit(id, q, h)
  if q ~= group_q then
    group_q, group = q, {}
    local r = #reply
    reply[r + 1] = q
    reply[r + 2] = call('HGET', RUNTIME, part(q).kind) or ''
    reply[r + 3] = group
  end
  local trace = rare(h, 'tp') or ''
  group[#group + 1] = id .. (rare(h, 'solo') and '1' or '0') .. (h[A] + 1) .. ';' .. #trace .. ';' .. trace .. h[M]
end

local before = call('GET', memo)
if before then
  local more, number, alone = match(before, '^(%d);(%d+);(.*)$')
  local all = {}
  number = tonumber(number)
  for id in each_id(alone ~= '' and alone or call('GET', TAKEN .. ':' .. number) or '') do
    all[#all + 1] = id
  end
  fetch(all)
  for _, id in ipairs(all) do
    local h = load(id)
    if h[S] == 'T' and math.abs(h[V]) == number then
      emit(id, h[Q], h)
    end
  end
  reply[1] = tonumber(more)
  return reply
end

local windows, default = {}, tonumber(ARGV[4])
for i = 5, #ARGV, 2 do
  windows[ARGV[i]] = tonumber(ARGV[i + 1])
end
local outstanding = {}
for _, key in ipairs({ TAKEN_N, QUEUED_N }) do
  local all = call('HGETALL', key)
  for i = 1, #all, 2 do
    outstanding[all[i]] = (outstanding[all[i]] or 0) + tonumber(all[i + 1])
  end
end

local TURN = P .. 'turn'
-- Sorts names so that the one after `last` comes first.
local function rotate(names, last)
  table.sort(names)
  if not last then return names end
  local head, tail = {}, {}
  for _, name in ipairs(names) do
    local side = name > last and head or tail
    side[#side + 1] = name
  end
  for _, name in ipairs(tail) do
    head[#head + 1] = name
  end
  return head
end

-- The routes of a priority that have ready tasks and room in their windows.
local function open_routes(rank)
  local tenants, kinds = {}, {}
  for _, name in ipairs(call('SMEMBERS', READY_INDEX .. rank)) do
    local kind, tenant = match(name, '^([^:]*):(.*)$')
    if not tenants[kind] then
      tenants[kind] = {}
      kinds[#kinds + 1] = kind
    end
    table.insert(tenants[kind], tenant)
  end
  if #kinds == 0 then return {} end
  local routes = {}
  for _, kind in ipairs(rotate(kinds, call('HGET', TURN, rank))) do
    local name = rank .. ':' .. kind
    local room = (windows[kind] or default) - (outstanding[name] or 0)
    if room > 0 then
      local line = tenants[kind]
      if #line > 1 then line = rotate(line, call('HGET', TURN, name)) end
      routes[#routes + 1] = { name = name, kind = kind, room = room, line = line, many = #line > 1 }
    end
  end
  return routes
end

local number = 0
local ids = {}

local function take(id, h)
  h[S] = on(Taken, h[S])
  change(id, h)
  ids[#ids + 1] = id
end

-- Pops up to n tasks that may start; the second value says that the queue is
-- empty now.
local function pop(q, n)
  local got = {}
  touched[q] = true
  while #got < n and aside > 0 do
    local wanted = n - #got
    local popped = call('ZPOPMIN', READY .. q, wanted)
    local found = {}
    for i = 1, #popped, 2 do
      found[#found + 1] = popped[i]
    end
    fetch(found)
    for _, id in ipairs(found) do
      local h = load(id)
      local x, due = rare(h, 'x'), rare(h, 'due')
      if h[S] ~= 'R' or x and x <= now or due and due > now then aside = aside - 1 end
      if h[S] ~= 'R' then
        redis.log(redis.LOG_WARNING, 'zero gate: task ' .. spell(id) .. ' stood in the ready set, but is not ready')
      elseif x and x <= now then
        end_task(id, h, Expired, 'expired', EXPIRY)
      elseif due and due > now then
        move(id, h, HeldEarly, due)
      else
        take(id, h)
        got[#got + 1] = { id, h }
      end
    end
    if #popped < 2 * wanted then
      return got, true
    end
  end
  return got, false
end

-- Takes up to n tasks of a route, its tenants in turn.
local function serve(route, n)
  local served = 0
  while served < n and #route.line > 0 and aside > 0 do
    local round = #route.line
    local share = max(1, floor((n - served) / round))
    local lists, longest = {}, 0
    for _ = 1, round do
      if served == n then break end
      local tenant = table.remove(route.line, 1)
      local q = route.name .. ':' .. tenant
      local got, empty = pop(q, min(share, n - served))
      if #got > 0 then
        route.last = tenant
        served = served + #got
        lists[#lists + 1] = { q, got }
        longest = max(longest, #got)
      end
      if not empty then
        table.insert(route.line, tenant)
      end
    end
    for i = 1, longest do
      for _, list in ipairs(lists) do
        local one = list[2][i]
        if one then emit(one[1], list[1], one[2]) end
      end
    end
  end
  route.room = route.room - served
  add(TAKEN_N, route.name, served)
  return served
end

-- Whether one of these routes still has a ready task.
local function any_ready(routes)
  for _, route in ipairs(routes) do
    if route.room > 0 then
      for _, tenant in ipairs(route.line) do
        if call('EXISTS', READY .. route.name .. ':' .. tenant) == 1 then
          return true
        end
      end
    end
  end
  return false
end

-- Takes up to `most` tasks of a priority, its types in turn: how many, and the
-- routes that still have room.
local function serve_rank(rank, routes, most)
  local rest = most
  if #routes == 0 or rest <= 0 then return 0, routes end
  number = number > 0 and number or call('INCR', P .. 'takes')
  local line, last = routes, nil
  while rest > 0 and #line > 0 and aside > 0 do
    local round, again = #line, {}
    local share = max(1, floor(rest / round))
    for _, route in ipairs(line) do
      local wanted = min(share, route.room, rest)
      local served = wanted > 0 and serve(route, wanted) or 0
      rest = rest - served
      outstanding[route.name] = (outstanding[route.name] or 0) + served
      if served > 0 then last = route end
      if #route.line > 0 and route.room > 0 then
        again[#again + 1] = route
      end
    end
    line = again
  end
  if last then call('HSET', TURN, rank, last.kind) end
  for _, route in ipairs(routes) do
    if route.many and route.last then call('HSET', TURN, route.name, route.last) end
  end
  return most - rest, line
end

local function any_index(first, last)
  for rank = first, last do
    if call('EXISTS', READY_INDEX .. rank) == 1 then return true end
  end
  return false
end

-- The spare share goes first and is answered last: to the least urgent
-- priority that has something to start, while a more urgent one has work.
local function serve_spare()
  for rank = 3, 1, -1 do
    if not any_index(0, rank - 1) then return end
    if any_index(rank, rank) then
      local served = serve_rank(rank, open_routes(rank), spare)
      if served > 0 then return rank, served end
    end
  end
end

local spare_rank, spare_ids, spare_reply, served
if spare > 0 then
  local front = reply
  reply = {}
  spare_rank, served = serve_spare()
  left = left - (served or 0)
  spare_ids, spare_reply, ids, reply, group_q = ids, reply, {}, front, nil
end

local function append(list, more)
  for _, item in ipairs(more) do
    list[#list + 1] = item
  end
end

for rank = 0, 3 do
  if rank == spare_rank then
    append(ids, spare_ids)
    append(reply, spare_reply)
    group_q, spare_rank = nil, nil
  end
  local routes, taken = open_routes(rank), 0
  taken, routes = serve_rank(rank, routes, left)
  left = left - taken
  if aside <= 0 or (left == 0 and any_ready(routes)) then
    reply[1] = 1
    break
  end
end
if spare_rank then
  append(ids, spare_ids)
  append(reply, spare_reply)
end

enter_band(TAKEN, ids, number, deadline)
-- Of a band whose text is gone all have moved on.
call('SET', memo, reply[1] .. ';' .. number .. ';' .. (#ids == 1 and ids[1] or ''), 'EX', 60)
resolve()
flush()
return reply
