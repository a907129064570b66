"""What has ended leaves the store while a server runs, by any number of processes at once."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from hybridsite.sessions import sweeping
from hybridsite.sessions.sqlite import SqliteStore
from hybridsite.sessions.store import StoreDown
from hybridsite.sessions.sweeping import sweep_round
from tests.sessions.support import TTL, Clock, Visitor, make_manager, put


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "_ROUND", 0.01)
    monkeypatch.setattr(sweeping, "_PAUSE", 0.0)


async def keys(store: SqliteStore) -> set[str]:
    """Gives the keys of all rows, ended ones too."""
    assert store._connection is not None
    return {key for (key,) in store._connection.execute("SELECT key FROM sessions")}


async def until_gone(store: SqliteStore, gone: set[str]) -> None:
    async with asyncio.timeout(30):
        while gone & await keys(store):
            await asyncio.sleep(0.01)


def test_servers_that_sweep_at_once_lose_nothing_live(tmp_path: Path) -> None:
    # case C4
    async def check() -> None:
        clock = Clock()
        stores = [SqliteStore(tmp_path / "sessions.db", clock=clock) for _ in range(3)]
        managers = [make_manager(store, clock) for store in stores]
        for manager in managers:
            await manager.start()
        ended = [f"{number:064x}" for number in range(1000)]
        for key in ended:
            await stores[0].write(key, b"", expected=None, ttl=10)
        visitors = [Visitor(managers[number % 3]) for number in range(100)]
        clock.now += 11
        await asyncio.gather(
            until_gone(stores[0], set(ended)), *(visitor.ask(put(mine=n)) for n, visitor in enumerate(visitors))
        )
        for number, visitor in enumerate(visitors):
            assert await visitor.data() == {"mine": number}
        clock.now += TTL
        await until_gone(stores[1], await keys(stores[1]))
        for manager in managers:
            await manager.stop()

    asyncio.run(check())


def test_a_round_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "_STEP", 5)
    monkeypatch.setattr(sweeping, "_STEPS", 4)

    async def check() -> None:
        clock = Clock()
        store = SqliteStore(tmp_path / "sessions.db", clock=clock)
        manager = make_manager(store, clock)
        await store.open()
        for number in range(30):
            await store.write(str(number), b"", expected=None, ttl=1)
        clock.now += 2
        assert await sweep_round(manager.store) == 20
        assert await sweep_round(manager.store) == 10
        assert await sweep_round(manager.store) == 0
        await store.close()

    asyncio.run(check())


def test_a_sweep_that_fails_is_no_outage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def check() -> None:
        clock = Clock()
        store: Any = SqliteStore(tmp_path / "sessions.db", clock=clock)
        sweep, failed = store.sweep, asyncio.Event()

        async def fail(most: int) -> int:
            failed.set()
            raise StoreDown

        store.sweep = fail
        manager = make_manager(store, clock)
        await manager.start()
        visitor = Visitor(manager)
        await failed.wait()
        await visitor.ask(put(a=1))
        assert await visitor.data() == {"a": 1}
        store.sweep = sweep
        clock.now += TTL
        await until_gone(store, await keys(store))
        await manager.stop()

    asyncio.run(check())
    assert [record for record in caplog.records if record.name.startswith("hybridsite")] == []
