-- One step of an owner: compared with mark and dictionary, then applied as a whole.
-- KEYS  state marks receipts erased expired incomplete blocks days tombstones, the hash of each day, the list of each delta
-- ARGV  epoch block space space_is_new spool mark new_mark at until new_block block_bytes pseudonyms tag
--       days deltas incomplete receipts device replaced
--       of each day: its end of life
--       of each delta: app date place_of_the_day bytes; of each incomplete day: member app; of each receipt: field tag bytes
--       of each replaced block of the dictionary: place block_bytes; an empty device is none that is erased
-- Gives {'mark', mark}, {'dictionary', epoch, block}, {'space'} or {'applied', fresh, member of each dropped day...}.
local state, marks, receipts, erased, expired, incomplete, blocks, days, tombstones = unpack(KEYS, 1, 9)
local epoch, block, space, space_is_new, spool, mark, new_mark, at, till = unpack(ARGV, 1, 9)
local new_block, block_bytes, pseudonyms, tag = unpack(ARGV, 10, 13)
local counts = { tonumber(ARGV[14]), tonumber(ARGV[15]), tonumber(ARGV[16]), tonumber(ARGV[17]) }
local device, replaced = ARGV[18], tonumber(ARGV[19])

local found = redis.call('HGET', marks, spool)
found = found and string.sub(found, 1, 16) or ''
if found ~= mark then return { 'mark', found } end

local fresh = redis.call('EXISTS', state) == 0 and 1 or 0
local stored = redis.call('HMGET', state, 'epoch', 'block', 'space', 'ordinals', 'until')
till = math.max(tonumber(till), tonumber(stored[5] or 0))
local function done(result)
  if new_mark ~= '' then redis.call('HSET', marks, spool, new_mark .. at) end
  redis.call('HSET', state, 'revision', tag, 'until', string.format('%.0f', till))
  for i = 1, 9 do redis.call('PEXPIREAT', KEYS[i], string.format('%.0f', till)) end
  return result
end

-- What still comes of an erased owner is passed over, whatever dictionary it was made for.
if redis.call('HEXISTS', erased, '') == 1 then return done({ 'applied', fresh }) end
local now = { stored[1] or '0', stored[2] or string.rep('\0', 8) }
if now[1] ~= epoch or now[2] ~= block then return { 'dictionary', now[1], now[2] } end
-- An owner who comes, or comes again, gets a space that nobody had before.
if stored[3] and stored[3] ~= space or not stored[3] and space_is_new ~= '1' then return { 'space' } end
if not stored[3] then redis.call('HSET', state, 'space', space) end

if new_block ~= '' then
  redis.call('RPUSH', blocks, new_block .. block_bytes)
  local ordinals = tonumber(stored[4] or 0) + tonumber(pseudonyms)
  redis.call('HSET', state, 'epoch', epoch, 'block', new_block, 'ordinals', string.format('%.0f', ordinals))
  redis.call('HSETNX', state, 'since', at)
end

local function append(heads, list, app, bytes)
  local text = redis.call('HGET', heads, app)
  local head
  if text then
    head = head_of(text)
  else
    -- Its first generation is the moment: a segment that comes again is another one.
    head = { generation = tonumber(at), first = 0, sequence = 0, tag = tag, first_tag = tag, bytes = 0, first_bytes = 0,
      base = '-', pieces = 0, base_bytes = 0, timed = '1', changed_at = tonumber(at) }
    redis.call('DEL', list)
  end
  head.sequence, head.tag, head.bytes = head.sequence + 1, tag, head.bytes + #bytes
  head.changed_at = math.max(head.changed_at, tonumber(at))
  redis.call('RPUSH', list, tag .. string.format('%016.0f', head.bytes) .. bytes)
  redis.call('HSET', heads, app, text_of(head))
end

local result, next_arg = { 'applied', fresh }, 20 + counts[1]
for i = 1, counts[2] do
  local app, date, place, bytes = unpack(ARGV, next_arg, next_arg + 3)
  next_arg = next_arg + 4
  local gone_at = redis.call('HGET', expired, date .. ':' .. app)
  if gone_at and tonumber(gone_at) > tonumber(at) then
    result[#result + 1] = date .. ':' .. app
  elseif redis.call('HEXISTS', erased, app) == 0 then
    local heads, list, life = KEYS[9 + place], KEYS[9 + counts[1] + i], ARGV[19 + place]
    append(heads, list, app, bytes)
    if redis.call('SADD', days, date) == 1 then redis.call('HSET', state, 'layout', tag) end
    redis.call('PEXPIREAT', heads, life)
    redis.call('PEXPIREAT', list, life)
  end
end
for _ = 1, counts[3] do
  local member, app = unpack(ARGV, next_arg, next_arg + 1)
  next_arg = next_arg + 2
  if redis.call('HEXISTS', erased, app) == 0 then redis.call('SADD', incomplete, member) end
end
for _ = 1, counts[4] do
  local field, row_tag, bytes = unpack(ARGV, next_arg, next_arg + 2)
  next_arg = next_arg + 3
  redis.call('HSETNX', receipts, field, row_tag .. at .. ':' .. bytes)
end
-- What was compared above has not changed: the blocks are where they were read.
for _ = 1, replaced do
  redis.call('LSET', blocks, ARGV[next_arg], ARGV[next_arg + 1])
  next_arg = next_arg + 2
end
if device ~= '' then redis.call('HSET', tombstones, device, at .. ':' .. new_block) end
return done(result)
