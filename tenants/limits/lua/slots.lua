-- tenants.limits.slots.Slots, inside Redis: who may have how many of the platform's requests in flight.
-- KEYS, after so many others: the clock and the sums; slots that are their tenants' own, and those that are lent, by their ends; who is
-- asking; who was refused within a window; by tenant how many slots it has, since which step it asks (0: it does not), when it did last, and
-- how many it is guaranteed. ARGV: 4 lease, 7 the tenant's weight, 8 the tenant and its weight as bytes, 10 capacity.
-- Times are in microseconds by a clock of which only steps forward count, all else is whole: doubles hold it exactly. A question costs
-- so many commands, whatever others hold, and about two more for each slot or asker that has ended since the last question, POPPED of each
-- kind at most. The others count for a moment longer, so less is given, never more. Gives how long to wait if there is no slot, and how many
-- the tenant is guaranteed.
local function ask_slots(others, now, total)
  local state, own_slots, lent_slots = KEYS[others + 1], KEYS[others + 2], KEYS[others + 3]
  local asking, refused, holders = KEYS[others + 4], KEYS[others + 5], KEYS[others + 6]
  local capacity, weight, tenant = tonumber(ARGV[10]), tonumber(ARGV[7]), string.sub(ARGV[8], 1, 16)
  local slot, guarantee = tenant .. ARGV[4], floor(capacity * weight / max(total, weight))

  -- Time passes. What is owed to those that ask is summed by the step since which they do: STEPS of them, and
  -- then all that came before.
  local known, at, seen, weights, before, sums = call('GET', state), now, now, 0, 0, {}
  if known then
    at, seen, weights, before = from_bytes('>dddd', known)
    sums = { from_bytes(SUMS, known, 33) }
    at = at + max(0, now - seen)
  else
    for place = 1, STEPS + 1 do sums[place] = 0 end
  end
  local step, all = floor(at / STEP), 0
  for passed = before + 1, min(step, before + STEPS) do
    local place = passed % STEPS + 1
    sums[STEPS + 1], sums[place] = sums[STEPS + 1] + sums[place], 0
  end

  local function place_of(since) return since <= step - STEPS and STEPS + 1 or since % STEPS + 1 end

  -- A tenant is taken out of the sums to be read, and put back with what is true of it now.
  local function take_out(name)
    local record = call('HGET', holders, name)
    if not record then return 0, 0, 0, 0, 0 end
    local own, lent, since, last, promised = from_bytes(HOLDER, record)
    if since > 0 then sums[place_of(since)] = sums[place_of(since)] - max(0, promised - own) end
    return own, lent, since, last, promised
  end
  local function put_back(name, own, lent, since, last, promised)
    if since > 0 then
      sums[place_of(since)] = sums[place_of(since)] + max(0, promised - own)
    elseif own + lent == 0 then
      return call('HDEL', holders, name)
    end
    call('HSET', holders, name, to_bytes(HOLDER, own, lent, since, last, promised))
  end

  for kind = 1, 2 do
    local held = kind == 1 and own_slots or lent_slots
    local ended = call('ZRANGEBYSCORE', held, '-inf', at, 'LIMIT', 0, POPPED)
    for place = 1, #ended do
      local name = string.sub(ended[place], 1, 16)
      local own, lent, since, last, promised = take_out(name)
      put_back(name, max(0, own - 2 + kind), max(0, lent + 1 - kind), since, last, promised)
    end
    if #ended > 0 then call('ZREMRANGEBYRANK', held, 0, #ended - 1) end
  end
  local gone = call('ZRANGEBYSCORE', asking, '-inf', string.format('(%.0f', at - WINDOW), 'LIMIT', 0, POPPED)
  for place = 1, #gone do
    local own, lent = take_out(gone[place])
    put_back(gone[place], own, lent, 0, 0, 0)
  end
  if #gone > 0 then call('ZREMRANGEBYRANK', asking, 0, #gone - 1) end
  gone = weights > 0 and call('ZRANGEBYSCORE', refused, '-inf', at - WINDOW, 'LIMIT', 0, POPPED) or {}
  for place = 1, #gone do
    local high, low = string.byte(gone[place], 17, 18)
    weights = weights - high * 256 - low
  end
  if #gone > 0 then call('ZREMRANGEBYRANK', refused, 0, #gone - 1) end

  -- A lease that is held is judged as if it were not, so that it takes no second slot.
  local own, lent, since, last, promised = take_out(tenant)
  local was_own = call('ZSCORE', own_slots, slot)
  local was_lent = not was_own and call('ZSCORE', lent_slots, slot)
  local owned, is_new = call('ZCARD', own_slots), not (was_own or was_lent)
  local taken = owned + call('ZCARD', lent_slots)
  local wait, is_free
  if was_own then own, owned = own - 1, owned - 1 end
  if was_lent then lent = lent - 1 end
  if not is_new then taken = taken - 1 end
  if is_new then
    since, last, promised = since > 0 and at - last <= WINDOW and since or step, at, guarantee
    call('ZADD', asking, at, tenant)
  end
  for place = 1, STEPS + 1 do all = all + sums[place] end
  if own < guarantee then
    local owed = all
    for later = max(since, step - STEPS) + 1, step do owed = owed - sums[later % STEPS + 1] end
    is_free = not is_new or taken + owed < capacity
  else
    is_free = taken + all < capacity
    local rivals = is_free and weights > 0 and weights - (call('ZSCORE', refused, ARGV[8]) and weight or 0) or 0
    if rivals > 0 then is_free = lent * (weight + rivals) < weight * (capacity - owned - all) end
  end

  if is_free and own < guarantee then
    if was_lent then call('ZREM', lent_slots, slot) end
    call('ZADD', own_slots, at + LEASE, slot)
    own = own + 1
  elseif is_free then
    if was_own then call('ZREM', own_slots, slot) end
    call('ZADD', lent_slots, at + LENT, slot)
    lent = lent + 1
  elseif is_new then
    weights, wait = weights + weight * call('ZADD', refused, at, ARGV[8]), WINDOW
  else
    own, lent = own + (was_own and 1 or 0), lent + (was_lent and 1 or 0)
  end
  put_back(tenant, own, lent, since, last, promised)
  call('SET', state, to_bytes('>dddd', at, now, weights, step) .. to_bytes(SUMS, unpack(sums, 1, STEPS + 1)))
  return wait, guarantee
end
