-- Ends a request in flight. KEYS: the platform's slots that are tenants' own, and those that are lent; the requests in flight of its tenant
-- and of its key. ARGV: its lease, the tenant as bytes and its lease. Returns how many it was found in. The next question clears away a
-- slot that has ended, and counts; until then it is kept as one that ended long ago.
local found = 0
for place = 1, 2 do found = found + redis.call('ZADD', KEYS[place], 'XX', 'CH', 0, ARGV[2]) end
for place = 3, #KEYS do found = found + redis.call('ZREM', KEYS[place], ARGV[1]) end
return found
