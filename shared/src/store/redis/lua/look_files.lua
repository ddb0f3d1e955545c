-- ARGV: tenant, then hashes. Answer per hash: key, length, media type, name,
-- uses; or nothing.

local found = {}
for i = 2, #ARGV do
  local file = call('HMGET', P .. 'f:' .. ARGV[1] .. ':' .. ARGV[i], 'k', 'b', 't', 'n', 'u')
  found[i - 1] = file[1] and file
end
return found
