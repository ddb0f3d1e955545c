-- Answer: as set_mode, nothing changed.

return { 0, call('HMGET', MODE, 'm', 'by', 'why', 'at') }
