-- Stands before every script that reads or writes the state of a segment: one field of the hash of its day.
-- "generation first sequence tag first_tag bytes first_bytes base pieces base_bytes timed changed_at"
--   first       the sequence number of the oldest delta that is kept; what was before it is in the base
--   tag         that of the newest delta; first_tag that of the delta before `first`
--   bytes       of all deltas there ever were; first_bytes of those before `first`
--   base        the name of the base, "-" for none
-- A delta in its list is 16 characters of tag, 16 digits of `bytes` with it, and its blob: none if it was set aside.
local function head_of(text)
  local word = string.gmatch(text, '%S+')
  local head = { generation = tonumber(word()), first = tonumber(word()), sequence = tonumber(word()) }
  head.tag, head.first_tag = word(), word()
  head.bytes, head.first_bytes = tonumber(word()), tonumber(word())
  head.base, head.pieces, head.base_bytes = word(), tonumber(word()), tonumber(word())
  head.timed, head.changed_at = word(), tonumber(word())
  return head
end

local function text_of(head)
  return string.format('%.0f %.0f %.0f %s %s %.0f %.0f %s %.0f %.0f %s %.0f', head.generation, head.first,
    head.sequence, head.tag, head.first_tag, head.bytes, head.first_bytes, head.base, head.pieces, head.base_bytes,
    head.timed, head.changed_at)
end

-- The tag of the delta before a sequence number, and the bytes of all deltas before it; nil if it is not known any more.
local function before(head, list, sequence)
  if sequence == head.sequence then return head.tag, head.bytes end
  if sequence == head.first then return head.first_tag, head.first_bytes end
  if sequence < head.first or sequence > head.sequence then return nil end
  local delta = redis.call('LINDEX', list, sequence - head.first - 1)
  if not delta then return nil end
  return string.sub(delta, 1, 16), tonumber(string.sub(delta, 17, 32))
end
