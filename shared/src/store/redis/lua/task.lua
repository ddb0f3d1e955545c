-- ARGV: tenant, id. Answer: the view, or nothing.

local q = call('HGET', T .. ARGV[2], 'q')
if not q or part(q).tenant ~= ARGV[1] then
  return false
end
return view(ARGV[2], true)
