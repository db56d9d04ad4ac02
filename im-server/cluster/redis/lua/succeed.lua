-- KEYS: leases, claims, the mark of the buried. ARGV: node, time of a claim (ms). Ends the lease of a node that is no more, and
-- claims it. Gives the end of its lease (ms); nothing if it is not known.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local till = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not till then return redis.call('GET', KEYS[3]) end
if tonumber(till) > now then
  till = string.format('%.0f', now)
  redis.call('ZADD', KEYS[1], till, ARGV[1])
end
if tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0') <= now then
  redis.call('HSET', KEYS[2], ARGV[1], now + tonumber(ARGV[2]))
end
return till
