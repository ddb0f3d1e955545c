-- Asked at the beginning of every connection. Answer: nothing if the store is of
-- this layout, else the layout that its tasks are of (empty for the first one,
-- which had no number), and this one. A store without tasks becomes ours.

local found = call('GET', LAYOUT_KEY)
if found == LAYOUT then
  return {}
end
-- Where tasks stand in every layout so far. Those that stand nowhere depend on
-- one that does, or are kept for one.
if call('EXISTS', DUE, TAKEN, QUEUED_N, LEASES, FINAL, FINAL_LATE, READY_INDEX .. '0', READY_INDEX .. '1', READY_INDEX .. '2',
  READY_INDEX .. '3') > 0 then
  return { found or '', LAYOUT }
end
call('SET', LAYOUT_KEY, LAYOUT)
return {}
