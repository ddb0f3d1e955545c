-- Files: f:<tenant>:<sha256> is the record (k key of the bytes, b length, t
-- media type, n name, keep, u tasks that refer to it), fk:<tenant> the keys of
-- all bytes, fx the unused ones by time of expiry, fr:<id> the files of a task.

local EACH_FILE = ('%x'):rep(64)

-- From now on the task refers to these files, as far as they are known.
local function refer(id, h, files)
  local owner = part(h[Q]).tenant .. ':'
  for hash in string.gmatch(files, EACH_FILE) do
    local file = P .. 'f:' .. owner .. hash
    if call('EXISTS', file) == 1 and call('SADD', P .. 'fr:' .. id, hash) == 1 then
      if call('HINCRBY', file, 'u', 1) == 1 then
        call('ZREM', P .. 'fx', owner .. hash)
      end
      set_rare(h, 'fl', true)
      change(id, h)
    end
  end
end
