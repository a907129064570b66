"""Kept answers in Redis or Valkey, for all servers that share it. While it is down, pages are rendered; no call raises.

All that belongs together lies in one slot of a cluster. One hash has the marks, by the number of the invalidation that
set them; it also has a name of its own, which an entry notes. Were the hash evicted, the next one has another name, and
no entry from before is believed.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar

import msgspec
from redis.exceptions import NoScriptError, RedisError

from hybridsite.cache.entry import Entry
from hybridsite.cache.store import Looked
from hybridsite.redis_client import connecting

_log = logging.getLogger("hybridsite.cache")
_T = TypeVar("_T")

_PAUSE = 1.0
"""How many seconds pass during an outage before Redis is asked again."""
_CLAIM = 10_000
"""How many milliseconds nobody else makes an answer that one server is making, at most."""
_MOST_MARKS = 10_000
_MOST_OWED = 1_000

# KEYS: the entry, the marks, the claim. ARGV: a name for new marks, a token where a claim is to be made, its time.
_LOOK = """
local born, now = unpack(redis.call('HMGET', KEYS[2], 'born', 'now'))
if not born then
  born, now = ARGV[1], '0'
  redis.call('HSET', KEYS[2], 'born', born, 'now', now)
end
local data, of, since, marks = unpack(redis.call('HMGET', KEYS[1], 'd', 'b', 's', 'm'))
local left = redis.call('PTTL', KEYS[1])
if data then
  local valid = of == born
  if valid then
    for place, at in ipairs(redis.call('HMGET', KEYS[2], 'now', unpack(cmsgpack.unpack(marks)))) do
      if place > 1 and at and tonumber(at) > tonumber(since) then valid = false end
    end
  end
  if not valid then
    redis.call('DEL', KEYS[1])
    data = false
  end
end
local mine = 0
if ARGV[2] ~= '' then
  local fresh = redis.call('HGET', KEYS[1], 'f')
  if (not data or left <= tonumber(fresh)) and redis.call('SET', KEYS[3], ARGV[2], 'NX', 'PX', ARGV[3]) then
    mine = 1
  end
