-- Says that tickets are alive, and which of the tenant's are not.
-- KEYS: the tenant's tickets, then tickets of this process.
-- ARGV: life of a ticket in us, how many expired ones are wanted, then the ids of the tickets.
-- Answers the ids of expired tickets.
local now = now_us()
local ttl, wanted = tonumber(ARGV[1]), ARGV[2]
for i = 2, #KEYS do
  redis.call('ZADD', KEYS[1], 'XX', text(now + ttl), ARGV[i + 1])
  redis.call('PEXPIRE', KEYS[i], text(math.ceil(ttl / 1000) + KEPT_MS))
end
redis.call('PEXPIRE', KEYS[1], text(math.ceil(ttl / 1000) + KEPT_MS))
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now), 'LIMIT', '0', wanted)
