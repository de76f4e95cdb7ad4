-- Takes room in every bucket, or in none.
-- KEYS: the buckets, then the tenant's tickets, then this ticket.
-- ARGV: ticket id, life of a ticket in us, then for each bucket: width of a slot in us (0: permits), slots, limit, need.
-- Answers: 0, then remaining and reset in us for each bucket; or the rank of the refusal, the bucket's position,
-- remaining, wait in us (-1: nobody knows), reset in us.
local now = now_us()
local id, ttl = ARGV[1], tonumber(ARGV[2])
local count = #KEYS - 2
local tickets, ticket = KEYS[#KEYS - 1], KEYS[#KEYS]
if redis.call('EXISTS', ticket) == 1 then
  return redis.error_reply('GWTICKET the ticket exists')
end
local buckets, worst = {}, { rank = 0, wait = -1 }
for i = 1, count do
  local at = 2 + (i - 1) * 4
  local bucket = load_bucket(KEYS[i], now, tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]))
  bucket.limit, bucket.need = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  buckets[i] = bucket
  local rank, wait = room(bucket, now)
  if rank > worst.rank or (rank == worst.rank and wait > worst.wait) then
    worst = { rank = rank, wait = wait, at = i }
  end
end
if worst.rank > 0 then
  local bucket = buckets[worst.at]
  local wait = worst.wait
  if worst.rank ~= 2 then wait = -1 end
  return { text(worst.rank), text(worst.at - 1), text(remaining(bucket)), text(wait), text(reset(bucket, now)) }
end
local answer = { '0' }
local fields = { 's', '0' }
for i = 1, count do
  local bucket = buckets[i]
  if bucket.need > 0 then redis.call('HINCRBY', KEYS[i], 'r', text(bucket.need)) end
  bucket.reserved = bucket.reserved + bucket.need
  outlive(KEYS[i], bucket, ttl)
  fields[#fields + 1] = 'l' .. i
  fields[#fields + 1] = text(bucket.need)
  fields[#fields + 1] = 'k' .. i
  fields[#fields + 1] = KEYS[i]
  answer[#answer + 1] = text(remaining(bucket))
  answer[#answer + 1] = text(reset(bucket, now))
end
redis.call('HSET', ticket, unpack(fields))
redis.call('PEXPIRE', ticket, text(math.ceil(ttl / 1000) + KEPT_MS))
redis.call('ZADD', tickets, text(now + ttl), id)
redis.call('PEXPIRE', tickets, text(math.ceil(ttl / 1000) + KEPT_MS))
return answer
