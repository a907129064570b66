"""A store that is watched does what the store does, and tells of each call its name alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest

from hybridsite.sessions.outage import Budget, GuardedStore
from hybridsite.sessions.sqlite import SqliteStore
from hybridsite.sessions.store import SessionStore
from hybridsite.sessions.watched import WatchedStore
from hybridsite.testing import StoreContract


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    yield


class TestWatchedStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make_store(self) -> SessionStore:
        return cast(SessionStore, WatchedStore(SqliteStore(self.folder / "sessions.db"), _quiet))


def test_a_guard_keeps_the_fast_ways_of_a_store_that_is_watched_and_watches_it_once(tmp_path: Path) -> None:
    calls: list[str] = []

    @contextmanager
    def around(name: str) -> Iterator[None]:
        calls.append(name)
        yield

    async def check() -> None:
        store = SqliteStore(tmp_path / "sessions.db")
        guard = GuardedStore(store)
        guard.watch(around)
        guard.watch(around)
        assert guard.reach == store.reach
        assert guard._by_turns == GuardedStore(store)._by_turns
        assert (guard._read_at_once is None) == (GuardedStore(store)._read_at_once is None)
        await guard.open()
        await guard.write("key", b"1", Budget(), expected=None, ttl=60)
        record = await guard.read("key", Budget())
        assert record is not None
        assert record.data == b"1"
        assert not guard.is_down
        await guard.close()

    asyncio.run(check())
    assert calls == ["open", "write", "read"]
