-- What all scripts share. Times are of the server, in microseconds. Amounts are whole numbers below 2^53.
-- A bucket is a hash: `r` is what is reserved, a number is a slot with what was used in it.
local KEPT_MS = 600000

local function text(number)
  return string.format('%.0f', number)
end

local function forget_old(key, now, slot_us, slots)
  if slot_us == 0 then return end
  local oldest = math.floor(now / slot_us) - slots
  for _, field in ipairs(redis.call('HKEYS', key)) do
    local number = tonumber(field)
    if number and number < oldest then redis.call('HDEL', key, field) end
  end
end

-- Lets a bucket live as long as it can matter.
local function outlive(key, bucket, ttl)
  local width_us = bucket.slot_us * (bucket.slots + 1)
  redis.call('PEXPIRE', key, text(math.ceil((2 * width_us + ttl) / 1000) + KEPT_MS))
end

local function load_bucket(key, now, slot_us, slots)
  local bucket = { slot_us = slot_us, slots = slots, used = 0, reserved = 0, ring = {} }
  local newest = 0
  if slot_us > 0 then newest = math.floor(now / slot_us) end
  bucket.newest = newest
  local fields = redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    local value = tonumber(fields[i + 1])
    if fields[i] == 'r' then
      bucket.reserved = value
    else
      local number = tonumber(fields[i])
      -- The oldest slot, which has left the window in part, counts in full.
      if number >= newest - slots then
        bucket.used = bucket.used + value
        bucket.ring[#bucket.ring + 1] = { number, value }
      end
    end
  end
  table.sort(bucket.ring, function(a, b) return a[1] < b[1] end)
  return bucket
end

local function remaining(bucket)
  return math.max(0, bucket.limit - bucket.used - bucket.reserved)
end

-- The time until `deficit` of what was used has left the window; nil where less than that was used.
local function leaves_after(bucket, now, deficit)
  if deficit <= 0 then return 0 end
  local freed = 0
  for _, slot in ipairs(bucket.ring) do
    freed = freed + slot[2]
    if freed >= deficit then
      return math.max(0, (slot[1] + bucket.slots + 1) * bucket.slot_us - now)
    end
  end
  return nil
end

-- How a bucket refuses: 0 not at all, 1 nobody knows until when, 2 for a time, 3 for ever.
local function room(bucket, now)
  if bucket.need > bucket.limit then return 3, -1 end
  local deficit = bucket.used + bucket.reserved + bucket.need - bucket.limit
  if deficit <= 0 then return 0, -1 end
  local wait = leaves_after(bucket, now, deficit)
  if wait then return 2, wait end
  return 1, -1
end

local function reset(bucket, now)
  if bucket.slot_us == 0 then return 0 end
  local width_us = bucket.slot_us * bucket.slots
  if bucket.reserved > 0 then return width_us end
  return leaves_after(bucket, now, bucket.limit - remaining(bucket)) or width_us
end
