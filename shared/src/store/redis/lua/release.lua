-- ARGV: per run id and token. Answer: one letter per run: Y given back, N the
-- token no longer holds.

local letters = {}
for i = 1, #ARGV, 2 do
  local id = ARGV[i]
  local h = load(id)
  local letter = 'N'
  if h[S] == 'X' and h[K] == ARGV[i + 1] then
    letter = 'Y'
    if h[CA] then
      local message = cancel_message(h)
      close_attempt(id, h, 'cancelled', message)
      end_task(id, h, Stopped, 'cancelled', message)
      call('HDEL', T .. id, 'ca', 'cr')
    else
      close_attempt(id, h, 'released', 'given back unfinished')
      call('HSET', T .. id, 's', move(id, h, Released), 'k', '')
    end
  end
  letters[#letters + 1] = letter
end
resolve()
flush()
return concat(letters)
