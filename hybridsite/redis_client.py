"""Redis or Valkey by its URL: one server, one behind Sentinel, or a Cluster. Sessions and the cache connect by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import ConnectionPool, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

_SCHEMES = ("redis", "rediss", "valkey", "valkeys", "unix")
_KINDS = ("cluster", "sentinel")

MEND_URL = "use redis://host:6379/0, rediss://…, redis+sentinel://…/name or redis+cluster://…"


def connecting(url: str, *, timeout: float, connections: int) -> Callable[[], Any]:
    """Gives what makes the client for a URL. Raises ValueError, which never shows the URL: it may have a password."""
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
        raise ValueError(str(error)) from None
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
