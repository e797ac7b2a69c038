-- Ends a request in flight. KEYS: the requests in flight of its tenant and of its key. ARGV: its lease.
-- Returns how many it was found in.
local found = 0
for _, flight in ipairs(KEYS) do found = found + redis.call('ZREM', flight, ARGV[1]) end
return found
