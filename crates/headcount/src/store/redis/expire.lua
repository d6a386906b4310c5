-- Forgets what is too old of everything that is not a segment.
-- KEYS  state marks receipts erased expired incomplete damaged days tombstones blocks
-- ARGV  first_date marks_before oldest_expired until
-- Gives 1 if nothing is left of the owner.
local state, marks, receipts, erased, expired, incomplete, damaged, days, tombstones = unpack(KEYS)
local first_date, marks_before, oldest, till = unpack(ARGV)
marks_before = tonumber(marks_before)
local function prune(key, from)
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    -- Receipts go on behind the moment.
    local at = string.match(all[i + 1], '^%-?%d+', from)
    if at and tonumber(at) < marks_before then redis.call('HDEL', key, all[i]) end
  end
end
prune(marks, 17)
prune(receipts, 9)
prune(erased, 1)
prune(tombstones, 1)
for _, key in ipairs({ incomplete, damaged }) do
  for _, member in ipairs(redis.call('SMEMBERS', key)) do
    if string.sub(member, 1, 10) < first_date then redis.call('SREM', key, member) end
  end
end
for _, field in ipairs(redis.call('HKEYS', expired)) do
  if string.sub(field, 1, 10) < oldest then redis.call('HDEL', expired, field) end
end
-- What has expired is remembered as long as anything else of the owner.
till = string.format('%.0f', math.max(tonumber(till), tonumber(redis.call('HGET', state, 'until') or 0)))
redis.call('PEXPIREAT', expired, till)
local left = redis.call('EXISTS', marks, receipts, erased, incomplete, days, tombstones)
if left > 0 or redis.call('HEXISTS', state, 'since') == 1 then
  if redis.call('EXISTS', state) == 1 then redis.call('HSET', state, 'until', till) end
  -- All that belongs together goes together.
  for i = 1, #KEYS do redis.call('PEXPIREAT', KEYS[i], till) end
  return 0
end
redis.call('DEL', state)
return 1
