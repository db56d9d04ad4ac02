-- KEYS: meta. ARGV: the epoch that is over, the next one. What is kept stays, under the next one.
if redis.call('HGET', KEYS[1], 'e') == ARGV[1] then redis.call('HSET', KEYS[1], 'e', ARGV[2]) end
return 0
