"""The driver over py-key-value-aio: the contract, over its store for Redis, and what it says where none can be used."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
import redis

from hybridsite.errors import DriverError, SessionDataError
from hybridsite.sessions.drivers import create_store
from hybridsite.sessions.key_value import KeyValueStore
from hybridsite.sessions.store import SessionStore, StoreDown
from hybridsite.testing import StoreContract
from tests.sessions.servers import RedisServer, free_port
from tests.sessions.support import Clock

REDIS = "key_value.aio.stores.redis:RedisStore"


class TestKeyValueStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.clock = Clock()
        self.url = redis_server.url
        with redis.Redis.from_url(self.url) as connection:
            connection.flushall()

    def make_store(self) -> SessionStore:
        return KeyValueStore(REDIS, clock=self.clock, url=self.url)

    async def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds

    def test_the_store_ends_records_and_tokens_by_itself(self) -> None:
        async def check(store: SessionStore) -> None:
            await store.write("key", b"1", expected=None, ttl=60, tokens=["ada"])
            with redis.Redis.from_url(self.url) as connection:
                ends: list[Any] = [connection.ttl(key) for key in connection.scan_iter()]
            assert len(ends) == 2
            assert all(0 < end <= 121 for end in ends)

        self.with_store(check)

    def test_another_program_s_value_is_told_and_left(self) -> None:
        # case S15
        async def check(store: SessionStore) -> None:
            assert isinstance(store, KeyValueStore)
            for value in ({}, {"data": "no base64", "version": 1, "expires": 1, "tokens": []}):
                await store._store.put("key", value, collection="hybridsite-sessions")
                with pytest.raises(SessionDataError):
                    await store.read("key")
                with pytest.raises(SessionDataError):
                    await store.write("key", b"", expected=None, ttl=60)
                assert await store._store.get("key", collection="hybridsite-sessions") == value

        self.with_store(check)


class Slow:
    """A store that never answers, and can't list."""

    async def get(self, key: str, *, collection: str) -> None:
        await asyncio.Event().wait()

    put = delete = get


def test_a_store_that_does_not_answer_is_told_in_time() -> None:
    # case C5
    async def check() -> None:
        for store in (
            KeyValueStore(f"{__name__}:Slow", timeout=0.1),
            KeyValueStore(REDIS, timeout=0.3, url=f"redis://127.0.0.1:{free_port()}"),
        ):
            await store.open()
            begun = time.monotonic()
            with pytest.raises(StoreDown):
                await store.read("key")
            with pytest.raises(StoreDown):
                await store.write("key", b"", expected=None, ttl=60)
            assert time.monotonic() - begun < 2
            await store.close()

    asyncio.run(check())


def test_a_store_that_can_not_list_says_so() -> None:
    async def check() -> None:
        store = KeyValueStore(f"{__name__}:Slow")
        await store.open()
        with pytest.raises(DriverError, match="can't list"):
            await anext(aiter(store.scan()))

    asyncio.run(check())


@pytest.mark.parametrize(
    ("name", "why"),
    [("no_such:Store", "no_such"), ("", ""), ("os:sep", "lacks get, put, delete"), (f"{__name__}:Gone", "Gone")],
)
def test_what_is_no_store_is_told(name: str, why: str) -> None:
    with pytest.raises(DriverError, match="of the driver key-value") as caught:
        KeyValueStore(name)
    assert why in str(caught.value)


def test_options_go_to_the_store(tmp_path: Any) -> None:
    async def check() -> None:
        store = create_store("key-value", {"store": REDIS, "no_such_option": 1}, state=tmp_path)
        with pytest.raises(DriverError, match="no_such_option"):
            await store.open()

    asyncio.run(check())
    with pytest.raises(DriverError, match="store"):
        create_store("key-value", {}, state=tmp_path)
