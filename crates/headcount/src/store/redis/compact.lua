-- Puts a new base, which has been written, in the place of the old one and of the deltas that it holds.
-- KEYS  state heads list, the pieces of the new base, those of the old one
-- ARGV  space app generation sequence tag base pieces base_bytes timed until old_base grace
-- Gives 1, or 0 if the segment has changed or a piece is missing.
local space, app, generation, sequence, tag, base, pieces, base_bytes, timed, till, old_base, grace = unpack(ARGV)
local state, heads, list = unpack(KEYS, 1, 3)
if redis.call('HGET', state, 'space') ~= space then return 0 end
local text = redis.call('HGET', heads, app)
if not text then return 0 end
local head = head_of(text)
sequence, pieces = tonumber(sequence), tonumber(pieces)
if head.generation ~= tonumber(generation) or head.base ~= old_base then return 0 end
local found, bytes = before(head, list, sequence)
if found ~= tag then return 0 end
for i = 4, 3 + pieces do
  if redis.call('EXISTS', KEYS[i]) == 0 then return 0 end
end

for i = 4, 3 + pieces do redis.call('PEXPIREAT', KEYS[i], till) end
-- Readers that have seen the old base may still be at it.
for i = 4 + pieces, #KEYS do redis.call('PEXPIRE', KEYS[i], grace) end
redis.call('LTRIM', list, sequence - head.first, -1)
head.generation, head.first, head.first_tag, head.first_bytes = head.generation + 1, sequence, tag, bytes
head.base, head.pieces, head.base_bytes, head.timed = base, pieces, tonumber(base_bytes), timed
redis.call('HSET', heads, app, text_of(head))
redis.call('HSET', state, 'revision', base)
return 1
