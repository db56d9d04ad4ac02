-- KEYS: inbox of a user, meta of the user's topic. ARGV: device, epoch, offset, time that it is kept (ms).
for _, field in ipairs({'d' .. ARGV[1], '*'}) do
  local was = redis.call('HGET', KEYS[1], field)
  local epoch, offset = string.match(was or '', '^(%S*) (%d+)$')
  if epoch ~= ARGV[2] or tonumber(offset) < tonumber(ARGV[3]) then
    redis.call('HSET', KEYS[1], field, ARGV[2] .. ' ' .. ARGV[3])
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 0
