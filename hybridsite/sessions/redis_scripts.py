"""What the drivers over Redis's commands share: what the server does in one step, in Lua, and who calls it.

A record is a hash: `d` its data, `v` its version, and a field `t:…` for each token. The server's own time to live ends
it. A token is a sorted set of keys, by the time until which they may have it: an entry is made before the record is
written and outlives it, so what it says is checked with the record. The two may lie on different nodes of a cluster, so
no script touches both.
"""

from __future__ import annotations

import asyncio
import random
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, ClassVar

from hybridsite.sessions.store import Conflict, Needs, Reach, Record

# What a token's entry outlives its record by, in milliseconds: the time between the two calls, and more.
_MARGIN = 60_000

_READ = """
local found = redis.call('HMGET', KEYS[1], 'd', 'v')
if not found[2] then
  if redis.call('EXISTS', KEYS[1]) == 1 then return redis.error_reply('WRONGTYPE this is no session') end
  return false
end
return {found[1], found[2], redis.call('PTTL', KEYS[1])}
"""

# What may be refused for want of memory comes first: then nothing has been changed.
_WRITE = """
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

_DELETE = """
if ARGV[1] ~= '' and redis.call('HGET', KEYS[1], 'v') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1
"""

# Gives the fields of a record that has tokens, until it is told that their entries have been prolonged.
_TOUCH = """
if redis.call('HGET', KEYS[1], 'v') ~= ARGV[1] then return 0 end
if ARGV[3] == '' and redis.call('HLEN', KEYS[1]) > 2 then return redis.call('HKEYS', KEYS[1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""

_MARK = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = now + ARGV[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not known or tonumber(known) < ends then redis.call('ZADD', KEYS[1], string.format('%.0f', ends), ARGV[1]) end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
"""

_HOLDS = "return redis.call('HEXISTS', KEYS[1], 't:' .. ARGV[1])"
_MEMBERS = "return redis.call('ZSCAN', KEYS[1], ARGV[1], 'COUNT', 250)"

_FIRST_VERSIONS = 2**52
# A record without an end was made so by somebody else.
_NO_END = 1e9
# How many of the records of a token are looked at in one go.
_AT_ONCE = 10


class ScriptedStore(ABC):
    """A store whose calls are scripts. Its drivers differ in how a script gets to the server, and bytes there."""

    reach: ClassVar[Reach] = "network"
    needs: ClassVar[Needs] = frozenset(("sockets",))

    def __init__(self, prefix: str, clock: Callable[[], float]) -> None:
        self._prefix = prefix
        self._clock = clock

    @abstractmethod
    async def _run(self, script: str, key: str, *values: bytes | str | int, again: bool = False) -> Any:
        """Runs a script with a key. One that only reads may be run `again`. Raises StoreDown."""

    @abstractmethod
    def _names(self, pattern: str) -> AsyncIterator[str]:
        """Gives the server's keys that match."""

    def _packed(self, data: bytes) -> bytes | str:
        return data

    def _unpacked(self, data: Any) -> bytes:
        assert isinstance(data, bytes)
        return data

    async def read(self, key: str) -> Record | None:
        """Gives the record, or None."""
        found = await self._run(_READ, self._place(key), again=True)
        if found is None:
            return None
        data, version, pttl = found
        return Record(self._unpacked(data), int(version), self._clock() + (_NO_END if pttl < 0 else pttl / 1000))

    async def write(
        self, key: str, data: bytes, *, expected: int | None, ttl: float, tokens: Sequence[str] = ()
    ) -> int:
        """Stores a record at the version it expects. Raises Conflict."""
        length = _milliseconds(ttl)
        version = random.randrange(1, _FIRST_VERSIONS) if expected is None else expected + 1
        for token in tokens:
            await self._run(_MARK, self._token(token), key, length + _MARGIN)
        expecting = "" if expected is None else expected
        if not await self._run(_WRITE, self._place(key), expecting, version, length, self._packed(data), *tokens):
            raise Conflict
        return version

    async def delete(self, key: str, *, expected: int | None = None) -> None:
        """Removes a record. Raises Conflict."""
        if not await self._run(_DELETE, self._place(key), "" if expected is None else expected):
            raise Conflict

    async def touch(self, key: str, *, expected: int, ttl: float) -> bool:
        """Moves the end of a record."""
        length = _milliseconds(ttl)
        done = await self._run(_TOUCH, self._place(key), expected, length, "")
        if isinstance(done, list):
            for field in map(_text, done):
                if field.startswith("t:"):
                    await self._run(_MARK, self._token(field[2:]), key, length + _MARGIN)
            done = await self._run(_TOUCH, self._place(key), expected, length, "1")
        return bool(done)

    async def find(self, token: str) -> AsyncIterator[str]:
        """Gives the keys of the records with this token."""
        cursor = "0"
        while True:
            next_cursor, page = await self._run(_MEMBERS, self._token(token), cursor, again=True)
            keys = [_text(key) for key in page[::2]]  # a score follows each
            for number in range(0, len(keys), _AT_ONCE):
                group = keys[number : number + _AT_ONCE]
                calls = (self._run(_HOLDS, self._place(key), token, again=True) for key in group)
                for key, held in zip(group, await asyncio.gather(*calls), strict=True):
                    if held:
                        yield key
            cursor = _text(next_cursor)
            if cursor == "0":
                return

    async def scan(self) -> AsyncIterator[tuple[str, Record]]:
        """Gives every record."""
        place = self._place("")
        async for name in self._names(re.sub(r"([\[\]?*\\^-])", r"\\\1", place) + "*"):
            key = name.removeprefix(place)
            record = await self.read(key)
            if record is not None:
                yield key, record

    async def sweep(self, most: int = 1000) -> int:
        """Removes nothing: the server does that by itself."""
        return 0

    def _place(self, key: str) -> str:
        return f"{self._prefix}session:{key}"

    def _token(self, token: str) -> str:
        return f"{self._prefix}token:{token}"


def _milliseconds(ttl: float) -> int:
    return max(1, int(ttl * 1000))


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
