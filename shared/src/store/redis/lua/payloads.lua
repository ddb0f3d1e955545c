-- ARGV: tenant, then ids. Answer per id: 1 if it has ended or 0, and the texts
-- that stand for a large input and a large result, or false; or nothing. A task
-- that cannot be read has not ended: whatever belongs to it stays.

local answers = {}
for i = 2, #ARGV do
  local h = load(ARGV[i])
  answers[i - 1] = false
  if h[S] and part(h[Q]).tenant == ARGV[1] then
    local input = match(call('HGET', PAYLOAD, ARGV[i]) or '', '\n(\1[^\n]*)$')
    local result = h[S] == 'C' and match(call('HGET', RESULT, ARGV[i]) or '', '^\1.*$')
    answers[i - 1] = { (pending(h[S]) or h[S] == 'X') and 0 or 1, input or false, result or false }
  elseif not h[S] and call('HEXISTS', T, ARGV[i]) == 1 then
    answers[i - 1] = { 0, false, false }
  end
end
return answers
