-- tenants.limits.fairness.Sharing, inside Redis: each tenant has a bucket of its own of the platform's capacity; what runs over is lent.
-- KEYS, after so many others: the tenant's bucket; the platform; whose buckets are filling; who is borrowing. ARGV: 6 capacity, 7 the
-- tenant's weight, 8 the tenant and its weight as bytes. Where there is room has_slot is asked, if given: it may refuse, and then nothing
-- is charged here. Levels are in cost, times in microseconds since the sharing began, by a clock of which only steps forward count; both are
-- doubles. Gives how long to wait if there is no room for the cost, how much extra there was room for, the guarantee a second.
local function ask_platform(others, now, cost, extra, total, has_slot)
  local bucket, platform, filling, borrowing = KEYS[others + 1], KEYS[others + 2], KEYS[others + 3], KEYS[others + 4]
  local capacity, weight, member = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
  total = max(total, weight)
  local unit = capacity / total / 1000000  -- what a weight of one brings in a microsecond
  local flow, depth = unit * weight, max(capacity * weight * WINDOW / total / 1000000, 1)
  local most = max(capacity * LENDING / 1000000, 4)

  -- Time passes. Owners whose buckets have become full on the way have been leaving their flow to the surplus since.
  local at, seen, surplus, reserved, virtual, weights, soonest = 0, now, most, 0, 0, 0, huge
  local state, before = call('GET', platform), 0
  if state then at, seen, surplus, reserved, virtual, weights, soonest = from_bytes('>ddddddd', state) end
  before, at = at, at + max(0, now - seen)
  surplus = surplus + unit * max(0, total - reserved) * (at - before)
  if at >= soonest then
    local full = call('ZRANGEBYSCORE', filling, '-inf', at, 'WITHSCORES', 'LIMIT', 0, POPPED)
    for place = 1, #full, 2 do
      local high, low = string.byte(full[place], 17, 18)  -- the weight with which it was reserved
      reserved = reserved - high * 256 - low
      surplus = surplus + unit * (high * 256 + low) * (at - max(before, full[place + 1]))
    end
    if #full > 0 then call('ZREMRANGEBYRANK', filling, 0, #full / 2 - 1) end
    soonest = tonumber(call('ZRANGE', filling, 0, 0, 'WITHSCORES')[2]) or huge
  end
  surplus = min(most, surplus)

  local level, drawn_at, ahead, owed, asked_at = depth, at, 0, 0, -WINDOW
  local known, wait = call('GET', bucket), nil
  if known then
    level, drawn_at, ahead, owed, asked_at = from_bytes('>ddddd', known)
    level = min(depth, level + flow * max(0, at - drawn_at))
  end
  local lacking, own, lent, keep = cost - level, min(cost, level), 0, most

  -- Where it stands among those that have asked to borrow within a window. All others are forgotten.
  if lacking > TINY then
    local gone = call('ZRANGEBYSCORE', borrowing, '-inf', at - WINDOW)
    for place = 1, #gone do
      local high, low = string.byte(gone[place], 17, 18)
      weights = weights - high * 256 - low
    end
    if #gone > 0 then call('ZREMRANGEBYRANK', borrowing, 0, #gone - 1) end
    if weights == 0 then virtual = 0 end
    if at - asked_at >= WINDOW then ahead, owed, asked_at = virtual, 0, at end
    owed = max(0, owed - flow * (at - asked_at))
    ahead = min(max(ahead, virtual - most / weight), virtual + most / weight)
    asked_at, weights = at, weights + weight * call('ZADD', borrowing, at, member)
    keep = ahead <= virtual + TINY and most / 2 or most * 3 / 4
    if surplus - lacking + TINY < (owed + lacking <= depth + TINY and 0 or keep) then
      wait = cost > depth and WINDOW or ceil((lacking - TINY) / flow)
      own, extra = 0, 0
    else
      lent = lacking
      keep = ahead + lent / weight <= virtual + lent / weights + TINY and most / 2 or most * 3 / 4
    end
  end

  if not wait and has_slot and not has_slot() then own, lent, extra = 0, 0, 0 end

  -- A lease is lent as to one who has borrowed much, so it never takes what is kept for small needs.
  if extra > 0 then
    extra = max(0, min(extra, floor(level - own + max(0, surplus - lent - keep) + TINY)))
    lent = lent + max(0, extra - level + own)
    own = min(level, own + extra)
  end
  if lent > 0 then
    surplus, owed = max(0, surplus - lent), owed + lent
    virtual, ahead = virtual + lent / weights, ahead + lent / weight
  end
  if own > 0 then
    level = level - own
    local full_at = at + (depth - level) / flow
    reserved, soonest = reserved + weight * call('ZADD', filling, full_at, member), min(soonest, full_at)
  end
  call('SET', platform, to_bytes('>ddddddd', at, now, surplus, reserved, virtual, weights, soonest))
  local ends = max((depth - level) / flow, asked_at + WINDOW - at)
  call('SET', bucket, to_bytes('>ddddd', level, at, ahead, owed, asked_at), 'PXAT', ceil((now + ends) / 1000) + 1000)
  return wait, extra, capacity * weight / total
end
