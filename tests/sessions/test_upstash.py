"""The Upstash store: the contract, over HTTP in front of a real Redis, and what it does without an answer."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import redis

from hybridsite.errors import DriverError, SessionDataError
from hybridsite.sessions.store import SessionStore, StoreDown
from hybridsite.sessions.upstash import UpstashStore
from hybridsite.testing import StoreContract
from tests.sessions.servers import RedisServer, free_port
from tests.sessions.support import pass_redis_time
from tests.sessions.upstash_server import TOKEN, Server, upstash


@pytest.fixture
def server(redis_server: RedisServer) -> Iterator[Server]:
    with upstash(redis_server.url) as server:
        server.redis.flushall()
        yield server


class TestUpstashStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, server: Server, redis_server: RedisServer) -> None:
        self.url = server.url
        self.redis_url = redis_server.url

    def make_store(self) -> SessionStore:
        return UpstashStore(self.url, TOKEN)

    async def pass_time(self, seconds: float) -> None:
        pass_redis_time(self.redis_url, seconds)


def with_store(check: Callable[[UpstashStore], Awaitable[None]], url: str, token: str = TOKEN, **options: Any) -> None:
    """Runs a check with an open store."""

    async def run() -> None:
        store = UpstashStore(url, token, **options)
        await store.open()
        try:
            await check(store)
        finally:
            await store.close()

    asyncio.run(run())


async def told(store: UpstashStore) -> str:
    """Gives what a read and a write say."""
    with pytest.raises(StoreDown):
        await store.write("key", b"1", expected=None, ttl=60)
    with pytest.raises(StoreDown) as caught:
        await store.read("key")
    return str(caught.value)


def test_a_server_that_is_not_there_is_told() -> None:
    # case C5
    async def check(store: UpstashStore) -> None:
        assert "ConnectError" in await told(store)

    with_store(check, f"http://127.0.0.1:{free_port()}")


def test_a_server_that_hangs_is_told_in_time() -> None:
    # case C5
    async def check(store: UpstashStore) -> None:
        begun = time.monotonic()
        assert "did not answer in 0.2 s" in await told(store)
        assert time.monotonic() - begun < 1

    with socket.create_server(("127.0.0.1", 0)) as silent:
        with_store(check, f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2)


@pytest.mark.parametrize(
    "answer", [b"<h1>Bad Gateway</h1>", b"", b"{}", b"[]", b"null", b'{"error": "ERR max requests"}']
)
def test_what_is_no_answer_is_told_and_got_over(server: Server, answer: bytes) -> None:
    # case C5
    async def check(store: UpstashStore) -> None:
        server.trouble = answer
        await told(store)
        server.trouble = None
        await store.write("key", b"1", expected=None, ttl=60)

    with_store(check, server.url)


def test_a_wrong_token_is_told_and_not_shown(server: Server) -> None:
    async def check(store: UpstashStore) -> None:
        said = await told(store)
        assert "WRONGPASS" in said
        assert "another" not in said

    with_store(check, server.url, "another")


def test_another_program_s_value_is_told_and_left(server: Server, redis_server: RedisServer) -> None:
    # case S15
    async def check(store: UpstashStore) -> None:
        with redis.Redis.from_url(redis_server.url) as connection:
            connection.set("hybridsite:session:text", "text")
            connection.hset("hybridsite:session:hash", mapping={"d": "no base64", "v": "1"})
            connection.pexpire("hybridsite:session:hash", 60_000)
            for key in ("text", "hash"):
                with pytest.raises(SessionDataError):
                    await store.read(key)
            assert connection.hget("hybridsite:session:hash", "d") == b"no base64"

    with_store(check, server.url)


@pytest.mark.parametrize("url", ["", "secret", "redis://:secret@host", "https://", "http://host:secret"])
def test_a_url_that_is_none_is_told_without_showing_it(url: str) -> None:
    with pytest.raises(DriverError, match="url of the session driver upstash") as caught:
        UpstashStore(url, TOKEN)
    assert "secret" not in str(caught.value)
