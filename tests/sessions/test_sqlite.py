"""The SQLite store: the contract, its files, other processes' locks, and what a kill leaves."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from hybridsite.errors import DriverError
from hybridsite.sessions.sqlite import SqliteStore
from hybridsite.sessions.store import Conflict, SessionStore, StoreDown
from hybridsite.testing import StoreContract
from tests.sessions.support import Clock


class TestSqliteStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.clock = Clock()
        self.path = tmp_path / "state" / "sessions.db"

    def make_store(self) -> SessionStore:
        return SqliteStore(self.path, clock=self.clock)

    async def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds


def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state"

    async def check() -> None:
        store = SqliteStore(folder / "sessions.db")
        await store.open()
        await store.write("key", b"1", expected=None, ttl=60)
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
        assert modes == {"sessions.db": 0o600, "sessions.db-wal": 0o600, "sessions.db-shm": 0o600}
        assert folder.stat().st_mode & 0o777 == 0o700
        await store.close()

    before = os.umask(0)
    try:
        asyncio.run(check())
    finally:
        os.umask(before)


def test_another_program_s_file_is_refused_and_left(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(DriverError, match="not a database"):
        asyncio.run(SqliteStore(path).open())
    assert path.read_bytes() == b"no database at all" * 100


def test_a_folder_that_can_not_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DriverError, match=r"sessions\.db"):
        asyncio.run(SqliteStore(tmp_path / "file" / "sessions.db").open())


def test_synchronous_is_checked() -> None:
    with pytest.raises(DriverError, match=r'"normal" or "full"'):
        SqliteStore("sessions.db", synchronous="off; DROP TABLE sessions")


def test_a_store_that_is_not_open_says_so() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        asyncio.run(SqliteStore("sessions.db").read("key"))


def test_another_s_write_lock_does_not_stop_the_loop(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"

    async def check() -> None:
        store = SqliteStore(path)
        await store.open()
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(store.write("key", b"1", expected=None, ttl=60))
        for _ in range(20):  # the loop turns, and reads, while the write waits
            await asyncio.sleep(0)
            assert await store.read("key") is None
        assert not writing.done()
        other.execute("COMMIT")
        other.close()
        await writing
        assert await store.read("key") is not None
        await store.close()

    asyncio.run(check())


def test_an_endless_write_lock_is_an_error_at_last(tmp_path: Path) -> None:
    # case C5
    async def check() -> None:
        store = SqliteStore(tmp_path / "sessions.db", timeout=0.05)
        await store.open()
        other = sqlite3.connect(tmp_path / "sessions.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreDown, match="locked"):
            await store.write("key", b"1", expected=None, ttl=60)
        other.close()
        await store.write("key", b"1", expected=None, ttl=60)
        await store.close()

    asyncio.run(check())


def test_a_database_of_the_first_version_is_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    old = sqlite3.connect(path, isolation_level=None)
    old.execute(
        "CREATE TABLE sessions (key TEXT PRIMARY KEY NOT NULL, data BLOB NOT NULL, version INTEGER NOT NULL,"
        " expires REAL NOT NULL)"
    )
    old.execute("INSERT INTO sessions VALUES ('key', x'31', 1, ?)", (time.time() + 60,))
    old.close()

    async def check() -> None:
        store = SqliteStore(path)
        await store.open()
        record = await store.read("key")
        assert record is not None
        assert (record.data, record.version) == (b"1", 1)
        await store.write("key", b"2", expected=1, ttl=60, tokens=["ada"])
        assert [key async for key in store.find("ada")] == ["key"]
        await store.close()

    asyncio.run(check())


def test_tokens_leave_with_their_records(tmp_path: Path) -> None:
    clock = Clock()

    async def check() -> None:
        store = SqliteStore(tmp_path / "sessions.db", clock=clock)
        await store.open()
        for number in range(500):
            clock.now += 1
            await store.write(str(number), b"1", expected=None, ttl=60, tokens=["ada", str(number)])
        await store.delete("499")
        await store.close()

    asyncio.run(check())
    connection = sqlite3.connect(tmp_path / "sessions.db")
    (left,) = connection.execute("SELECT count(*) FROM sessions").fetchone()
    (tokens,) = connection.execute("SELECT count(*) FROM tokens").fetchone()
    connection.close()
    assert left < 300
    assert tokens == 2 * left


def test_a_full_disk_is_told_and_got_over(tmp_path: Path) -> None:
    # case C5
    async def check() -> None:
        store = SqliteStore(tmp_path / "sessions.db")
        await store.open()
        await store.write("key", b"1", expected=None, ttl=60)
        assert store._connection is not None
        store._connection.execute("PRAGMA max_page_count = 16")
        with pytest.raises(StoreDown, match="full"):
            await store.write("large", b"1" * 100_000, expected=None, ttl=60)
        assert await store.read("large") is None
        assert await store.read("key") is not None
        await store.write("large", b"1" * 100_000, expected=None, ttl=60)  # by a new connection, without that limit
        await store.close()

    asyncio.run(check())


def test_many_that_open_at_once_all_open(tmp_path: Path) -> None:
    faults: list[BaseException] = []
    start = threading.Barrier(8)

    def run() -> None:
        async def check() -> None:
            store = SqliteStore(tmp_path / "state" / "sessions.db")
            start.wait()
            await store.open()
            await store.write(str(threading.get_ident()), b"1", expected=None, ttl=60)
            await store.close()

        try:
            asyncio.run(check())
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_an_expired_record_is_overwritten_by_one_only(tmp_path: Path) -> None:
    clock = Clock()

    async def check() -> None:
        stores = [SqliteStore(tmp_path / "sessions.db", clock=clock) for _ in range(2)]
        for store in stores:
            await store.open()
        await stores[0].write("key", b"old", expected=None, ttl=1)
        clock.now += 2
        await stores[0].write("key", b"new", expected=None, ttl=60)
        with pytest.raises(Conflict):
            await stores[1].write("key", b"newer", expected=None, ttl=60)
        for store in stores:
            await store.close()

    asyncio.run(check())


def test_what_has_expired_is_removed_though_nobody_asks_for_it(tmp_path: Path) -> None:
    # case C4: by two that write and sweep at once, of which neither removes what is alive
    clock = Clock()

    async def check() -> None:
        stores = [SqliteStore(tmp_path / "sessions.db", clock=clock) for _ in range(2)]
        for store in stores:
            await store.open()
        await stores[0].write("kept", b"1", expected=None, ttl=1_000_000)
        touched = await stores[0].write("touched", b"1", expected=None, ttl=60)
        for number in range(2000):
            clock.now += 1
            await stores[number % 2].write(str(number), b"1", expected=None, ttl=60)
            assert await stores[1].touch("touched", expected=touched, ttl=60)
        for key in ("kept", "touched", "1999", "1941"):
            assert await stores[0].read(key) is not None
        for store in stores:
            await store.close()

    asyncio.run(check())
    connection = sqlite3.connect(tmp_path / "sessions.db")
    (rows,) = connection.execute("SELECT count(*) FROM sessions").fetchone()
    connection.close()
    assert 62 <= rows < 300


def test_a_sweep_that_finds_the_file_locked_does_not_fail_the_write(tmp_path: Path) -> None:
    # case C4
    async def check() -> None:
        store = SqliteStore(tmp_path / "sessions.db")
        await store.open()
        other = sqlite3.connect(tmp_path / "sessions.db", isolation_level=None)
        for number in range(200):
            await store.write(str(number), b"1", expected=None, ttl=1e-9)
        other.execute("BEGIN IMMEDIATE")
        store._sweep(time.time() + 1)
        other.execute("COMMIT")
        other.close()
        await store.write("key", b"1", expected=None, ttl=60)
        assert await store.read("key") is not None
        await store.close()

    asyncio.run(check())
