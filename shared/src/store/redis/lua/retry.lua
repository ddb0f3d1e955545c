-- ARGV: tenant, then ids. Answer per id: {r, attempt}, {w, state}, {p, parent},
-- or {u}.

local tenant = ARGV[1]

-- The parents that have not ended, and the first that failed.
local function parents_of(id, h)
  local open, failed = {}, nil
  if rare(h, 'up') then
    for parent in each_id((kin(id))) do
      local state = load(parent)[S]
      if state == 'F' or state == 'K' then
        failed = failed or parent
      elseif state and state ~= 'C' then
        open[#open + 1] = parent
      end
    end
  end
  if rare(h, 'run') then failed = nil end
  return open, failed
end

local FRESH = { 'f', 'la', 'solo', 'e', 'em', 'ca', 'cr', 'ra', 'due', 'pg', 'tl', 'as' }
local function revive(id, h, open)
  for _, name in ipairs(FRESH) do
    set_rare(h, name, nil)
  end
  h[FA] = false
  local x = rare(h, 'x')
  if x and x <= now then
    set_rare(h, 'x', nil)
  end
  move(id, h, #open > 0 and RetriedBlocked or Retried)
  if #open > 0 then many('SADD', O .. id, open) end
end

-- Revives the dependents that the failure of `first` had cancelled.
local function revive_dependents(first)
  local line, at = { first }, 1
  while line[at] do
    for _, id in ipairs(call('ZRANGE', D .. line[at], 0, -1)) do
      local h = load(id)
      if h[S] == 'K' and rare(h, 'e') == 'dependency_failed' then
        local open, failed = parents_of(id, h)
        if failed then
          -- The one that it named may be pending again.
          set_rare(h, 'em', blame(failed, load(failed)[S]))
          change(id, h)
        else
          revive(id, h, open)
          line[#line + 1] = id
        end
      end
    end
    at = at + 1
  end
end

local function answer(id)
  local h = load(id)
  if not h[S] or part(h[Q]).tenant ~= tenant then
    return { 'u' }
  elseif h[S] ~= 'F' and h[S] ~= 'K' then
    return { 'w', h[S] }
  end
  local open, failed = parents_of(id, h)
  if failed then
    return { 'p', failed }
  end
  revive(id, h, open)
  if rare(h, 'dn') then revive_dependents(id) end
  return { 'r', h[A] }
end

local answers = {}
for i = 2, #ARGV do
  answers[#answers + 1] = answer(ARGV[i])
end
flush()
return answers
