-- How a task moves: out of the indexes of one state, into those of the next,
-- and what its end means for its dependents. Works on whole records, load()ed.

-- The attempt's slip no longer counts.
local function unqueue(id, q, weight)
  local route = part(q).route
  place(QUEUED .. route, id, false)
  add(QUEUED_N, route, -1)
  add(QUEUED_W, route, -(tonumber(weight) or 0))
end

local function untake(id, q)
  place(TAKEN, id, false)
  add(TAKEN_N, part(q).route, -1)
end

local function leave(id, h)
  local s = h[S]
  if s == 'R' then
    place_ready(h[Q], id, false)
  elseif s == 'T' then
    untake(id, h[Q])
  elseif s == 'Q' then
    unqueue(id, h[Q], h[WT])
  elseif s == 'S' then
    place(DUE, id, false)
  elseif s == 'X' then
    place(LEASES, id, false)
  elseif s == 'W' then
    call('UNLINK', O .. id)
  else
    place(FINAL, id, false)
  end
end

-- `due` is meant for scheduled alone.
local function enter(id, h, to, due)
  if to == 'R' then
    place_ready(h[Q], id, tonumber(h[N]))
    news_ready = true
  elseif to == 'S' then
    place(DUE, id, due)
  elseif to ~= 'W' and not h[DN] then
    -- Only what has no dependents may be reaped.
    place(FINAL, id, now)
  end
  if h[X] then
    place(EXPIRES, id, pending(to) and tonumber(h[X]))
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
  return to
end

-- Tasks with dependents that ended in this call: id, state, id, state.
local settled = {}

local function end_task(id, h, event, code, message)
  local to = move(id, h, event)
  if to then
    call('HSET', T .. id, 's', to, 'fa', now_s, 'e', code, 'em', message, 'k', '')
    ended[#ended + 1] = id
    if h[DN] then
      settled[#settled + 1] = id
      settled[#settled + 1] = to
    end
  end
  return to
end

-- Moves a waiting task whose last parent settled.
local function unblock(id, h)
  if h[RA] and tonumber(h[RA]) > now then
    local to = move(id, h, UnblockedEarly, tonumber(h[RA]))
    call('HSET', T .. id, 's', to, 'du', h[RA])
  else
    call('HSET', T .. id, 's', move(id, h, Unblocked))
  end
end

-- Tells dependents that their parents ended, breadth first.
local function resolve()
  local at = 1
  while at < #settled do
    local parent, state = settled[at], settled[at + 1]
    at = at + 2
    for _, id in ipairs(call('ZRANGE', D .. parent, 0, -1)) do
      local h = load(id)
      if h[S] == 'W' then
        if state == 'C' or h[PO] == 'run' then
          call('SREM', O .. id, parent)
          if call('EXISTS', O .. id) == 0 then
            unblock(id, h)
          end
        else
          end_task(id, h, ParentFailed, 'dependency_failed', 'it depends on task ' .. parent .. ', which ' ..
            (state == 'F' and 'failed' or 'was cancelled'))
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
  call('RPUSH', key, h[A] .. '|' .. h[ST] .. '|' .. now_s .. '|' .. h[W] .. '|' .. code .. '|' .. message)
  if tonumber(h[A]) > 20 then
    call('LTRIM', key, -20, -1)
  end
end

local function cancel_message(h)
  if h[CR] and h[CR] ~= '' then
    return h[CR]
  end
  return 'cancelled'
end
