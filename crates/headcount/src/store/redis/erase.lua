-- Remembers that an owner, or one of the owner's apps, is erased, and removes everything of it that is not a segment.
-- KEYS  state erased expired incomplete damaged receipts tombstones blocks
-- ARGV  app at until token; an empty app is the owner
local state, erased, expired, incomplete, damaged, receipts, tombstones, blocks = unpack(KEYS)
local app, at, till, token = unpack(ARGV)
redis.call('HSET', erased, app, at)
if app == '' then
  redis.call('UNLINK', expired, incomplete, damaged, receipts, tombstones, blocks)
  redis.call('HDEL', state, 'epoch', 'block', 'ordinals', 'since')
else
  for _, key in ipairs({ incomplete, damaged }) do
    for _, member in ipairs(redis.call('SMEMBERS', key)) do
      if string.sub(member, 12, 35) == app then redis.call('SREM', key, member) end
    end
  end
  for _, field in ipairs(redis.call('HKEYS', expired)) do
    if string.sub(field, 12) == app then redis.call('HDEL', expired, field) end
  end
end
till = string.format('%.0f', math.max(tonumber(till), tonumber(redis.call('HGET', state, 'until') or 0)))
redis.call('HSET', state, 'revision', token, 'until', till)
-- All that belongs together goes together.
for i = 1, #KEYS do redis.call('PEXPIREAT', KEYS[i], till) end
return 1
