-- The ground every script stands on: time, keys, and the record of a task.
--
-- Above this text stand the generated events: one string per event, whose
-- n-th character is the state that a task in the n-th state of STATES moves
-- to; '.' means stale, '!' means a bug. KEYS[1] is the prefix of all keys, so
-- that a cluster finds the node.
--
-- Numbers: .. and tostring() lose digits of large numbers; stamps go into text
-- only through num(). redis.call() itself writes numbers exactly.

local call = redis.call
local format, find, sub, match = string.format, string.find, string.sub, string.match
local floor, min, max, concat = math.floor, math.min, math.max, table.concat

local function num(n)
  return format('%.0f', n)
end

local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]
local now_s = num(now)
local MAX = 9007199254740991

local P = KEYS[1]
local T, D, O, U = P .. 't:', P .. 'd:', P .. 'o:', P .. 'u:'
local PAYLOAD, RESULT, ATTEMPTS = P .. 'p:', P .. 'r:', P .. 'a:'
local READY, READY_INDEX = P .. 'ready:', P .. 'ready.index:'
local QUEUED, QUEUED_N, QUEUED_W = P .. 'queued:', P .. 'queued.n', P .. 'queued.w'
local TAKEN, TAKEN_N = P .. 'taken', P .. 'taken.n'
local DUE, LEASES, EXPIRES, FINAL = P .. 'due', P .. 'leases', P .. 'expires', P .. 'final'
local COUNT, MINUTE, LIST = P .. 'count:', P .. 'minute:', P .. 'list:'
local MODE, RUNTIME = P .. 'mode', P .. 'runtime'

-- A slip is worth this much; each of its n tickets carries an n-th of it.
local SLIP = 720720

-- The record of a task is a short list, so that many are read and written in
-- one command each, as MessagePack. Absent values are false.
local S, A, Q, N, B, M, MA, V, K, L, W, ST, FA, R = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14
-- S state, A attempt, Q queue (rank:type:tenant), N acceptance number, B
-- submitted at, M what only Rust reads, MA most attempts, V number of the take
-- while taken and weight of the ticket while queued, K token while running or
-- of the last report, L the state that report led to, W worker, ST started at,
-- FA finished at, R the rest, which most tasks do not have, by name:
-- x expires at, ra run at, due due at, tp traceparent, up has parents, rd reads
-- parents, run runs after failed parents too, dn has dependents, f failures,
-- solo, la lapses alone, ca a cancel is pending, cr its reason, e error code,
-- em error message, fl refers to files, pg progress, lk and ls token and state of an earlier report.

-- Every record is read once per call, and written at the end if it changed.
local NONE = {}
local records, changed = {}, {}

local function fetch(ids)
  for first = 1, #ids, 4000 do
    local last = min(first + 3999, #ids)
    local keys = {}
    for i = first, last do keys[i - first + 1] = T .. ids[i] end
    for i, text in ipairs(call('MGET', unpack(keys))) do
      local id = ids[first + i - 1]
      if not records[id] then
        records[id] = text and cmsgpack.unpack(text) or NONE
      end
    end
  end
end

-- The record, or one without anything if there is no such task.
local function load(id)
  local h = records[id]
  if not h then
    local text = call('GET', T .. id)
    h = text and cmsgpack.unpack(text) or NONE
    records[id] = h
  end
  return h
end

local function rare(h, name)
  local rest = h[R]
  return rest and rest[name]
end

local function set_rare(h, name, value)
  local rest = h[R] or {}
  rest[name] = value
  h[R] = next(rest) ~= nil and rest
end

local function change(id, h)
  changed[id] = h
end

local function on(event, state)
  local at = find(STATES, state, 1, true)
  return sub(event, at, at)
end

local function pending(state)
  return find('WSRTQ', state, 1, true) ~= nil
end

-- The parts of a queue's name.
local parts = {}
local function part(q)
  local found = parts[q]
  if not found then
    local route, tenant = match(q, '^(%d:[^:]*):(.*)$')
    found = { route = route, tenant = tenant, kind = sub(route, 3), count = COUNT .. tenant,
      minute = MINUTE .. num(floor(now / 60000000)) .. ':' .. tenant,
      P = route .. ':P', X = route .. ':X', C = route .. ':C', F = route .. ':F', K = route .. ':K' }
    parts[q] = found
  end
  return found
end

local function mode()
  return call('HGET', MODE, 'm') or 'running'
end

-- Calls a command with any number of arguments after its key.
local function many(command, key, args)
  for first = 1, #args, 4000 do
    call(command, key, unpack(args, first, min(first + 3999, #args)))
  end
end

-- Ids stand one after the other, 36 characters each.
local ID = ('.'):rep(36)
local function each_id(text)
  return string.gmatch(text, ID)
end
