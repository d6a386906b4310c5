-- Tries every command that the other scripts use, for the rights to it.
-- KEYS  a key that is there for nothing else
-- Gives the names of those that the user may not use.
local key = KEYS[1]
local tried = {
  { 'SET', key, '', 'PX', '10000' }, { 'GET', key }, { 'EXISTS', key }, { 'PEXPIRE', key, '10000' },
  { 'PEXPIREAT', key, '4102444800000' }, { 'PTTL', key }, { 'DEL', key }, { 'UNLINK', key },
  { 'HSET', key, 'field', '1' }, { 'HSETNX', key, 'field', '1' }, { 'HGET', key, 'field' }, { 'HMGET', key, 'field' },
  { 'HGETALL', key }, { 'HKEYS', key }, { 'HLEN', key }, { 'HEXISTS', key, 'field' }, { 'HDEL', key, 'field' },
  { 'SADD', key, 'member' }, { 'SMEMBERS', key }, { 'SCARD', key }, { 'SREM', key, 'member' },
  { 'RPUSH', key, 'element' }, { 'LLEN', key }, { 'LINDEX', key, '0' }, { 'LRANGE', key, '0', '1' },
  { 'LSET', key, '0', 'element' }, { 'LTRIM', key, '1', '0' }, { 'DEL', key },
}
local refused = {}
for _, command in ipairs(tried) do
  local reply = redis.pcall(unpack(command))
  local why = type(reply) == 'table' and reply.err
  -- "NOPERM this user has no permissions ..", or "The user executing the script can't run this command ..".
  if why and (string.find(why, 'permission', 1, true) or string.find(why, "can't", 1, true)) then
    refused[#refused + 1] = command[1]
  end
end
return refused
