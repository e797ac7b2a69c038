-- tenants.limits.fairness.Sharing, inside Redis: the platform's capacity, of which each tenant has a bucket of its own, and lends what runs over.
-- KEYS, after `names` others: the tenant's bucket; the platform; whose buckets are filling, and whose are borrowing; the name of the sum of weights.
-- ARGV: 6 capacity, 7 the tenant's weight, 8 the tenant and its weight as bytes, 9 the sum of all weights, 0 to have it looked up.
-- Levels are in cost, times in microseconds since the sharing began, by a clock of which only steps forward count; both are doubles.
local function open_share(names, now)
  local bucket, platform, filling, borrowing = KEYS[names + 1], KEYS[names + 2], KEYS[names + 3], KEYS[names + 4]
  local capacity, weight, member, total = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8], tonumber(ARGV[9])
  if total == 0 then
    local sum = call('GET', KEYS[names + 5])
    total = sum and tonumber(call('GET', sum) or 0) or 0
    if total == 0 then return nil end  -- flushed, and not rebuilt yet: whose part is how large is not known
  end
  total = max(total, weight)
  local unit = capacity / total / 1000000  -- what a weight of one brings in a microsecond
  local flow, depth = unit * weight, max(capacity * weight * WINDOW / total / 1000000, 1)
  local most = max(capacity * LENDING / 1000000, 4)
  local at, seen, surplus, reserved, virtual, weights, soonest = 0, now, most, 0, 0, 0, huge
  local state = call('GET', platform)
  if state then at, seen, surplus, reserved, virtual, weights, soonest = from_bytes('>ddddddd', state) end

  -- Weights are in the last two bytes of members: what was reserved with a weight is let go with the same.
  local function weight_of(who) return string.byte(who, 17) * 256 + string.byte(who, 18) end

  -- Time passes. Owners whose buckets have become full on the way have been leaving their flow to the surplus since.
  local before = at
  at = at + max(0, now - seen)
  surplus = surplus + unit * max(0, total - reserved) * (at - before)
  if at >= soonest then
    local full = call('ZRANGEBYSCORE', filling, '-inf', at, 'WITHSCORES', 'LIMIT', 0, POPPED)
    for place = 1, #full, 2 do
      local its = weight_of(full[place])
      reserved = reserved - its
      surplus = surplus + unit * its * (at - max(before, full[place + 1]))
    end
    if #full > 0 then call('ZREMRANGEBYRANK', filling, 0, #full / 2 - 1) end
    soonest = tonumber(call('ZRANGE', filling, 0, 0, 'WITHSCORES')[2]) or huge
  end
  surplus = min(most, surplus)

  local level, drawn_at, ahead, owed, asked_at = depth, at, 0, 0, -WINDOW
  local known = call('GET', bucket)
  if known then
    level, drawn_at, ahead, owed, asked_at = from_bytes('>ddddd', known)
    level = min(depth, level + flow * max(0, at - drawn_at))
  end
  local is_drawn, is_borrower = false, false

  -- Take from the tenant's own bucket, which is filling from now on.
  local function take(tokens)
    if tokens <= 0 then return end
    level, is_drawn = max(0, level - tokens), true
    local full_at = at + (depth - level) / flow
    reserved = reserved + weight * call('ZADD', filling, full_at, member)
    soonest = min(soonest, full_at)
  end

  -- Where the tenant stands among those that have asked to borrow within a window; all others are forgotten.
  local function stand()
    local gone = call('ZRANGEBYSCORE', borrowing, '-inf', at - WINDOW)
    for _, who in ipairs(gone) do weights = weights - weight_of(who) end
    if #gone > 0 then call('ZREMRANGEBYRANK', borrowing, 0, #gone - 1) end
    if weights == 0 then virtual = 0 end
    if at - asked_at >= WINDOW then ahead, owed, asked_at = virtual, 0, at end
    owed = max(0, owed - flow * (at - asked_at))
    local reach = most / weight
    ahead = min(max(ahead, virtual - reach), virtual + reach)
    asked_at, is_borrower = at, true
    weights = weights + weight * call('ZADD', borrowing, at, member)
  end

  -- How far down the surplus may be drawn by this borrower, for so much.
  local function floor_for(tokens)
    if tokens > 0 and owed + tokens <= depth + TINY then return 0 end
    return ahead <= virtual + TINY and most / 2 or most * 3 / 4
  end

  local function lend(tokens)
    surplus = max(0, surplus - tokens)
    owed = owed + tokens
    virtual = virtual + tokens / weights
    ahead = ahead + tokens / weight
  end

  local share = {guarantee = capacity * weight / total}

  -- Admits `cost` and gives nothing, or refuses it, takes nothing and gives how long to wait.
  function share.ask(cost)
    local lacking = cost - level
    if lacking <= TINY then return take(cost) end
    stand()
    if surplus - lacking + TINY < floor_for(lacking) then
      return cost > depth and WINDOW or ceil((lacking - TINY) / flow)
    end
    lend(lacking)
    take(level)
  end

  -- How much more there is for it: a lease is lent as to one who has borrowed much, so that it never takes what is kept for small needs.
  function share.room()
    return floor(level + (is_borrower and max(0, surplus - floor_for(0)) or 0) + TINY)
  end

  function share.draw(tokens)
    local lacking = max(0, tokens - level)
    if lacking > 0 and is_borrower then lend(lacking) end
    take(tokens - lacking)
  end

  function share.write()
    call('SET', platform, to_bytes('>ddddddd', at, now, surplus, reserved, virtual, weights, soonest))
    if not is_drawn and not is_borrower then return end
    local ends = max((depth - level) / flow, is_borrower and WINDOW or 0, asked_at + WINDOW - at)
    call('SET', bucket, to_bytes('>ddddd', level, at, ahead, owed, asked_at), 'PXAT', ceil((now + ends) / 1000) + 1000)
  end

  return share
end
