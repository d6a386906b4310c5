-- An owner's dictionary backwards: its blocks before a place, the newest first, as many as fit.
-- KEYS  state blocks tombstones
-- ARGV  space known_epoch known_block place most_bytes read; an empty place is the end
-- `read`: how many blocks and pseudonyms of them the caller has already.
-- Gives {'moved'} or {'blocks', epoch, block, since, place of the oldest one that is given, fields and values of
-- the tombstones, block...}; the tombstones where the place is the end.
local stored = redis.call('HMGET', KEYS[1], 'space', 'epoch', 'block', 'since', 'ordinals')
local epoch, block = stored[2] or '0', stored[3] or string.rep('\0', 8)
if (stored[1] or '') ~= ARGV[1] then return { 'moved' } end
local all = redis.call('LLEN', KEYS[2])
local place = tonumber(ARGV[4]) or all
local erased = ARGV[4] == '' and redis.call('HGETALL', KEYS[3]) or {}
local result = { 'blocks', epoch, block, stored[4] or '', place, erased }
if ARGV[2] == epoch and ARGV[3] == block and ARGV[4] == '' then return result end
-- Blocks are of very different sizes: so many at once as have about 64 KB, be those to come like those that came last or
-- like the mean of all that are left.
local bytes, last = 0, 0
local left = 16 * (all + tonumber(stored[5] or 0) - tonumber(ARGV[6]))
while place > 0 and bytes < tonumber(ARGV[5]) and #result < 4000 do
  local many = math.floor(65536 / math.max(last, (left - bytes) / place, 65))
  local first = math.max(place - math.max(many, 1), 0)
  local some, size = redis.call('LRANGE', KEYS[2], first, place - 1), 0
  for i = #some, 1, -1 do
    result[#result + 1], size = some[i], size + #some[i]
  end
  place, bytes, last = first, bytes + size, size / #some
end
result[5] = place
return result
