-- ARGV: per report id, token, head, body. A head is C|ran, K|ran, or
-- F|ran|retryable|retry in|code, in microseconds; the body is the result or the
-- error's message. Answer: letters of the states, S? for stale as '-'; hint.

local outcomes, results = {}, {}
local learned = {}

-- The run time of a type is a decayed mean of its completed runs.
local function learn(kind, ran)
  local mean = learned[kind] or tonumber(call('HGET', RUNTIME, kind) or ran)
  learned[kind] = mean + 0.1 * (ran - mean)
end

local function succeed(id, h, token, ran, result)
  local to = on(Succeeded, h[S])
  local r = #results
  results[r + 1], results[r + 2] = RESULT .. id, result
  call('HSET', T .. id, 's', to, 'fa', now_s, 'k', '', 'lk', token, 'ls', to)
  if h[CA] then call('HDEL', T .. id, 'ca', 'cr') end
  place(LEASES, id, false)
  count(h[Q], h[S], to)
  ended[#ended + 1] = id
  if h[DN] then
    settled[#settled + 1] = id
    settled[#settled + 1] = to
  else
    place(FINAL, id, now)
  end
  learn(part(h[Q]).kind, ran)
  return to
end

local function stop(id, h)
  local message = cancel_message(h)
  close_attempt(id, h, 'cancelled', message)
  local to = end_task(id, h, Stopped, 'cancelled', message)
  call('HDEL', T .. id, 'ca', 'cr')
  return to
end

local function fail(id, h, head, message)
  local again, wait, code = match(head, '^F|%d+|(%d)|(%d+)|(.*)$')
  local failures = (h[F] or 0) + 1
  close_attempt(id, h, code, message)
  if again == '1' and failures < tonumber(h[MA]) then
    local due = min(now + tonumber(wait), MAX)
    local to = move(id, h, FailedForNow, due)
    call('HSET', T .. id, 's', to, 'f', failures, 'du', due, 'k', '')
    return to
  end
  call('HSET', T .. id, 'f', failures)
  return end_task(id, h, FailedForGood, code, message)
end

local function report(id, token, head, body)
  local h = call('HMGET', T .. id, 's', 'a', 'q', 'k', 'ca', 'dn')
  if h[S] ~= 'X' or h[K] ~= token then
    local last = call('HMGET', T .. id, 'lk', 'ls')
    return last[1] == token and last[2] or '-'
  end
  local kind, ran = match(head, '^(%a)|(%d+)')
  ran = tonumber(ran)
  observe(h[Q], 'n')
  if kind ~= 'K' then observe(h[Q], 'r', ran) end
  if kind == 'C' then
    return succeed(id, h, token, ran, body)
  end
  h = load(id)
  local to
  if h[CA] or kind == 'K' then
    to = stop(id, h)
  else
    to = fail(id, h, head, body)
  end
  call('HSET', T .. id, 'lk', token, 'ls', to)
  return to
end

for i = 1, #ARGV, 4 do
  outcomes[#outcomes + 1] = report(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
end
for at = 1, #results, 4000 do
  call('MSET', unpack(results, at, min(at + 3999, #results)))
end
for kind, mean in pairs(learned) do
  call('HSET', RUNTIME, kind, num(mean))
end
resolve()
flush()
return { concat(outcomes), hint() }
