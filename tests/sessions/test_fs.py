"""The store of files: the contract, locks, and what each failing step of a write leaves."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hybridsite.errors import DriverError, SessionDataError
from hybridsite.sessions.fs import FileStore
from hybridsite.sessions.store import Conflict, SessionStore, StoreDown
from hybridsite.testing import StoreContract
from tests.sessions.support import Clock


class TestFileStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.clock = Clock()
        self.path = tmp_path / "state" / "sessions"

    def make_store(self) -> SessionStore:
        return FileStore(self.path, clock=self.clock)

    async def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds


def files(folder: Path) -> list[Path]:
    """Gives the files of records and drafts."""
    return [path for path in folder.rglob("*") if path.is_file() and path.parent.name != ".locks"]


def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    async def check() -> None:
        store = FileStore(tmp_path / "sessions")
        await store.open()
        await store.write("../../key", b"1", expected=None, ttl=60)
        await store.close()

    before = os.umask(0)
    try:
        asyncio.run(check())
    finally:
        os.umask(before)
    paths = [tmp_path / "sessions", *(tmp_path / "sessions").rglob("*")]
    assert {path.stat().st_mode & 0o777 for path in paths if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in paths if path.is_file()} == {0o600}
    assert [path.parents[2] for path in files(tmp_path)] == [tmp_path / "sessions"]


def test_a_folder_that_can_not_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DriverError, match="sessions can't be made"):
        asyncio.run(FileStore(tmp_path / "file" / "sessions").open())


def test_a_store_that_is_not_open_says_so(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="not open"):
        asyncio.run(FileStore(tmp_path).write("key", b"", expected=None, ttl=60))


@pytest.mark.parametrize("content", [b"", b"another program's", b"\x95\xa3key"])
def test_what_can_not_be_read_is_told_and_left(tmp_path: Path, content: bytes) -> None:
    # case S15
    async def check() -> None:
        store = FileStore(tmp_path)
        await store.open()
        await store.write("key", b"1", expected=None, ttl=60)
        (file,) = files(tmp_path)
        file.write_bytes(content)
        with pytest.raises(SessionDataError):
            await store.read("key")
        with pytest.raises(SessionDataError):
            await store.write("key", b"2", expected=None, ttl=60)
        assert await store.sweep() == 0
        assert file.read_bytes() == content
        await store.close()

    asyncio.run(check())


def test_another_s_lock_is_waited_for_and_told_at_last(tmp_path: Path) -> None:
    # case C5
    async def check() -> None:
        store = FileStore(tmp_path, timeout=0.1)
        await store.open()
        version = await store.write("key", b"1", expected=None, ttl=60)
        (lock,) = (tmp_path / ".locks").iterdir()
        with lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            with pytest.raises(StoreDown, match="locked"):
                await store.write("key", b"2", expected=version, ttl=60)
            writing = asyncio.create_task(store.write("key", b"3", expected=version, ttl=60))
            for _ in range(20):  # the loop turns, and reads, while the write waits
                await asyncio.sleep(0)
                assert await store.read("key") is not None
            assert not writing.done()
        await writing
        await store.close()

    asyncio.run(check())


def test_what_has_expired_is_removed_though_nobody_asks_for_it(tmp_path: Path) -> None:
    # case C4: by two that write and sweep at once, of which neither removes what is alive
    clock = Clock()

    async def check() -> None:
        stores = [FileStore(tmp_path, clock=clock) for _ in range(2)]
        for store in stores:
            await store.open()
        await stores[0].write("kept", b"1", expected=None, ttl=1_000_000)
        for number in range(600):
            clock.now += 1
            await stores[number % 2].write(str(number), b"1", expected=None, ttl=60)
        for key in ("kept", "599", "541"):
            assert await stores[0].read(key) is not None
        for store in stores:
            await store.close()

    asyncio.run(check())
    assert 61 <= len(files(tmp_path)) < 300


def test_drafts_of_dead_processes_are_removed(tmp_path: Path) -> None:
    async def check() -> None:
        store = FileStore(tmp_path)
        await store.open()
        await store.write("key", b"1", expected=None, ttl=60)
        (file,) = files(tmp_path)
        for name, age in (("old.draft", 7200), ("new.draft", 0)):
            draft = file.with_name(name)
            draft.touch()
            os.utime(draft, (time.time() - age,) * 2)
        assert [key async for key, _ in store.scan()] == ["key"]
        assert await store.sweep() == 0
        assert sorted(path.name for path in files(tmp_path)) == sorted([file.name, "new.draft"])
        await store.close()

    asyncio.run(check())


@pytest.mark.parametrize("step", ["open", "fsync", "rename"])
def test_whichever_step_fails_there_is_the_old_record_or_the_new(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # case D1, case C5: the Nth call fails, N = 1, 2, … until none is left to fail
    async def attempt(failing: int) -> bool:
        folder = tmp_path / str(failing)
        store = FileStore(folder)
        await store.open()
        version = await store.write("key", b"old", expected=None, ttl=60)
        calls = 0
        real: Callable[..., Any] = getattr(os, step)

        def broken(*args: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == failing:
                raise OSError(28, "No space left on device")
            return real(*args, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, step, broken)
            try:
                await store.write("key", b"new", expected=version, ttl=60)
                answered = True
            except StoreDown:
                answered = False
        record = await store.read("key")
        assert record is not None
        assert record.data == b"new" or (record.data == b"old" and not answered)
        await store.write("key", b"next", expected=record.version, ttl=60)  # it goes on by itself
        assert len(files(folder)) == 1
        await store.close()
        return calls < failing

    failing = 1
    while not asyncio.run(attempt(failing)):
        failing += 1
    assert failing > 1


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check() -> None:
        store = FileStore(tmp_path)
        await store.open()
        with pytest.raises(Conflict):
            await store.write("key", b"1", expected=1, ttl=60)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_bytes", _no_disk)
            with pytest.raises(StoreDown, match="Input/output"):
                await store.read("key")
        assert await store.read("key") is None
        await store.close()

    asyncio.run(check())


def _no_disk(_: Path) -> bytes:
    raise OSError(5, "Input/output error")
