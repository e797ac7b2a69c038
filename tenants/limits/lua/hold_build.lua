-- KEYS: building. ARGV: the builder's epoch in hex, seconds. Prolongs the builder's hold if it still has it.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('EXPIRE', KEYS[1], ARGV[2])
