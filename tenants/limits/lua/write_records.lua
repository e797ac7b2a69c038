-- KEYS: the sum of weights of an epoch, then names of its records. ARGV: the channel, seconds that a gone one is kept, then a record
-- for each name. Keeps a record whose stamp is higher than the new one's; tells the names that were written, and keeps the sum true.
-- Returns how many.
local function stamp(text)
  local number = 0
  for place = 1, STAMP_BYTES do number = number * 256 + (string.byte(text, place) or 0) end
  return number
end

-- What a record adds to the sum: the weight of a tenant that is served, else nothing.
local function weight(name, record)
  if string.sub(name, KIND_AT, KIND_AT) ~= TENANT or string.byte(record, STANDING_AT) ~= SERVED then return 0 end
  local high, low = string.byte(record, WEIGHT_AT, WEIGHT_AT + 1)
  return high * 256 + low
end

local written, more = 0, 0
for place = 2, #KEYS do
  local name, record = KEYS[place], ARGV[place + 1]
  local known = redis.call('GETRANGE', name, 0, WEIGHT_AT)
  if known == '' or stamp(known) <= stamp(record) then
    more = more + weight(name, record) - weight(name, known)
    if #record == STANDING_AT then
      redis.call('SET', name, record, 'EX', ARGV[2])
    else
      redis.call('SET', name, record)
    end
    if ARGV[1] ~= '' then redis.call('PUBLISH', ARGV[1], name) end
    written = written + 1
  end
end
if more ~= 0 then redis.call('INCRBY', KEYS[1], more) end
return written
