-- KEYS: a node's open connections, when it came back (ms). ARGV: time that this is kept (ms). The node that others took for dead
-- is back: no reaper takes anything of it for the lease that has run out.
local t = redis.call('TIME')
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)), 'PX', ARGV[1])
return 1
