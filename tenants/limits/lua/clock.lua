-- Microseconds since 1970 by the clock of Redis. No caller's clock counts.
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end
