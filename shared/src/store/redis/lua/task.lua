-- ARGV: tenant, id. Answer: the view, or nothing.

local h = load(ARGV[2])
if not h[Q] or part(h[Q]).tenant ~= ARGV[1] then
  return false
end
return view(ARGV[2], true)
