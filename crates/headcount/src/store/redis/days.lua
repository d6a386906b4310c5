-- Which days an owner has segments of.
-- KEYS  state days
-- Gives {space, layout, dates}.
local stored = redis.call('HMGET', KEYS[1], 'space', 'layout')
return { stored[1] or '', stored[2] or '', redis.call('SMEMBERS', KEYS[2]) }
