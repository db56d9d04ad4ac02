-- KEYS: meta, stream, known. ARGV: head, identity, body, channel, epoch if the topic is new, messages kept, age kept (ms),
-- time of deduplication (ms), time that numbers are kept (ms). Gives epoch, offset, 1 if it stood there already.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local max, age, window, keep = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]
local meta = redis.call('HMGET', KEYS[1], 'e', 'n')
local epoch = meta[1]
local bucket = math.floor(now / window)
local known = KEYS[3] .. bucket
if epoch then
  local at = redis.call('HGET', known, ARGV[2]) or redis.call('HGET', KEYS[3] .. (bucket - 1), ARGV[2])
  if at then return {epoch, tonumber(at), 1} end
  -- One that waited in a journal for longer than it would be known: look for it among those kept.
  local sent = tonumber(string.match(ARGV[1], '^%-?%d+'))
  if now - sent > window then
    local to = '+'
    while true do
      local page = redis.call('XREVRANGE', KEYS[2], to, '-', 'COUNT', 100)
      for _, e in ipairs(page) do
        if e[2][2] == ARGV[1] then return {epoch, tonumber(string.match(e[1], '^%d+')), 1} end
      end
      if #page < 100 then break end
      to = (tonumber(string.match(page[100][1], '^%d+')) - 1) .. '-0'
    end
  end
else
  epoch = ARGV[5]
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[1], 'e', epoch)
end
local n = redis.call('HINCRBY', KEYS[1], 'n', 1)
redis.call('XADD', KEYS[2], 'MAXLEN', max, n .. '-0', 'h', ARGV[1], 'b', ARGV[3])
redis.call('HSET', known, ARGV[2], n)
redis.call('PEXPIRE', known, 2 * window)
redis.call('PEXPIRE', KEYS[2], age)
redis.call('PEXPIRE', KEYS[1], keep)
if n % 32 == 0 then
  local old = 0
  for _, e in ipairs(redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 64)) do
    if tonumber(string.match(e[2][2], '^%-?%d+')) >= now - age then break end
    old = tonumber(string.match(e[1], '^%d+'))
  end
  if old > 0 then redis.call('XTRIM', KEYS[2], 'MINID', (old + 1) .. '-0') end
end
redis.call('PUBLISH', ARGV[4], epoch .. ' ' .. n .. ' ' .. #ARGV[1] .. ' ' .. ARGV[1] .. ARGV[3])
return {epoch, n, 0}
