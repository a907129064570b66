"""What the SQLite store does together in one turn of the loop: nothing is confirmed early, and nothing is read late."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hybridsite.sessions import sqlite
from hybridsite.sessions.outage import Budget, GuardedStore
from hybridsite.sessions.sqlite import SqliteStore
from hybridsite.sessions.store import Conflict, Record, StoreDown

TTL = 60.0


def with_store(path: Path, check: Callable[[SqliteStore], Awaitable[None]], timeout: float = 2.0) -> None:
    """Runs a check with an open store."""

    async def run() -> None:
        store = SqliteStore(path, timeout=timeout)
        await store.open()
        try:
            await check(store)
        finally:
            await store.close()

    asyncio.run(run())


def traced(store: SqliteStore) -> list[str]:
    """Gives a list that grows by the first word of each statement."""
    words: list[str] = []
    assert store._connection is not None
    store._connection.set_trace_callback(lambda statement: words.append(statement.split()[0]))
    return words


async def read_first(store: SqliteStore, key: str) -> Record | None:
    """Reads as is done for a request of which no code has run yet."""
    return await GuardedStore(store).read(key, Budget(), first=True)


def test_writes_of_one_turn_are_one_transaction_and_each_has_its_own_conflict(tmp_path: Path) -> None:
    async def check(store: SqliteStore) -> None:
        versions = [await store.write(f"k{n}", b"0", expected=None, ttl=TTL) for n in range(4)]
        words = traced(store)
        results = await asyncio.gather(
            *(store.write(f"k{n}", b"1", expected=versions[n] + (n == 2), ttl=TTL) for n in range(4)),
            store.write("k0", b"2", expected=versions[0], ttl=TTL),
            store.write("new", b"1", expected=None, ttl=TTL),
            return_exceptions=True,
        )
        assert words == ["BEGIN", *["UPDATE"] * 5, "INSERT", "COMMIT"]
        assert [isinstance(result, Conflict) for result in results] == [False, False, True, False, True, False]
        found = [await store.read(f"k{n}") for n in range(4)]
        assert [record and record.data for record in found] == [b"1", b"1", b"0", b"1"]

    with_store(tmp_path / "sessions.db", check)


def test_a_write_is_confirmed_after_others_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"

    async def check(store: SqliteStore) -> None:
        other = sqlite3.connect(path, isolation_level=None)

        async def write(number: int) -> None:
            await store.write(f"k{number}", b"1", expected=None, ttl=TTL)
            assert other.execute("SELECT count(*) FROM sessions WHERE key = ?", (f"k{number}",)).fetchone() == (1,)

        await asyncio.gather(*(write(number) for number in range(20)))
        other.close()

    with_store(path, check)


def test_where_the_turn_can_not_be_committed_none_is_confirmed(tmp_path: Path) -> None:
    # case C5
    path = tmp_path / "sessions.db"

    async def check(store: SqliteStore) -> None:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        writes = [asyncio.create_task(store.write(f"k{n}", b"1", expected=None, ttl=TTL)) for n in range(3)]
        done = await asyncio.gather(*writes, return_exceptions=True)
        assert all(isinstance(result, StoreDown) for result in done)
        other.execute("ROLLBACK")
        assert [await store.read(f"k{n}") for n in range(3)] == [None] * 3
        await asyncio.gather(*(store.write(f"k{n}", b"1", expected=None, ttl=TTL) for n in range(3)))
        other.close()

    with_store(path, check, timeout=0.05)


def test_one_write_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    async def check(store: SqliteStore) -> None:
        assert store._connection is not None
        store._connection.execute(
            "CREATE TRIGGER refuses BEFORE INSERT ON sessions WHEN new.key = 'bad' BEGIN SELECT raise(ABORT, 'no'); END"
        )
        keys = ("a", "bad", "b")
        results = await asyncio.gather(
            *(store.write(key, b"1", expected=None, ttl=TTL) for key in keys), return_exceptions=True
        )
        assert [isinstance(result, StoreDown) for result in results] == [False, True, False]
        assert [await store.read(key) is not None for key in keys] == [True, False, True]

    with_store(tmp_path / "sessions.db", check)


def test_a_write_whose_request_was_cancelled_in_time_is_not_made(tmp_path: Path) -> None:
    async def check(store: SqliteStore) -> None:
        writes = [asyncio.create_task(store.write(f"k{n}", b"1", expected=None, ttl=TTL)) for n in range(2)]
        asyncio.get_running_loop().call_soon(writes[0].cancel)  # runs after both have asked, before the turn's end
        results = await asyncio.gather(*writes, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError, int]
        assert [await store.read(f"k{n}") is not None for n in range(2)] == [False, True]

    with_store(tmp_path / "sessions.db", check)


def test_first_reads_of_one_turn_share_a_snapshot_and_later_ones_see_what_came(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"

    async def check(store: SqliteStore) -> None:
        version = await store.write("key", b"old", expected=None, ttl=TTL)
        other = sqlite3.connect(path, isolation_level=None)

        async def data(*, first: bool) -> bytes | None:
            record = await (read_first(store, "key") if first else store.read("key"))
            return record and record.data

        await asyncio.sleep(0)
        words = traced(store)
        assert [await data(first=True) for _ in range(3)] == [b"old"] * 3  # all in this turn: none of them waits
        assert words == ["SELECT", "BEGIN", "SELECT", "SELECT"]
        other.execute("UPDATE sessions SET data = ?, version = version + 1", (b"new",))
        assert await data(first=False) == b"new"  # code that runs already reads what is there now
        await asyncio.sleep(0)
        assert await data(first=True) == b"new"
        with pytest.raises(Conflict):
            await store.write("key", b"lost", expected=version, ttl=TTL)
        other.close()

    with_store(path, check)


def test_a_request_that_arrives_after_an_answer_sees_what_was_answered(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"

    async def check(store: SqliteStore) -> None:
        await store.write("key", b"0", expected=None, ttl=TTL)
        other = SqliteStore(path)  # as another process has it
        await other.open()
        loop = asyncio.get_running_loop()
        crowd = [loop.create_task(read_first(store, "key")) for _ in range(5)]
        for number in range(1, 50):
            record = await other.read("key")
            assert record is not None
            await other.write("key", b"%d" % number, expected=record.version, ttl=TTL)
            crowd += [loop.create_task(read_first(store, "key")) for _ in range(5)]
            seen = await loop.create_task(read_first(store, "key"))
            assert seen is not None
            assert seen.data == b"%d" % number
        await asyncio.gather(*crowd)
        await other.close()

    with_store(path, check)


def test_a_write_after_a_snapshot_needs_no_second_try(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"

    async def check(store: SqliteStore) -> None:
        version = await store.write("key", b"1", expected=None, ttl=TTL)
        other = sqlite3.connect(path, isolation_level=None)
        for _ in range(2):
            await read_first(store, "key")
        other.execute("INSERT INTO sessions VALUES ('other', '', 1, 9e9)")  # the snapshot is no longer the newest
        words = traced(store)
        await store.write("key", b"2", expected=version, ttl=TTL)
        assert words == ["COMMIT", "UPDATE"]
        other.close()

    with_store(path, check)


@pytest.mark.parametrize("exchanged", [False, True])
def test_a_file_that_is_gone_is_noticed_and_made_anew(
    tmp_path: Path, exchanged: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite, "_LOOK_EVERY", 0.0)
    path = tmp_path / "sessions.db"

    async def check(store: SqliteStore) -> None:
        await store.write("key", b"1", expected=None, ttl=TTL)
        for file in tmp_path.iterdir():
            file.unlink()
        if exchanged:
            put_back = SqliteStore(path)
            await put_back.open()
            await put_back.write("other", b"1", expected=None, ttl=TTL)
            await put_back.close()
        await asyncio.sleep(0)
        assert await read_first(store, "key") is None
        assert (await read_first(store, "other") is not None) == exchanged
        await store.write("key", b"2", expected=None, ttl=TTL)
        await asyncio.sleep(0)
        assert await read_first(store, "key") is not None
        assert path.stat().st_mode & 0o777 == 0o600

    with caplog.at_level(logging.ERROR, "hybridsite.sessions"):
        with_store(path, check)
    assert [record.getMessage() for record in caplog.records] == [
        f"the session database {path} was deleted or exchanged; what is there now is used"
    ]


def test_a_driver_that_is_made_of_this_one_is_asked_in_its_own_way(tmp_path: Path) -> None:
    class Slow(SqliteStore):
        async def read(self, key: str) -> Record | None:
            await asyncio.Event().wait()
            return None

    async def check() -> None:
        store = GuardedStore(Slow(tmp_path / "sessions.db"))
        await store.open()
        budget = Budget()
        budget.left = 0.05
        with pytest.raises(StoreDown):  # in time: what it waits for first is not taken for the end of a turn
            await store.read("key", budget, first=True)
        await store.close()

    asyncio.run(check())
