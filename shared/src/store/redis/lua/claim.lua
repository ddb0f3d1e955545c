-- ARGV: worker, microseconds of the lease, then per ticket id, attempt, token.
-- Answer: outcomes, hint. An outcome is H, S or U, or attempt;failures;number of
-- the results it reads, its payload, and id and result of each of them: one flat
-- list, because every list within a list costs as much as its task's record.

local worker, lease_end = ARGV[1], num(min(now + tonumber(ARGV[2]), MAX))
local running = mode() == 'running'
local outcomes, places, paid, started = {}, {}, {}, {}

-- The results that the task reads: id, result or false, id, ...
local function parents(id)
  local found = {}
  local _, reads = kin(id)
  for parent in each_id(reads) do
    found[#found + 1] = parent
    found[#found + 1] = load(parent)[S] == 'C' and call('HGET', RESULT, parent)
  end
  return found
end

local function grant(id, h)
  local read = rare(h, 'rd') and parents(id) or NONE
  local o, p = #outcomes, #paid
  outcomes[o + 1] = h[A] .. ';' .. (rare(h, 'f') or 0) .. ';' .. #read / 2
  -- The payload follows, once it is known.
  outcomes[o + 2] = false
  places[p + 1], paid[p + 1] = o + 2, id
  for i = 1, #read do
    outcomes[o + 2 + i] = read[i]
  end
end

local function say(letter)
  outcomes[#outcomes + 1] = letter
end

local function hold(id, h, event, due)
  move(id, h, event, due)
  return say('H')
end

local function start(id, h, token)
  leave(id, h)
  started[#started + 1] = id
  count(h[Q], h[S], 'X')
  if h[A] == 0 then observe(h[Q], 'w', now - h[B]) end
  if h[R] then
    if h[R].x then place(EXPIRES, id, false) end
    set_rare(h, 'pg', nil)
    set_rare(h, 'tl', nil)
    set_rare(h, 'as', nil)
  end
  if h[L] then
    set_rare(h, 'lk', h[K])
    set_rare(h, 'ls', h[L])
  end
  h[S], h[A], h[K], h[L], h[W], h[ST] = 'X', h[A] + 1, token, false, worker, now
  change(id, h)
  return grant(id, h)
end

local function answer(id, attempt, token)
  local h = load(id)
  local s = h[S]
  if not s then
    return say('U')
  elseif s == 'X' and h[K] == token then
    return grant(id, h)
  elseif attempt ~= h[A] + 1 or on(Claimed, s) ~= 'X' then
    return say('S')
  elseif not running then
    return hold(id, h, HeldPaused)
  end
  if h[R] then
    local due, x = h[R].due, h[R].x
    if due and due > now then
      return hold(id, h, HeldEarly, due)
    elseif x and x <= now then
      end_task(id, h, Expired, 'expired', EXPIRY)
      -- At once: a later ticket may be that of a dependent.
      resolve()
      return say('S')
    end
  end
  return start(id, h, token)
end

local ids = {}
for i = 3, #ARGV, 3 do
  ids[#ids + 1] = ARGV[i]
end
fetch(ids)
for i = 3, #ARGV, 3 do
  answer(ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2])
end
for at = 1, #paid, 4000 do
  for i, payload in ipairs(call('HMGET', PAYLOAD, unpack(paid, at, min(at + 3999, #paid)))) do
    outcomes[places[at + i - 1]] = payload
  end
end
enter_band(LEASES, started, #started > 1 and call('INCR', P .. 'bands') or 0, lease_end)
flush()
return { outcomes, hint() }
