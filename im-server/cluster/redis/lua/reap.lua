-- KEYS: leases, claims. ARGV: the node that asks, time of a claim (ms), end of a lease to begin at (ms). Gives node, end of its lease (ms) of each.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local out = {}
for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[3], now, 'LIMIT', 0, 64)) do
  local claim = tonumber(redis.call('HGET', KEYS[2], node) or '0')
  if node ~= ARGV[1] and claim <= now then
    redis.call('HSET', KEYS[2], node, now + tonumber(ARGV[2]))
    out[#out + 1] = node
    out[#out + 1] = redis.call('ZSCORE', KEYS[1], node)
  end
end
return out
