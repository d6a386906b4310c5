-- The deltas of a segment from one sequence number to another, as many as fit.
-- KEYS  heads list
-- ARGV  app generation from to tag most_bytes
-- Gives {'gone'} if the segment has another generation, {'other'} if the delta before `from` has not this tag, else
-- {'deltas', delta...}: at least one, if there is one.
local app, generation, from, till, tag, most = unpack(ARGV)
from, till = tonumber(from), tonumber(till)
local text = redis.call('HGET', KEYS[1], app)
if not text then return { 'gone' } end
local head = head_of(text)
if head.generation ~= tonumber(generation) or head.sequence < till then return { 'gone' } end
if before(head, KEYS[2], from) ~= tag then return { 'other' } end
local result, bytes = { 'deltas' }, 0
for sequence = from, till - 1 do
  local delta = redis.call('LINDEX', KEYS[2], sequence - head.first)
  if not delta then return { 'gone' } end
  bytes = bytes + #delta
  if #result > 1 and bytes > tonumber(most) then break end
  result[#result + 1] = delta
end
return result
