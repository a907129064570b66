"""Sessions in Redis or Valkey: one server, behind Sentinel, or a Cluster.

Each call is one script that the server runs as a whole. A call ends in bounded time; the connection of one that was
cut short is dropped, since a half-read answer would be taken for the next one's.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, ClassVar, TypeVar

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as ConnectionFault
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError, ResponseError

from hybridsite.errors import DriverError, SessionDataError
from hybridsite.redis_client import MEND_URL, connecting
from hybridsite.sessions.redis_scripts import ScriptedStore
from hybridsite.sessions.store import StoreDown

_T = TypeVar("_T")

_PAGE = 250


class RedisStore(ScriptedStore):
    """One pool a process, of `connections` at most. Each call, connecting included, ends within `timeout` seconds.

    `url` is redis://, rediss:// (TLS), unix://, the same with valkey, redis+sentinel://host:port,host:port/name/db, or
    redis+cluster://host:port,host:port.
    """

    environment: ClassVar[Mapping[str, str]] = {"url": "REDIS_URL"}

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "hybridsite:",
        connections: int = 20,
        timeout: float = 2.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        try:
            self._connect = connecting(url, timeout=timeout, connections=connections)
        except ValueError as error:
            what = "the url of the session driver redis can't be used"
            raise DriverError(what, why=str(error), mend=MEND_URL) from None
        super().__init__(prefix, clock)
        self._connections = connections
        self._timeout = timeout
        self._client: Any = None  # Redis or RedisCluster: their common face has no type

    async def open(self) -> None:
        """Makes the pool. It connects when it is first used, so that a server starts while Redis is down."""
        self._client = self._connect()
        self._turns = asyncio.Semaphore(self._connections)

    async def close(self) -> None:
        """Closes every connection."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()
            watching = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
            for sentinel in getattr(watching, "sentinels", ()):
                await sentinel.aclose()

    async def _names(self, pattern: str) -> AsyncIterator[str]:
        names = self._client.scan_iter(match=pattern, count=_PAGE)
        while (name := await self._call(lambda _: anext(names, None))) is not None:
            yield name.decode()

    async def _run(self, script: str, key: str, *values: bytes | str | int, again: bool = False) -> Any:
        """Runs a script by its hash; it is sent as a whole where the server doesn't know it yet."""

        async def act(client: Any) -> Any:
            try:
                return await client.execute_command("EVALSHA", _sha1(script), 1, key, *values)
            except NoScriptError:
                return await client.execute_command("EVAL", script, 1, key, *values)

        return await self._call(act, again=again)

    async def _call(self, act: Callable[[Any], Awaitable[_T]], *, again: bool = False) -> _T:
        """Makes a call in bounded time. Raises StoreDown.

        What only reads may be sent `again` where the connection turns out to be dead. A write may not: one that was
        done, and whose answer was lost, would meet itself as a conflict.
        """
        if self._client is None:
            raise RuntimeError("the session store is not open")
        try:
            async with asyncio.timeout(self._timeout), self._turns:
                try:
                    return await act(self._client)
                except ConnectionFault:
                    if not again:
                        raise
                    return await act(self._client)
        except TimeoutError as error:
            raise StoreDown(f"Redis did not answer in {self._timeout} s") from error
        except (RedisError, OSError) as error:
            if "READONLY" in str(error) or isinstance(error, ReadOnlyError):  # before Redis 7 only the text says so
                # It was made a replica. The name may lead elsewhere by now, and so does Sentinel.
                await self._forget_connections()
                raise StoreDown("Redis is read-only: it is failing over") from error
            if isinstance(error, ResponseError) and "WRONGTYPE" in str(error):
                raise SessionDataError(
                    "a stored session can't be read", why="another program's value has its key; it is left as it is"
                ) from error
            raise StoreDown(f"Redis can't be used: {error}") from error

    async def _forget_connections(self) -> None:
        if isinstance(self._client, Redis):
            await self._client.connection_pool.disconnect(inuse_connections=False)


_hashes: dict[str, str] = {}


def _sha1(script: str) -> str:
    if script not in _hashes:
        _hashes[script] = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
    return _hashes[script]
