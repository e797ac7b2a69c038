-- tenants.limits.decision.decide, inside Redis: every limit of a tenant and of one of its keys is judged; all are charged or none.
-- KEYS: what the tenant has spent; of a key with limits what it has spent; with a lease the requests in flight of each; then the
-- four of sharing.lua, which sum of weights holds, and the six of slots.lua. ARGV: 1 limits of the tenant, and behind them of the key, 2 cost, 3 extra, 4 lease, 5 what is given back; then
-- those of sharing.lua, with capacity 0 if rates are not shared; 9 the sum of all weights, 0 to have it looked up; that of slots.lua. Returns one string: VERDICT, for each subject RECORD, with a lease for each FLIGHT, and the tenant's guarantee of
-- the platform if that was asked. All numbers are whole and below 2^53, so doubles hold them exactly. There are few functions and
-- tables in it: making one costs about as much as a command.
local now, subjects = clock(), #ARGV[1] / 36
local today, cost, extra = floor(now / DAY), tonumber(ARGV[2]), tonumber(ARGV[3])
local lease, returned = ARGV[4] ~= '' and ARGV[4], ARGV[5] or ''
local refused, longest = 0, -1

-- Of several limits that refuse, the one that will go on longest is named.
local function refuse(place, wait)
  if wait > longest then refused, longest = place, wait end
end

-- The first day of a month, in days since 1970. Years begin with March, so that the day that leap years add is the last.
local function first_day(month)
  local year = floor((month - 2) / 12)
  local index = month - 2 - year * 12
  return 365 * year + floor(year / 4) - floor(year / 100) + floor(year / 400) + floor((153 * index + 2) / 5) - 719468
end

-- 30.436875 days are the mean of the 4,800 months after which the calendar repeats.
local function month_of_today()
  local month = floor((today + 719468) / 30.436875) + 2
  while first_day(month) > today do month = month - 1 end
  while first_day(month + 1) <= today do month = month + 1 end
  return month
end

-- concurrency.py: those whose leases have ended are gone, and none ends later than a fresh one would.
local in_flight = lease and function(name, slots, place)
  local latest = now + LEASE
  call('ZREMRANGEBYSCORE', name, '-inf', now)
  for _, late in ipairs(call('ZRANGEBYSCORE', name, string.format('(%.0f', latest), '+inf')) do call('ZADD', name, latest, late) end
  local taken, is_held = call('ZCARD', name), call('ZSCORE', name, lease)
  if cost > 0 and not is_held and taken >= slots then
    refuse(place, slots == 0 and huge or min(HINT, call('ZRANGE', name, 0, 0, 'WITHSCORES')[2] - now))
  end
  return taken, is_held
end

local function judge(subject)
  local place, interval, span, day_most, month_most, slots = subject * 4 - 4, from_bytes(LIMITS, ARGV[1], subject * 36 - 35)
  local seen, owed, was, day, day_used, month, month_used = 0, 0, 0, 0, 0, 0, 0
  local known, month_end, taken, is_held = call('GET', KEYS[subject]), 0, nil, nil
  if known then seen, owed, was, day, day_used, month, month_used = from_bytes(RECORD, known) end

  -- Quota that was drawn and not used goes back into the period that it came from, if that is still the one that is counted.
  for at = 1, #returned, 24 do
    local tokens, its_day, its_month = from_bytes(RETURNED, returned, at)
    if subject == 2 then its_day, its_month = from_bytes(PERIODS, returned, at + 16) end
    if its_day == day then day_used = max(0, day_used - tokens) end
    if its_month == month then month_used = max(0, month_used - tokens) end
  end

  -- rates.py: what is owed, in microseconds, carried over to the present time, interval and burst.
  if interval > 0 then
    owed = max(0, owed - max(0, now - seen))
    if was > 0 and was ~= interval then
      local rest = owed % was  -- by parts, as owed * interval may be above 2^53
      owed = (owed - rest) / was * interval + ceil(rest * interval / was)
    end
    owed, seen, was = min(owed, span), now, interval
    local wait = owed + cost * interval - span
    if cost > 0 and wait > 0 then refuse(place + 1, cost * interval > span and huge or wait) end
  end

  -- quotas.py: a period that is over counts no more; one that is more than a day ahead is not waited for.
  if day_most >= 0 then
    if day < today then
      day, day_used = today, 0
    elseif day > today and now < day * DAY - BACKSTEP then
      day = today
    end
    if cost > 0 and day_used + cost > day_most then
      refuse(place + 2, cost > day_most and huge or (day + 1) * DAY - now)
    end
  end
  if month > 0 then month_end = first_day(month + 1) end
  if month_most >= 0 then
    local is_over = today >= month_end
    if is_over or month_end - today > 28 and now < first_day(month) * DAY - BACKSTEP then
      month = month_of_today()
      month_used, month_end = is_over and 0 or month_used, first_day(month + 1)
    end
    if cost > 0 and month_used + cost > month_most then
      refuse(place + 3, cost > month_most and huge or month_end * DAY - now)
    end
  end
  local flight = slots >= 0 and lease and KEYS[subjects + subject]
  if flight then taken, is_held = in_flight(flight, slots, place + 4) end
  return {
    interval = interval, span = span, day_most = day_most, month_most = month_most, flight = flight, known = known,
    seen = seen, owed = owed, was = was, day = day, day_used = day_used, month = month, month_used = month_used,
    month_end = month_end, taken = taken, is_held = is_held,
  }
