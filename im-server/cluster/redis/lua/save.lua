-- KEYS: session. ARGV: its record, how long it is kept (ms), node and start that hold it. Gives 0 when others do.
local old = redis.call('GET', KEYS[1])
if old then
  local r = cjson.decode(old)
  if r.Node ~= ARGV[3] or r.Boot ~= ARGV[4] then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
