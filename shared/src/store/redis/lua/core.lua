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

-- The record of a task is what HMGET gives for these fields, in this order;
-- scripts in a hurry read only the first few. Absent means never set.
local S, A, Q, K, CA, DN, X, DU, WT, F, B, RD = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
local N, ST, W, MA, LK, LS, RA, PO, SO, LA, UP, E, CR, FA = 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26

-- s state, a attempt, q queue (rank:type:tenant), k token while running, ca a
-- cancel is pending, dn has dependents, x expires at, du due at, wt weight of
-- its ticket, f failures, b submitted at, rd reads parents; n acceptance
-- number, st started at, w worker, ma most attempts, lk and ls last committed
-- token and the state it led to, ra run at, po policy on failed parents, so
-- solo, la lapses alone, up has parents, e error code, cr reason of the
-- cancel, fa finished at. Others are not read by load(): em error message, m
-- what only Rust reads, tp traceparent, pg progress, y number of the take.
local function load(id)
  return call('HMGET', T .. id, 's', 'a', 'q', 'k', 'ca', 'dn', 'x', 'du', 'wt', 'f', 'b', 'rd',
    'n', 'st', 'w', 'ma', 'lk', 'ls', 'ra', 'po', 'so', 'la', 'up', 'e', 'cr', 'fa')
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
    found = { route = route, tenant = tenant, kind = sub(route, 3), count = COUNT .. tenant }
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
