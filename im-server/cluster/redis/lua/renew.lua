-- KEYS: leases, claims, the mark of the buried. ARGV: node, time of the lease (ms). Gives 1 if it was there, 2 if others took it
-- for dead, 0 if it is not known.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
local dead = redis.call('HDEL', KEYS[2], ARGV[1]) + redis.call('DEL', KEYS[3])
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
if dead > 0 then return 2 end
return known and 1 or 0
