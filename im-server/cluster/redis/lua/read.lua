-- KEYS: meta, stream. ARGV: id to begin with, limit, age kept (ms). Gives epoch, last, first, then offset, head, body of each.
local meta = redis.call('HMGET', KEYS[1], 'e', 'n')
if not meta[1] then return {'', 0, 1} end
local t = redis.call('TIME')
local oldest = t[1] * 1000 + math.floor(t[2] / 1000) - tonumber(ARGV[3])
local n = tonumber(meta[2])
local first = n + 1
while true do
  local old = 0
  local page = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 16)
  for _, e in ipairs(page) do
    if tonumber(string.match(e[2][2], '^%-?%d+')) >= oldest then
      first = tonumber(string.match(e[1], '^%d+'))
      break
    end
    old = tonumber(string.match(e[1], '^%d+'))
  end
  if old > 0 then redis.call('XTRIM', KEYS[2], 'MINID', (old + 1) .. '-0') end
  if #page == 0 or first <= n then break end
end
local out = {meta[1], n, first}
if tonumber(ARGV[2]) > 0 then
  for _, e in ipairs(redis.call('XRANGE', KEYS[2], ARGV[1], '+', 'COUNT', ARGV[2])) do
    out[#out + 1] = tonumber(string.match(e[1], '^%d+'))
    out[#out + 1] = e[2][2]
    out[#out + 1] = e[2][4]
  end
end
return out
