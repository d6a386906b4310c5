-- Removes segments of one day, as they were read, with everything that belongs to them.
-- KEYS  state days expired heads, every list and piece of theirs
-- ARGV  space date expired_at whole token, of each segment: app head; an empty expired_at is not remembered
-- Gives 1, or 0 if one of them has changed, or if there are others and the whole day is to go.
local space, date, expired_at, whole, token = unpack(ARGV, 1, 5)
local state, days, expired, heads = unpack(KEYS, 1, 4)
if redis.call('HGET', state, 'space') ~= space then return 0 end
if whole == '1' and redis.call('HLEN', heads) ~= (#ARGV - 5) / 2 then return 0 end
for i = 6, #ARGV, 2 do
  if redis.call('HGET', heads, ARGV[i]) ~= ARGV[i + 1] then return 0 end
end
for i = 6, #ARGV, 2 do
  redis.call('HDEL', heads, ARGV[i])
  if expired_at ~= '' then redis.call('HSET', expired, date .. ':' .. ARGV[i], expired_at) end
end
for i = 5, #KEYS do redis.call('UNLINK', KEYS[i]) end
if redis.call('EXISTS', heads) == 0 then
  redis.call('SREM', days, date)
  redis.call('HSET', state, 'layout', token)
end
redis.call('HSET', state, 'revision', token)
return 1
