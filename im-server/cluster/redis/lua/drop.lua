-- KEYS: session. ARGV: node and start that forget it. Does nothing when others hold it.
local old = redis.call('GET', KEYS[1])
if not old then return 0 end
local r = cjson.decode(old)
if r.Node ~= ARGV[1] or r.Boot ~= ARGV[2] then return 0 end
return redis.call('DEL', KEYS[1])