end

-- Charges so many tokens, and writes. After refusals too: a changed interval, a cut debt, a new period and the clock are as much
-- the state as what was spent. It expires when it says nothing any more; of a period a day later, as the clock may step back into it.
local function settle(place, subject, tokens)
  local owed, day, month, known = subject.owed + tokens * subject.interval, subject.day, subject.month, subject.known
  local day_used = subject.day_most < 0 and subject.day_used or subject.day_used + tokens
  local month_used = subject.month_most < 0 and subject.month_used or subject.month_used + tokens
  local record = to_bytes(RECORD, subject.seen, owed, subject.was, day, day_used, month, month_used)
  if known or tokens > 0 then
    local ends = subject.seen + owed
    if day > 0 then ends = max(ends, (day + 1) * DAY + BACKSTEP) end
    if month > 0 then ends = max(ends, subject.month_end * DAY + BACKSTEP) end
    call('SET', KEYS[place], record, 'PXAT', ceil(ends / 1000) + 1)
  end
  if tokens > 0 and subject.flight then
    call('ZADD', subject.flight, now + LEASE, lease)
    call('PEXPIREAT', subject.flight, ceil((now + LEASE) / 1000) + 1)
    subject.taken = subject.is_held and subject.taken or subject.taken + 1
  end
  return record
end

local tenant, key = judge(1), subjects == 2 and judge(2)

-- How much more a rate has room for, and of a quota only where a lease of it would be little of what is left.
if refused > 0 or cost == 0 then extra = 0 end
for place = 1, extra > 0 and subjects or 0 do
  local subject = place == 1 and tenant or key
  if subject.interval > 0 then extra = min(extra, floor((subject.span - subject.owed) / subject.interval) - cost) end
  if subject.day_most >= 0 then extra = min(extra, floor((subject.day_most - subject.day_used - cost) / EXACT)) end
  if subject.month_most >= 0 then extra = min(extra, floor((subject.month_most - subject.month_used - cost) / EXACT)) end
end
extra = max(0, extra)
local guarantee = 0
if ARGV[6] and refused == 0 and cost > 0 then
  local others, total, wait, has_slot = subjects * (lease and 2 or 1), tonumber(ARGV[9]), nil, nil
  if total == 0 then
    local sum = call('GET', KEYS[others + 5])
    total = sum and tonumber(call('GET', sum) or 0) or 0
  end
  local slot_wait, slots
  if ARGV[10] then
    has_slot = function()
      slot_wait, slots = ask_slots(others + 5, now, total)
      return not slot_wait
    end
  end
  if total <= 0 then  -- flushed, and not rebuilt yet: nobody knows whose part is how large
  elseif ARGV[6] ~= '0' then
    wait, extra, guarantee = ask_platform(others, now, cost, extra, total, has_slot)
    if wait then refuse(PLATFORM, wait) end
  else
    has_slot()
  end
  if slot_wait then
    refuse(PLATFORM_SLOTS, slot_wait)
    extra, guarantee = 0, slots
  end
end

local tokens = refused == 0 and cost > 0 and cost + extra or 0
local wait = refused == 0 and 0 or longest == huge and -1 or longest
local reply = to_bytes(VERDICT, refused, wait, now, extra) .. settle(1, tenant, tokens)
if key then reply = reply .. settle(2, key, tokens) end
for place = 1, lease and subjects or 0 do
  local subject, ends = place == 1 and tenant or key, now
  if subject.taken and subject.taken > 0 then ends = tonumber(call('ZRANGE', subject.flight, -1, -1, 'WITHSCORES')[2]) end
  reply = reply .. to_bytes(FLIGHT, subject.taken or 0, ends)
end
return ARGV[6] and reply .. to_bytes(GUARANTEE, guarantee * 1000) or reply