end
return {born, now, mine, left, data}
"""
# ARGV: name and number of the look, the marks, the entry, its times in milliseconds (all, and what is left when it
# goes stale), the token of the claim.
_KEEP = """
if redis.call('GET', KEYS[3]) == ARGV[7] then redis.call('DEL', KEYS[3]) end
if redis.call('HGET', KEYS[2], 'born') ~= ARGV[1] then return 0 end
for place, at in ipairs(redis.call('HMGET', KEYS[2], 'now', unpack(cmsgpack.unpack(ARGV[3])))) do
  if place > 1 and at and tonumber(at) > tonumber(ARGV[2]) then return 0 end
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'd', ARGV[4], 'b', ARGV[1], 's', ARGV[2], 'm', ARGV[3], 'f', ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
"""
_RELEASE = "if redis.call('GET', KEYS[3]) == ARGV[1] then redis.call('DEL', KEYS[3]) end return 1"
_DROP = "return redis.call('DEL', KEYS[1])"
# Where there are too many marks, all is invalidated at once: the next look gives the hash another name.
_INVALIDATE = """
if redis.call('EXISTS', KEYS[2]) == 0 then return 1 end
local now = redis.call('HINCRBY', KEYS[2], 'now', 1)
for _, mark in ipairs(cmsgpack.unpack(ARGV[1])) do redis.call('HSET', KEYS[2], mark, now) end
if redis.call('HLEN', KEYS[2]) > tonumber(ARGV[2]) then redis.call('DEL', KEYS[2]) end
return 1
"""
_EVERYTHING = "return redis.call('DEL', KEYS[2])"
# KEYS: the notes. ARGV: their time in milliseconds, and their texts.
_NOTE = "for place, key in ipairs(KEYS) do redis.call('SET', key, ARGV[place + 1], 'PX', ARGV[1]) end return 1"
_NOTED = "return redis.call('MGET', unpack(KEYS))"


class _Since(NamedTuple):
    born: bytes
    now: bytes
    token: bytes


class RedisStore:
    """One pool a process, of `connections` at most. A call ends within `timeout` seconds."""

    environment: ClassVar[Mapping[str, str]] = {"url": "REDIS_URL"}

    def __init__(
        self, url: str, *, prefix: str = "hybridsite:cache:", connections: int = 20, timeout: float = 0.5
    ) -> None:
        """Raises ValueError for a URL that is none."""
        self._connect = connecting(url, timeout=timeout, connections=connections)
        self._prefix = f"{prefix}{{pages}}:"
        self._connections = connections
        self._timeout = timeout
        self._client: Any = None
        self._down_since: float | None = None
        self._ask_again = 0.0
        self._owed: set[str] | None = set()  # marks that could not be sent; None for all there are

    async def open(self) -> None:
        """Makes the pool, which connects when it is first used."""
        self._client = self._connect()
        self._turns = asyncio.Semaphore(self._connections)

    async def close(self) -> None:
        """Closes every connection."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def look(self, key: str, *, claim: bool) -> Looked:
        """Looks an entry up."""
        if self._owed is None or self._owed:
            await self._pay()
        token = secrets.token_hex(8).encode() if claim else b""
        found = await self._run(_LOOK, key, secrets.token_hex(8), token, _CLAIM)
        if found is None:
            return Looked(None, 0.0, claim, None, None)
        born, now, mine, left, data = found
        since, moment = _Since(born, now, token), (born, now)
        if data is None or self._owed is None or self._owed:
            return Looked(None, 0.0, bool(mine), since, moment)
        try:
            entry = msgspec.msgpack.decode(data, type=Entry)
        except (msgspec.DecodeError, msgspec.ValidationError):  # of another version of hybridsite
            await self.drop(key)
            return Looked(None, 0.0, claim, since, moment)
        return Looked(entry, max(0.0, entry.lifetime - left / 1000), bool(mine), since, moment)

    async def keep(self, key: str, entry: Entry, since: object) -> bool:
        """Keeps an entry, unless it was invalidated meanwhile, or Redis didn't answer when it was looked up."""
        if not isinstance(since, _Since):
            return False
        marks = msgspec.msgpack.encode(entry.marks)
        times = (max(1, int(entry.lifetime * 1000)), int(entry.swr * 1000))
        data = msgspec.msgpack.encode(entry)
        return bool(await self._run(_KEEP, key, since.born, since.now, marks, data, *times, since.token))

    async def release(self, key: str, since: object) -> None:
        """Ends a claim of which nothing came."""
        if isinstance(since, _Since) and since.token:
            await self._run(_RELEASE, key, since.token)

    async def drop(self, key: str) -> None:
        """Forgets an entry."""
        await self._run(_DROP, key)

    async def invalidate(self, marks: Sequence[str]) -> None:
        """Invalidates marks. While Redis doesn't answer they are remembered, and sent before it is believed again."""
        if self._owed is not None:
            self._owed.update(marks)
            if len(self._owed) > _MOST_OWED:
                self._owed = None
        await self._pay()

    async def note(self, notes: Mapping[str, bytes], lifetime: float) -> None:
        """Keeps notes, each under a key of its own."""
        await self._eval(_NOTE, self._note_keys(notes), max(1, int(lifetime * 1000)), *notes.values())

    async def noted(self, names: Sequence[str]) -> dict[str, bytes]:
        """Gives those of some notes that are there: none while Redis doesn't answer."""
        found = await self._eval(_NOTED, self._note_keys(names))
        return {name: text for name, text in zip(names, found or (), strict=False) if text is not None}

    def _note_keys(self, names: Iterable[str]) -> list[str]:
        return [f"{self._prefix}n:{hashlib.sha256(name.encode()).hexdigest()}" for name in names]

    async def _pay(self) -> None:
        """Sends the marks that are owed. What is added meanwhile stays owed."""
        if self._owed is None:
            if await self._run(_EVERYTHING, "") is not None:
                self._owed = set()
            return
        sending = frozenset(self._owed)
        done = await self._run(_INVALIDATE, "", msgspec.msgpack.encode(sorted(sending)), _MOST_MARKS) is not None
        if done and self._owed is not None:
            self._owed -= sending
        elif self._owed is not None:
            self._owed |= sending  # another call may have sent it before this one was made

    async def _run(self, script: str, key: str, *values: bytes | str | int) -> Any:
        """Runs a script on what belongs to the key of an entry. None where Redis does not answer."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        keys = (f"{self._prefix}e:{digest}", f"{self._prefix}marks", f"{self._prefix}c:{digest}")
        return await self._eval(script, keys, *values)

    async def _eval(self, script: str, keys: Sequence[str], *values: bytes | str | int) -> Any:
        """Runs a script, by its hash where the server knows it. None where Redis does not answer."""

        async def act(client: Any) -> Any:
            try:
                return await client.execute_command("EVALSHA", _sha1(script), len(keys), *keys, *values)
            except NoScriptError:
                return await client.execute_command("EVAL", script, len(keys), *keys, *values)

        return await self._answer(act)

    async def _answer(self, act: Callable[[Any], Awaitable[_T]]) -> _T | None:
        """Makes a call in bounded time. During an outage one caller a second asks, and nobody else waits."""
        if self._down_since is not None:
            if time.monotonic() < self._ask_again:
                return None
            self._ask_again = time.monotonic() + _PAUSE + self._timeout
        try:
            async with asyncio.timeout(self._timeout), self._turns:
                result = await act(self._client)
        except (TimeoutError, RedisError, OSError) as error:
            if self._down_since is None:
                self._down_since = time.monotonic()
                told = " ".join(str(error).split()) or f"no answer in {self._timeout} s"
                _log.error("the cache can't be used, and every page is rendered: %s: %s", type(error).__name__, told)
            self._ask_again = time.monotonic() + _PAUSE
            return None
        if self._down_since is not None:
            _log.warning("the cache is back after %.1f s", time.monotonic() - self._down_since)
            self._down_since = None
        return result


def _sha1(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
