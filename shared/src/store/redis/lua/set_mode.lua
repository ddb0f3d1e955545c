-- ARGV: mode, by, reason. Answer: changed, then the stored mode.

local changed = 0
if mode() ~= ARGV[1] then
  changed = 1
  call('HSET', MODE, 'm', ARGV[1], 'by', ARGV[2], 'why', ARGV[3], 'at', now_s)
  news_mode = true
  news_ready = ARGV[1] == 'running'
elseif call('EXISTS', MODE) == 0 then
  -- Nobody set it before: that it was asked for, and when, is worth knowing.
  call('HSET', MODE, 'm', ARGV[1], 'by', ARGV[2], 'why', ARGV[3], 'at', now_s)
end
flush()
return { changed, call('HMGET', MODE, 'm', 'by', 'why', 'at') }
