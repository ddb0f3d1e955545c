-- ARGV: worker, microseconds of the lease, then per ticket id, attempt, token.
-- Answer: outcomes (H, S, U, or attempt, failures, payload and parents), hint.

local worker, lease_end = ARGV[1], min(now + tonumber(ARGV[2]), MAX)
local running = mode() == 'running'
local outcomes, granted, keys = {}, {}, {}

-- The results that the task reads: id, result or false, id, ...
local function parents(id)
  local found = {}
  local reads = match(call('GET', U .. id) or '', '|(.*)$')
  for parent in each_id(reads or '') do
    found[#found + 1] = parent
    found[#found + 1] = call('HGET', T .. parent, 's') == 'C' and call('GET', RESULT .. parent)
  end
  return found
end

local function grant(id, h, attempt)
  local outcome = { attempt, tonumber(h[F] or 0), false, h[RD] and parents(id) or false }
  granted[#granted + 1] = outcome
  keys[#keys + 1] = PAYLOAD .. id
  return outcome
end

local function hold(id, event)
  local h = load(id)
  local to = move(id, h, event, tonumber(h[DU]))
  call('HSET', T .. id, 's', to)
  return 'H'
end

local function start(id, h, attempt, token)
  leave(id, h)
  place(LEASES, id, lease_end)
  if h[X] then place(EXPIRES, id, false) end
  count(h[Q], h[S], 'X')
  call('HSET', T .. id, 's', 'X', 'a', attempt, 'k', token, 'w', worker, 'st', now_s)
  if attempt > 1 then
    call('HDEL', T .. id, 'pg')
  else
    observe(h[Q], 'w', now - tonumber(h[B]))
  end
  return grant(id, h, attempt)
end

local function answer(id, attempt, token)
  local h = call('HMGET', T .. id, 's', 'a', 'q', 'k', 'ca', 'dn', 'x', 'du', 'wt', 'f', 'b', 'rd')
  local s, latest = h[S], tonumber(h[A] or 0)
  if not s then
    return 'U'
  elseif s == 'X' and h[K] == token then
    return grant(id, h, latest)
  elseif attempt ~= latest + 1 or on(Claimed, s) ~= 'X' then
    return 'S'
  elseif not running then
    return hold(id, HeldPaused)
  elseif h[DU] and tonumber(h[DU]) > now then
    return hold(id, HeldEarly)
  elseif h[X] and tonumber(h[X]) <= now then
    end_task(id, load(id), Expired, 'expired', 'it did not start before its expires_at')
    return 'S'
  end
  return start(id, h, attempt, token)
end

for i = 3, #ARGV, 3 do
  outcomes[#outcomes + 1] = answer(ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2])
end
for at = 1, #keys, 4000 do
  for i, payload in ipairs(call('MGET', unpack(keys, at, min(at + 3999, #keys)))) do
    granted[at + i - 1][3] = payload
  end
end
resolve()
flush()
return { outcomes, hint() }
