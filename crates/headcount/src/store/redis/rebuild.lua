-- Swaps an owner's dictionary and segments for those that were written to a new space.
-- KEYS  state
-- ARGV  epoch block revision, space epoch block ordinals since
-- Gives 1, or 0 if anything has changed.
local stored = redis.call('HMGET', KEYS[1], 'epoch', 'block', 'revision', 'since')
if not stored[4] or stored[1] ~= ARGV[1] or stored[2] ~= ARGV[2] or stored[3] ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], 'space', ARGV[4], 'epoch', ARGV[5], 'block', ARGV[6], 'ordinals', ARGV[7], 'since', ARGV[8],
  'revision', ARGV[4])
return 1
