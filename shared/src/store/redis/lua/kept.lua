-- ARGV: names. Answer: their texts, nothing where there is none.

local texts = {}
for i = 1, #ARGV do
  texts[i] = call('GET', P .. 'note:' .. ARGV[i])
end
return texts
