-- KEYS: epoch, building, then names of records. ARGV: the pointer. Removes them if that pointer still holds and nobody builds.
-- Returns whether it did.
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('UNLINK', unpack(KEYS, 3))
return 1
