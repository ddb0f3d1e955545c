-- ARGV: the longest delay in microseconds, then per task id, attempt, the bytes
-- that it needs, microseconds to wait the first time; each further time is twice
-- as long. Answer: one letter per task: Y set aside, N nothing of that kind.

local longest = tonumber(ARGV[1])
local letters, ids = {}, {}
for i = 2, #ARGV, 4 do
  ids[#ids + 1] = ARGV[i]
end
fetch(ids)
for i = 2, #ARGV, 4 do
  local id = ARGV[i]
  local h = load(id)
  local letter = 'N'
  if h[S] and h[A] + 1 == tonumber(ARGV[i + 1]) then
    local asides = rare(h, 'as') or 0
    local due = min(now + min(tonumber(ARGV[i + 3]) * 2 ^ min(asides, 30), longest), MAX)
    if h[S] == 'S' and rare(h, 'tl') then
      -- Asked again, or through another slip.
      letter = 'Y'
    elseif move(id, h, SetAside, due) then
      letter = 'Y'
      set_rare(h, 'due', due)
      set_rare(h, 'tl', tonumber(ARGV[i + 2]))
      set_rare(h, 'as', asides + 1)
    end
  end
  letters[#letters + 1] = letter
end
flush()
return concat(letters)
