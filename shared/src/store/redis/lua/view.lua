-- One task as Rust decodes it: id, record, spec, result, dependents, ended
-- attempts.

local function view(id, with_result)
  local spec = match(call('HGET', PAYLOAD, id) or '', '^[^\n]*')
  return { id, call('HGET', T, id), spec, with_result and call('HGET', RESULT, id),
    call('ZRANGE', D .. id, 0, -1), call('LRANGE', ATTEMPTS .. id, 0, -1) }
end
