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
-- The number of the layout of all this: another one whenever a script of the
-- version before would misread it. The first had none. It is written before the
-- first task, and no program touches tasks of another layout (lua/held.lua).
local LAYOUT, LAYOUT_KEY = '2', P .. 'layout'
-- One hash each for records, payloads and results: their fields are the bare
-- ids, which spares a key made, hashed and logged at every access.
local T, PAYLOAD, RESULT = P .. 't', P .. 'p', P .. 'r'
local D, O, U, ATTEMPTS = P .. 'd:', P .. 'o:', P .. 'u:', P .. 'a:'
local READY, READY_INDEX = P .. 'ready:', P .. 'ready.index:'
local QUEUED, QUEUED_N, QUEUED_W = P .. 'queued:', P .. 'queued.n', P .. 'queued.w'
local TAKEN, TAKEN_N = P .. 'taken', P .. 'taken.n'
local DUE, LEASES, EXPIRES = P .. 'due', P .. 'leases', P .. 'expires'
-- What ended, by time, and what may be reaped only later than its place there:
-- a set by the time of its end (lua/sweep.lua).
local FINAL, FINAL_LATE = P .. 'final', P .. 'final.late'
local COUNT, MINUTE, LIST = P .. 'count:', P .. 'minute:', P .. 'list:'
local MODE, RUNTIME, TOTAL = P .. 'mode', P .. 'runtime', P .. 'total'

-- A slip is worth this much; each of its n tickets carries an n-th of it.
local SLIP = 720720

-- Ids are their 16 bytes, which may be any: half of what a script does is to
-- copy, hash and compare them, and their text is more than twice as long. In a
-- row they stand one after the other.
local WIDTH = 16
local function each_id(row)
  return string.gmatch(row, '................')
end

-- An id as people read it.
local function spell(id)
  return (string.gsub(format(('%02x'):rep(WIDTH), string.byte(id, 1, WIDTH)),
    '^(%x%x%x%x%x%x%x%x)(%x%x%x%x)(%x%x%x%x)(%x%x%x%x)', '%1-%2-%3-%4-'))
end

-- The record of a task. Absent values are false, or 0 for V.
local S, A, Q, N, B, M, MA, V, K, L, W, ST, FA, R = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14
-- S state, A attempt, Q queue (rank:type:tenant), N acceptance number, B
-- submitted at, M what only Rust reads, MA most attempts, V its band while taken
-- or running (lua/index.lua) and weight of the ticket while queued, K token
-- while running or of the last report, L the state that report led to, W worker,
-- ST started at, FA finished at, R the rest, which most tasks do not have, by
-- name: x expires at, ra run at, due due at, tp traceparent, up has parents, rd
-- reads parents, run runs after failed parents too, dn has dependents, f
-- failures, solo, la lapses alone, ca a cancel is pending, cr its reason, e
-- error code, em error message, fl refers to files, pg progress, tl the
-- bytes for which a worker had no room, as how often, lk and ls token
-- and state of an earlier report.

-- Stored, the numbers have fixed places (0 where absent), the texts follow with
-- their lengths, then the rest as MessagePack. Packed as one MessagePack list, a
-- record took twice as long to read and write.
local FORMAT = '<c1I4ddI4dc1ddHc0Hc0Hc0Hc0'

local function decode(text)
  local s, a, n, b, ma, v, l, st, fa, q, m, k, w, rest = struct.unpack(FORMAT, text)
  return { s, a, q, n, b, m, ma, v, k ~= '' and k, l ~= ' ' and l, w ~= '' and w, st > 0 and st, fa > 0 and fa,
    rest <= #text and cmsgpack.unpack(sub(text, rest)) }
end

local function write(h)
  local q, m, k, w, rest = h[3], h[6], h[9] or '', h[11] or '', h[14]
  local text = struct.pack(FORMAT, h[1], h[2], h[4], h[5], h[7], h[8], h[10] or ' ', h[12] or 0, h[13] or 0,
    #q, q, #m, m, #k, k, #w, w)
  return rest and text .. cmsgpack.pack(rest) or text
end

-- Every record is read once per call, and written at the end if it changed.
local NONE = {}
local records, changed = {}, {}

-- A record that cannot be read counts as none: it must not stop the others of
-- its batch.
local function read(id, text)
  local sound, h = pcall(decode, text)
  if sound and find(STATES, h[S], 1, true) then return h end
  redis.log(redis.LOG_WARNING, 'zero gate: the record of task ' .. spell(id) .. ' cannot be read')
  return NONE
end

local function fetch(ids)
  for first = 1, #ids, 4000 do
    local texts = call('HMGET', T, unpack(ids, first, min(first + 3999, #ids)))
    for i = 1, #texts do
      local id, text = ids[first + i - 1], texts[i]
      if not records[id] then
        records[id] = text and read(id, text) or NONE
      end
    end
  end
end

-- The record, or one without anything if there is no such task.
local function load(id)
  local h = records[id]
  if not h then
    local text = call('HGET', T, id)
    h = text and read(id, text) or NONE
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

-- The rows of a task's parents and of those whose results it reads.
local function kin(id)
  local rows = call('GET', U .. id) or '0|'
  local length, at = match(rows, '^(%d+)|()')
  return sub(rows, at, at + length - 1), sub(rows, at + length)
end
