-- Turns parts of a ticket into use, gives the rest back at the end, and does either once.
-- KEYS: the tenant's tickets, this ticket, its buckets.
-- ARGV: ticket id, step, what to do (`keep`, `finish`, `reap`), life of a ticket in us, then for each bucket: width of a
-- slot in us (0: permits), slots, amount used.
-- A ticket that was reaped holds nothing more: what it used is counted all the same.
local now = now_us()
local id, step, what, ttl = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local tickets, ticket = KEYS[1], KEYS[2]
if what == 'reap' then
  local ends = redis.call('ZSCORE', tickets, id)
  if not ends or tonumber(ends) > now then return 0 end
elseif tonumber(redis.call('HGET', ticket, 's') or '-1') >= step then
  return 0
else
  redis.call('HSET', ticket, 's', text(step))
end
for i = 1, #KEYS - 2 do
  local key = KEYS[i + 2]
  local at = 4 + (i - 1) * 3
  local slot_us, slots, used = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local left = tonumber(redis.call('HGET', ticket, 'l' .. i) or '0')
  local given = left
  if what == 'keep' then
    if slot_us == 0 then given = 0 else given = math.min(used, left) end
  end
  if slot_us > 0 and used > 0 then
    redis.call('HINCRBY', key, text(math.floor(now / slot_us)), text(used))
  end
  if given > 0 then
    if redis.call('HINCRBY', key, 'r', text(-given)) <= 0 then redis.call('HDEL', key, 'r') end
    redis.call('HSET', ticket, 'l' .. i, text(left - given))
  end
  if what ~= 'reap' then
    forget_old(key, now, slot_us, slots)
    outlive(key, { slot_us = slot_us, slots = slots }, ttl)
  end
end
if what == 'keep' then
  redis.call('ZADD', tickets, 'XX', text(now + ttl), id)
  redis.call('PEXPIRE', ticket, text(math.ceil(ttl / 1000) + KEPT_MS))
else
  redis.call('ZREM', tickets, id)
  local fields = {}
  for i = 1, #KEYS - 2 do
    fields[#fields + 1] = 'l' .. i
    fields[#fields + 1] = 'k' .. i
  end
  if #fields > 0 then redis.call('HDEL', ticket, unpack(fields)) end
  redis.call('PEXPIRE', ticket, text(KEPT_MS))
end
return 1
