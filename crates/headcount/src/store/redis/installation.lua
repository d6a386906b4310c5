-- Takes the store for an installation if nobody has it.
-- KEYS  installation
-- ARGV  id fingerprint format
-- Gives {id, fingerprint, format, copy_of} of whose it is; copy_of is there as long as it is an unfinished copy.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'id', ARGV[1], 'fingerprint', ARGV[2], 'format', ARGV[3])
end
return redis.call('HMGET', KEYS[1], 'id', 'fingerprint', 'format', 'copy_of')
