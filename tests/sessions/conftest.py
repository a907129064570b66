"""Fixtures that start the real servers, once for each process of tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.sessions.servers import PostgresServer, RedisServer, SentinelServer, binary


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A redis-server that tests share: they have to begin with `FLUSHALL`, and to leave it running."""
    if binary("redis-server") is None:
        pytest.skip("there is no redis-server: apt-get install redis-server")
    server = RedisServer()
    yield server
    server.end()


@pytest.fixture
def start_redis() -> Iterator[Callable[..., RedisServer]]:
    """Starts a redis-server for one test, to be killed, stopped or filled."""
    if binary("redis-server") is None:
        pytest.skip("there is no redis-server: apt-get install redis-server")
    with ExitStack() as stack:

        def start(*options: str) -> RedisServer:
            server = RedisServer(*options)
            stack.callback(server.end)
            return server

        yield start


@pytest.fixture
def start_sentinel() -> Iterator[Callable[[RedisServer], SentinelServer]]:
    """Starts a Sentinel for a master."""
    with ExitStack() as stack:

        def start(master: RedisServer) -> SentinelServer:
            server = SentinelServer(master)
            stack.callback(server.end)
            return server

        yield start


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL that tests share."""
    if binary("postgres") is None or binary("initdb") is None:
        pytest.skip("there is no PostgreSQL: apt-get install postgresql")
    server = PostgresServer()
    yield server
    server.end()
