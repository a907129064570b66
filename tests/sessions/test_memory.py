"""The memory store."""

from __future__ import annotations

import asyncio

import pytest

from hybridsite.sessions.memory import MemoryStore
from hybridsite.sessions.store import SessionStore
from hybridsite.testing import StoreContract
from tests.sessions.support import Clock


class TestMemoryStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _clock(self) -> None:
        self.clock = Clock()

    def make_store(self) -> SessionStore:
        return MemoryStore(clock=self.clock)

    async def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds

    def test_it_forgets_when_it_is_closed(self) -> None:
        async def check() -> None:
            store = self.make_store()
            await store.write("key", b"1", expected=None, ttl=1)
            await store.close()
            assert await store.read("key") is None

        asyncio.run(check())

    def test_what_has_expired_is_removed_though_nobody_asks_for_it(self) -> None:
        async def check() -> None:
            store = MemoryStore(clock=self.clock)
            await store.write("kept", b"1", expected=None, ttl=1_000_000)
            for number in range(10_000):
                self.clock.now += 1
                await store.write(str(number), b"1", expected=None, ttl=60)
            assert len(store._records) < 1100
            assert await store.read("kept") is not None
            assert await store.read("9999") is not None

        asyncio.run(check())
