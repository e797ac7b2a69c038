-- KEYS: building, epoch, weights. ARGV: the builder's epoch in hex, the pointer, the name of the epoch's sum of weights.
-- Swaps only if nobody else builds and nothing was flushed meanwhile.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
redis.call('SET', KEYS[3], ARGV[3])
redis.call('DEL', KEYS[1])
return 1
