-- ARGV: tenant, then ids. Answer per id: 1 if it has ended or 0, and the texts
-- that stand for a large input and a large result, or false; or nothing.

local answers = {}
for i = 2, #ARGV do
  local h = load(ARGV[i])
  answers[i - 1] = false
  if h[S] and part(h[Q]).tenant == ARGV[1] then
    local input = match(call('GET', PAYLOAD .. ARGV[i]) or '', '\n(\1[^\n]*)$')
    local result = h[S] == 'C' and match(call('GET', RESULT .. ARGV[i]) or '', '^\1.*$')
    answers[i - 1] = { (pending(h[S]) or h[S] == 'X') and 0 or 1, input or false, result or false }
  end
end
return answers
