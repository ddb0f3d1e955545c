-- ARGV: per run id and token. Answer: one letter per run: Y given back, N the
-- token no longer holds.

local letters = {}
for i = 1, #ARGV, 2 do
  local id = ARGV[i]
  local h = load(id)
  local letter = 'N'
  if h[S] == 'X' and h[K] == ARGV[i + 1] then
    letter = 'Y'
    if rare(h, 'ca') then
      stop(id, h)
    else
      close_attempt(id, h, 'released', 'given back unfinished')
      move(id, h, Released)
    end
    revoke(h)
  end
  letters[#letters + 1] = letter
end
resolve()
flush()
return concat(letters)
