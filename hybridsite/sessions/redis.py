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
from urllib.parse import urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import ConnectionPool, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionFault
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError, ResponseError

from hybridsite.errors import DriverError, SessionDataError
from hybridsite.sessions.redis_scripts import ScriptedStore
from hybridsite.sessions.store import StoreDown

_T = TypeVar("_T")

_SCHEMES = ("redis", "rediss", "valkey", "valkeys", "unix")
_KINDS = ("cluster", "sentinel")
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
        self._connect = _connecting(url, timeout=timeout, connections=connections)
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


def _connecting(url: str, *, timeout: float, connections: int) -> Callable[[], Any]:
    """Gives what makes the client for a URL. Raises DriverError, which never shows the URL: it may have a password."""
    try:
        parts = urlsplit(url)
        scheme, _, kind = parts.scheme.partition("+")
        if scheme not in _SCHEMES or (kind and (kind not in _KINDS or scheme == "unix")):
            raise ValueError(f"its scheme is {parts.scheme!r}")
        scheme = scheme.replace("valkey", "redis")
        user, at, hosts = parts.netloc.rpartition("@")
        nodes = [_host_and_port(host, 26379 if kind == "sentinel" else 6379) for host in hosts.split(",")]
        path, service = parts.path, ""
        if kind == "sentinel":
            service, _, path = path.strip("/").partition("/")
            if not service:
                raise ValueError("it lacks the name of the service: redis+sentinel://host:port/name/0")
        # The rest is read by the client's own rules; it takes one host alone.
        host = "localhost" if kind else hosts
        options: dict[str, Any] = dict(
            parse_url(f"{scheme}://{user}{at}{host}{path and '/' + path.lstrip('/')}?{parts.query}")
        )
    except (ValueError, TypeError) as error:
        mend = "use redis://host:6379/0, rediss://…, redis+sentinel://…/name or redis+cluster://…"
        raise DriverError("the url of the session driver redis can't be used", why=str(error), mend=mend) from None
    options |= {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
        # By the newer protocol the client would no longer look whether a connection has something unread.
        "protocol": 2,
        "decode_responses": False,
    }
    if not kind:
        return lambda: Redis.from_pool(ConnectionPool(max_connections=connections, **options))
    for own in ("host", "port"):
        options.pop(own, None)
    options["ssl"] = options.pop("connection_class", None) is SSLConnection
    if kind == "cluster":
        options.pop("db", None)
        return lambda: RedisCluster(
            startup_nodes=[ClusterNode(*node) for node in nodes], max_connections=connections, **options
        )
    watching = {"socket_timeout": timeout, "socket_connect_timeout": timeout, "retry": Retry(NoBackoff(), 0)}
    made: Any = Sentinel  # it has no types
    return lambda: made(nodes, sentinel_kwargs=watching).master_for(service, max_connections=connections, **options)


def _host_and_port(host: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{host}")
    return parts.hostname or "localhost", parts.port or port
