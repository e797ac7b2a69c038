-- Puts back what tenants have used of the present day and month, where Redis has lost it: it never lowers what is there.
-- KEYS: what each has spent. ARGV: 1 the day, 2 the month, 3 when to forget it, in milliseconds since 1970, 4 now in microseconds; then
-- for each name what was used of the day and of the month.
local today, this_month = tonumber(ARGV[1]), tonumber(ARGV[2])
for place, name in ipairs(KEYS) do
  local seen, owed, was, day, day_used, month, month_used = tonumber(ARGV[4]), 0, 0, 0, 0, 0, 0
  local known = redis.call('GET', name)
  if known then seen, owed, was, day, day_used, month, month_used = struct.unpack(RECORD, known) end
  if day < today then day, day_used = today, 0 end
  if month < this_month then month, month_used = this_month, 0 end
  if day == today then day_used = math.max(day_used, tonumber(ARGV[2 * place + 3])) end
  if month == this_month then month_used = math.max(month_used, tonumber(ARGV[2 * place + 4])) end
  redis.call('SET', name, struct.pack(RECORD, seen, owed, was, day, day_used, month, month_used), 'PXAT', ARGV[3])
end
return #KEYS
