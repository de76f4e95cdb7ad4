-- Says that tickets are alive, with the buckets that they are on, and which of the tenant's tickets are not.
-- KEYS: the tenant's tickets, then tickets of this process, then their buckets.
-- ARGV: life of a ticket in us, how many expired ones are wanted, then the ids of the tickets.
-- Answers the ids of expired tickets.
local now = now_us()
local ttl, wanted = tonumber(ARGV[1]), ARGV[2]
local kept_ms = text(math.ceil(ttl / 1000) + KEPT_MS)
local tickets = #ARGV - 2
for i = 2, tickets + 1 do
  redis.call('ZADD', KEYS[1], 'XX', text(now + ttl), ARGV[i + 1])
  redis.call('PEXPIRE', KEYS[i], kept_ms)
end
for i = tickets + 2, #KEYS do
  -- What it holds in reserve must not be forgotten before it, and what was used not earlier than without it.
  redis.call('PEXPIRE', KEYS[i], kept_ms, 'GT')
end
redis.call('PEXPIRE', KEYS[1], kept_ms)
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now), 'LIMIT', '0', wanted)
