-- How a task moves: out of the indexes of one state, into those of the next,
-- and what its end means for its dependents.

-- The attempt's slip no longer counts.
local function unqueue(id, h)
  local route = part(h[Q]).route
  place(QUEUED .. route, id, false)
  add(QUEUED_N, route, -1)
  add(QUEUED_W, route, -h[V])
end

local function leave(id, h)
  local s = h[S]
  if s == 'Q' then
    unqueue(id, h)
  elseif s == 'X' then
    leave_band(LEASES, id, h)
  elseif s == 'R' then
    place_ready(h[Q], id, false)
  elseif s == 'T' then
    leave_band(TAKEN, id, h)
    add(TAKEN_N, part(h[Q]).route, -1)
  elseif s == 'S' then
    place(DUE, id, false)
  elseif s == 'W' then
    call('UNLINK', O .. id)
  end
end

-- `due` is meant for scheduled alone.
local function enter(id, h, to, due)
  if to == 'R' then
    place_ready(h[Q], id, h[N])
    news_ready = true
  elseif to == 'S' then
    place(DUE, id, due)
  elseif to ~= 'W' and not rare(h, 'dn') then
    -- Only what has no dependents may be reaped.
    finals[#finals + 1] = id
  end
  local x = rare(h, 'x')
  if x then
    place(EXPIRES, id, pending(to) and x)
  end
end

-- Moves a task to any state but taken, queued and running, or returns nil and
-- changes nothing if the table does not allow it.
local function move(id, h, event, due)
  local to = on(event, h[S])
  if to == '.' or to == '!' then
    return nil
  end
  leave(id, h)
  enter(id, h, to, due)
  count(h[Q], h[S], to)
  h[S] = to
  change(id, h)
  return to
end

-- Tasks with dependents that ended in this call: id, state, id, state.
local settled = {}

-- What follows from any end: the news, and the dependents.
local function tell_end(id, h)
  h[FA] = now
  ended[#ended + 1] = id
  if rare(h, 'dn') then
    settled[#settled + 1] = id
    settled[#settled + 1] = h[S]
  end
end

local function end_task(id, h, event, code, message)
  local to = move(id, h, event)
  if to then
    set_rare(h, 'e', code)
    set_rare(h, 'em', message)
    set_rare(h, 'ca', nil)
    set_rare(h, 'cr', nil)
    tell_end(id, h)
  end
  return to
end

-- Moves a waiting task whose last parent settled.
local function unblock(id, h)
  local run_at = rare(h, 'ra')
  if run_at and run_at > now then
    set_rare(h, 'due', run_at)
    move(id, h, UnblockedEarly, run_at)
  else
    move(id, h, Unblocked)
  end
end

local function blame(parent, state)
  return 'it depends on task ' .. spell(parent) .. ', which ' .. (state == 'F' and 'failed' or 'was cancelled')
end

-- Tells dependents that their parents ended, breadth first.
local function resolve()
  local at = 1
  while at < #settled do
    local parent, state = settled[at], settled[at + 1]
    at = at + 2
    local dependents = call('ZRANGE', D .. parent, 0, -1)
    fetch(dependents)
    for _, id in ipairs(dependents) do
      local h = load(id)
      if h[S] == 'W' then
        if state == 'C' or rare(h, 'run') then
          call('SREM', O .. id, parent)
          if call('EXISTS', O .. id) == 0 then
            unblock(id, h)
          end
        else
          end_task(id, h, ParentFailed, 'dependency_failed', blame(parent, state))
        end
      end
    end
  end
  settled = {}
end

-- Remembers how the present attempt ended. A success is not written down: the
-- record of a completed task says it all.
local function close_attempt(id, h, code, message)
  local key = ATTEMPTS .. id
  call('RPUSH', key, h[A] .. '|' .. num(h[ST]) .. '|' .. now_s .. '|' .. h[W] .. '|' .. code .. '|' .. message)
  if h[A] > 20 then
    call('LTRIM', key, -20, -1)
  end
end

-- The holder of the token no longer holds anything.
local function revoke(h)
  h[K], h[L] = false, false
end

-- Ends a running task whose cancel is pending, or whose holder stopped.
local function stop(id, h)
  local message = rare(h, 'cr')
  if not message or message == '' then message = 'cancelled' end
  close_attempt(id, h, 'cancelled', message)
  return end_task(id, h, Stopped, 'cancelled', message)
end

local EXPIRY = 'it did not start before its expires_at'
