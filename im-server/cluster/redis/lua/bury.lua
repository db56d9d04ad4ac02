-- KEYS: leases, claims, the mark of the buried. ARGV: node, time that the mark is kept (ms); 0: only ask. Gives 0 if it lives.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local till = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not till or tonumber(till) > now then return 0 end
if ARGV[2] ~= '0' then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[2], ARGV[1])
  redis.call('SET', KEYS[3], till, 'PX', ARGV[2])
end
return 1
