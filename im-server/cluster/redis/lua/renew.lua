-- KEYS: leases, claims, the mark of the buried. ARGV: node, time of the lease (ms). Gives 1 if it was there, 2 if others took it
-- for dead (until claim and mark are gone), 0 if it is not known; the end of the lease (ms); and that of the one before, if
-- others took it for dead.
local t = redis.call('TIME')
local till = t[1] * 1000 + math.floor(t[2] / 1000) + tonumber(ARGV[2])
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
local mark = redis.call('GET', KEYS[3])
redis.call('ZADD', KEYS[1], till, ARGV[1])
local dead = mark or redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 and known
return {dead and '2' or known and '1' or '0', string.format('%.0f', till), dead or '0'}
