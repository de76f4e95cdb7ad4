-- Says that a replica is alive, and how many are.
-- KEYS: the replicas. ARGV: this replica, for how long it counts in us.
local now, life = now_us(), tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], text(now + life), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now))
redis.call('PEXPIRE', KEYS[1], text(math.ceil(life / 1000)))
return redis.call('ZCARD', KEYS[1])
