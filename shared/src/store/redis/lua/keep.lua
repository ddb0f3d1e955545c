-- ARGV: name, text, milliseconds that it lasts.

local key = P .. 'note:' .. ARGV[1]
if ARGV[3] == '0' then
  call('UNLINK', key)
else
  call('SET', key, ARGV[2], 'PX', ARGV[3])
end
return 1
