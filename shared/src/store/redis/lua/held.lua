-- Whose the store is.

-- The layout of the tasks that are here if it is another than ours, empty for
-- the first one, which had no number; nil if this program may work. A store
-- without tasks is anybody's, until the next submission.
local function held_in()
  local found = call('GET', LAYOUT_KEY)
  if found == LAYOUT then return nil end
  -- Where tasks stand in every layout so far. Those that stand nowhere depend on
  -- one that does, or are kept for one.
  local held = call('EXISTS', DUE, TAKEN, QUEUED_N, LEASES, FINAL, FINAL_LATE, READY_INDEX .. '0',
    READY_INDEX .. '1', READY_INDEX .. '2', READY_INDEX .. '3')
  return held > 0 and (found or '') or nil
end
