-- KEYS: meta, stream. ARGV: an offset. Gives epoch, last, and the head of the message at the offset ('' if it is gone).
local meta = redis.call('HMGET', KEYS[1], 'e', 'n')
if not meta[1] then return {'', 0, ''} end
local e = redis.call('XRANGE', KEYS[2], ARGV[1] .. '-0', ARGV[1] .. '-0')[1]
return {meta[1], tonumber(meta[2]), e and e[2][2] or ''}
