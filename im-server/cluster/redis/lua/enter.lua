-- KEYS: presence of a user. ARGV: connection, device, channel.
local was = redis.call('HLEN', KEYS[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if was == 0 then redis.call('PUBLISH', ARGV[3], '1') end
return was
