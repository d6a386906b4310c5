-- Keeps a damaged blob under another key, leaves its place empty, and marks the day incomplete.
-- KEYS  state incomplete damaged heads, the list of deltas or the piece, where it is kept
-- ARGV  member app generation base sequence until token name; an empty sequence for a piece
local state, incomplete, damaged, heads, place, aside = unpack(KEYS)
local member, app, generation, base, sequence, till, token, name = unpack(ARGV)
local text = redis.call('HGET', heads, app)
local head = text and head_of(text)
if head and sequence ~= '' then
  local index = tonumber(sequence) - head.first
  local delta = index >= 0 and redis.call('LINDEX', place, index)
  if delta and #delta > 32 then
    redis.call('SET', aside, string.sub(delta, 33), 'PXAT', till)
    redis.call('SADD', damaged, name)
    redis.call('LSET', place, index, string.sub(delta, 1, 32))
  end
elseif head and head.generation == tonumber(generation) and head.base == base then
  local piece = redis.call('GET', place)
  if piece and piece ~= '' then
    redis.call('SET', aside, piece, 'PXAT', till)
    redis.call('SADD', damaged, name)
  end
  redis.call('SET', place, '', 'PXAT', till)
end
redis.call('SADD', incomplete, member)
if redis.call('EXISTS', state) == 1 then redis.call('HSET', state, 'revision', token) end
local owner_till = math.max(tonumber(till), tonumber(redis.call('HGET', state, 'until') or 0))
for i = 2, 3 do redis.call('PEXPIREAT', KEYS[i], string.format('%.0f', owner_till)) end
return 1
