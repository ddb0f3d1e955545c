-- ARGV: the mark to take if there is none. Answer: the mark.

local mark = call('GET', P .. 'blobs.mark')
if not mark then
  mark = ARGV[1]
  call('SET', P .. 'blobs.mark', mark)
end
return mark
