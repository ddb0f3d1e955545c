-- What a script changes: records, indexes, counters and news. All of it is
-- collected and written once, by flush().

-- key -> member -> score, or false to remove it. The last word counts, so a
-- task may move twice in one call.
local placed = {}
local function place(key, member, score)
  local members = placed[key]
  if not members then
    members = {}
    placed[key] = members
  end
  members[member] = score
end

-- A band: tasks that entered a state together, under one deadline. Its number
-- stands in the set of deadlines once for all of them, its ids in one text, and
-- a count of those that have not left, the last of which takes it away. So a
-- task of a band costs no set a member. A task on its own stands in the set by
-- its id, and its V is no more than 0.
local bands = {}
local function leave_band(key, id, h)
  local number = h[V]
  if number > 0 then
    local open = bands[key]
    if not open then
      open = {}
      bands[key] = open
    end
    open[number] = (open[number] or 0) - 1
  else
    place(key, id, false)
  end
end

-- Records that are to be written must be at hand: their bands are set here.
local function enter_band(key, ids, number, deadline)
  if #ids == 1 then
    place(key, ids[1], deadline)
    records[ids[1]][V] = -number
  elseif #ids > 1 then
    for i = 1, #ids do records[ids[i]][V] = number end
    call('ZADD', key, deadline, number)
    call('SET', key .. ':' .. number, concat(ids))
    call('HSET', key .. '.open', number, #ids)
  end
end

local function drop_band(key, number)
  call('HDEL', key .. '.open', number)
  call('ZREM', key, number)
  call('UNLINK', key .. ':' .. number)
end

local function flush_bands()
  for key, open in pairs(bands) do
    for number, left in pairs(open) do
      if call('HINCRBY', key .. '.open', number, left) <= 0 then
        drop_band(key, number)
      end
    end
  end
  bands = {}
end

-- Queues whose ready sets change, to keep the index of the non-empty ones.
local touched = {}
local function place_ready(q, id, score)
  touched[q] = true
  place(READY .. q, id, score)
end

-- key -> field -> difference.
local sums = {}
local function add(key, field, n)
  local fields = sums[key]
  if not fields then
    fields = {}
    sums[key] = fields
  end
  fields[field] = (fields[field] or 0) + n
end

local GROUP = { W = 'P', S = 'P', R = 'P', T = 'P', Q = 'P', X = 'X', C = 'C', F = 'F', K = 'K' }

-- Counts a move between states. Pending and running are what is now; the final
-- ones count commits and never go down.
local function count(q, from, to)
  local before, after = from and GROUP[from], GROUP[to]
  if before ~= after then
    local p = part(q)
    if before == 'P' or before == 'X' then
      add(p.count, p[before], -1)
    end
    add(p.count, p[after], 1)
  end
end

-- Puts a duration into the histogram of this minute: buckets grow by a tenth.
local minutes = {}
local buckets = { w = {}, r = {} }
local function observe(q, what, micros)
  local key = part(q).minute
  minutes[key] = true
  local bucket = floor(math.log(max(micros, 1)) / 0.09531017980432487)
  local name = buckets[what][bucket]
  if not name then
    name = what .. bucket
    buckets[what][bucket] = name
  end
  add(key, name, 1)
end

local function count_ended(q)
  local key = part(q).minute
  minutes[key] = true
  add(key, 'n', 1)
end

local news_ready, news_mode, news_workers, news_orders, news_alerts = false, false, false, false, false
local ended, asked = {}, {}

-- Ids that ended in this call and may be reaped some day. The list of all of
-- them has one element per call, by time: the stamp, then ids, not too many. An
-- element may name a task that was retried since: the reaper compares stamps.
local finals = {}

local function flush_sets()
  for key, members in pairs(placed) do
    local adds, removes = {}, {}
    local a, r = 0, 0
    for member, score in pairs(members) do
      if score then
        adds[a + 1], adds[a + 2] = score, member
        a = a + 2
      else
        r = r + 1
        removes[r] = member
      end
    end
    if a > 0 then many('ZADD', key, adds) end
    if r > 0 then many('ZREM', key, removes) end
  end
  for q in pairs(touched) do
    local command = call('EXISTS', READY .. q) == 1 and 'SADD' or 'SREM'
    call(command, READY_INDEX .. sub(q, 1, 1), sub(q, 3))
  end
  placed, touched = {}, {}
end

local function flush_records()
  local args, n = {}, 0
  for id, h in pairs(changed) do
    args[n + 1], args[n + 2] = id, write(h)
    n = n + 2
    if n == 4000 then
      call('HSET', T, unpack(args))
      args, n = {}, 0
    end
  end
  if n > 0 then call('HSET', T, unpack(args, 1, n)) end
  changed = {}
end

-- Writes all that was collected, and begins anew. A counter that comes to
-- nothing is removed.
local function flush()
  flush_records()
  flush_sets()
  flush_bands()
  for at = 1, #finals, 128 do
    call('RPUSH', FINAL, now_s .. '|' .. concat(finals, '', at, min(at + 127, #finals)))
  end
  finals = {}
  for key, fields in pairs(sums) do
    for field, n in pairs(fields) do
      if n ~= 0 and call('HINCRBY', key, field, n) == 0 then
        call('HDEL', key, field)
      end
    end
  end
  for key in pairs(minutes) do
    call('EXPIRE', key, 480)
  end
  sums, minutes = {}, {}
  local news = {}
  if news_ready then news[#news + 1] = 'R' end
  if #ended > 0 then news[#news + 1] = 'E' .. #ended .. ':' .. concat(ended) end
  if #asked > 0 then news[#news + 1] = 'C' .. #asked .. ':' .. concat(asked) end
  if news_mode then news[#news + 1] = 'M' end
  if news_workers then news[#news + 1] = 'W' end
  if news_orders then news[#news + 1] = 'O' end
  if news_alerts then news[#news + 1] = 'A' end
  if #news > 0 then
    call('PUBLISH', P .. 'news', concat(news))
  end
  news_ready, news_mode, news_workers, news_orders, news_alerts = false, false, false, false, false
  ended, asked = {}, {}
end

-- The routes that have queued work.
local function hint()
  return call('HKEYS', QUEUED_N)
end
