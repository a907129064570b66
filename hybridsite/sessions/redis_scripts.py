"""What the drivers over Redis's commands have the server do in one step, in Lua.

A record is a hash: `d` its data, `v` its version, and a field `t:…` for each token. The server's own time to live ends
it. A token is a sorted set of keys, by the time until which they may have it: an entry is made before the record is
written and outlives it, so what it says is checked with the record. The two may lie on different nodes of a cluster, so
no script touches both.
"""

from __future__ import annotations

from collections.abc import Mapping

# What a token's entry outlives its record by, in milliseconds: the time between the two calls, and more.
MARGIN = 60_000

READ = """
local found = redis.call('HMGET', KEYS[1], 'd', 'v')
if not found[2] then
  if redis.call('EXISTS', KEYS[1]) == 1 then return redis.error_reply('WRONGTYPE this is no session') end
  return false
end
return {found[1], found[2], redis.call('PTTL', KEYS[1])}
"""

# What may be refused for want of memory comes first: then nothing has been changed.
WRITE = """
if ARGV[1] == '' then
  if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
elseif redis.call('HGET', KEYS[1], 'v') ~= ARGV[1] then
  return 0
end
local marks = {}
if redis.call('HLEN', KEYS[1]) > 2 then
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if field ~= 'd' and field ~= 'v' then marks[#marks + 1] = field end
  end
end
redis.call('HSET', KEYS[1], 'd', ARGV[4], 'v', ARGV[2])
for _, field in ipairs(marks) do redis.call('HDEL', KEYS[1], field) end
for number = 5, #ARGV do redis.call('HSET', KEYS[1], 't:' .. ARGV[number], '') end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""

DELETE = """
if ARGV[1] ~= '' and redis.call('HGET', KEYS[1], 'v') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1
"""

# Gives the fields of a record that has tokens, until it is told that their entries have been prolonged.
TOUCH = """
if redis.call('HGET', KEYS[1], 'v') ~= ARGV[1] then return 0 end
if ARGV[3] == '' and redis.call('HLEN', KEYS[1]) > 2 then return redis.call('HKEYS', KEYS[1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""

MARK = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = now + ARGV[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not known or tonumber(known) < ends then redis.call('ZADD', KEYS[1], string.format('%.0f', ends), ARGV[1]) end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
"""

# A record without an end was made so by somebody else.
NO_END = 1e9


def milliseconds(ttl: float) -> int:
    """Gives a time to live as Redis takes it."""
    return max(1, int(ttl * 1000))


def seconds_left(pttl: int) -> float:
    """Gives what PTTL says in seconds."""
    return NO_END if pttl < 0 else pttl / 1000


def tokens_of(fields: Mapping[str, object] | list[str]) -> list[str]:
    """Gives the tokens among the fields of a record."""
    return [field[2:] for field in fields if field.startswith("t:")]
