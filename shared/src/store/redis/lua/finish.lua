-- ARGV: per report id, token, head, body. A head is C|ran, D|ran|hashes of the
-- files that a completed run made, K|ran, or
-- F|ran|retryable|retry in|code, in microseconds; the body is the result or the
-- error's message. Answer: letters of the states, '-' for stale; hint.

local outcomes, results = {}, {}
local learned = {}

-- The run time of a type is a decayed mean of its completed runs.
local function learn(kind, ran)
  local mean = learned[kind] or tonumber(call('HGET', RUNTIME, kind) or ran)
  learned[kind] = mean + 0.1 * (ran - mean)
end

local function succeed(id, h, ran, result)
  local to = on(Succeeded, h[S])
  local r = #results
  results[r + 1], results[r + 2] = RESULT .. id, result
  if h[R] then
    set_rare(h, 'ca', nil)
    set_rare(h, 'cr', nil)
  end
  leave(id, h)
  enter(id, h, to)
  count(h[Q], h[S], to)
  h[S] = to
  tell_end(id, h)
  learn(part(h[Q]).kind, ran)
  return to
end

local function fail(id, h, head, message)
  local again, wait, code = match(head, '^F|%d+|(%d)|(%d+)|(.*)$')
  local failures = (rare(h, 'f') or 0) + 1
  set_rare(h, 'f', failures)
  close_attempt(id, h, code, message)
  if again == '1' and failures < h[MA] then
    local due = min(now + tonumber(wait), MAX)
    set_rare(h, 'due', due)
    return move(id, h, FailedForNow, due)
  end
  return end_task(id, h, FailedForGood, code, message)
end

local function report(id, token, head, body)
  local h = load(id)
  if h[S] ~= 'X' or h[K] ~= token then
    if h[K] == token and h[L] then return h[L] end
    return rare(h, 'lk') == token and rare(h, 'ls') or '-'
  end
  local kind, ran = match(head, '^(%a)|(%d+)')
  ran = tonumber(ran)
  count_ended(h[Q])
  if kind ~= 'K' then observe(h[Q], 'r', ran) end
  local to
  if kind == 'C' then
    to = succeed(id, h, ran, body)
  elseif kind == 'D' then
    refer(id, h, match(head, '%x*$'))
    to = succeed(id, h, ran, body)
  elseif kind == 'K' or rare(h, 'ca') then
    to = stop(id, h)
  else
    to = fail(id, h, head, body)
  end
  -- The token stays, with what it led to, for a report that is repeated; only
  -- the last one is remembered.
  h[L] = to
  if h[R] then
    set_rare(h, 'lk', nil)
    set_rare(h, 'ls', nil)
  end
  change(id, h)
  return to
end

local ids = {}
for i = 1, #ARGV, 4 do
  ids[#ids + 1] = ARGV[i]
end
fetch(ids)
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
