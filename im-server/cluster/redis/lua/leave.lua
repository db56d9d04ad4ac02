-- KEYS: presence of a user. ARGV: connection, channel.
if redis.call('HDEL', KEYS[1], ARGV[1]) == 1 and redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('PUBLISH', ARGV[2], '0')
end
return 0
