-- The states of an owner's segments on some days, all of one moment.
-- KEYS  state expired incomplete, the hash of each day
-- ARGV  space layout
-- Gives {'moved'} if the owner has other days or another space, else {'view', epoch, block, revision, incomplete
-- members, expired fields, of each day: app head app head...}.
local stored = redis.call('HMGET', KEYS[1], 'space', 'layout', 'epoch', 'block', 'revision')
if (stored[1] or '') ~= ARGV[1] or (stored[2] or '') ~= ARGV[2] then return { 'moved' } end
local days = {}
for i = 4, #KEYS do days[i - 3] = redis.call('HGETALL', KEYS[i]) end
return { 'view', stored[3] or '0', stored[4] or '', stored[5] or '', redis.call('SMEMBERS', KEYS[3]),
  redis.call('HKEYS', KEYS[2]), days }
