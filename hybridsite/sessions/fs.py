"""Sessions as files, one each, in a folder that every process of a machine shares.

A record is replaced as a whole: written beside, synced, renamed. Whoever writes holds the lock of one of 256 shards,
which the system lets go of when a process dies; readers need none. What waits for the disk runs in threads.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import itertools
import logging
import os
import random
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar, NamedTuple, TypeVar

import msgspec

from hybridsite.errors import DriverError, SessionDataError
from hybridsite.sessions.store import Conflict, Needs, Reach, Record, StoreDown

_log = logging.getLogger("hybridsite.sessions")

_T = TypeVar("_T")

_THREADS = 4
# The files that a step looks at, and how many new sessions there are to one.
_STEP = 128
_SWEEP_EVERY = 32
# A draft this old, in seconds, was left by a process that died.
_DEAD_DRAFT = 3600.0
_FIRST_VERSIONS = 2**52
_LOCKS = ".locks"
_DRAFT = ".draft"


class _File(NamedTuple):
    """What a file holds."""

    key: str
    version: int
    expires: float
    tokens: list[str]
    data: bytes


class _Busy(Exception):
    """Another holds the lock."""


class FileStore:
    """A folder of sessions. Each write is on the disk when it is answered. `timeout` bounds each call, in seconds."""

    reach: ClassVar[Reach] = "machine"
    needs: ClassVar[Needs] = frozenset(("files",))

    def __init__(self, path: str | Path, *, timeout: float = 2.0, clock: Callable[[], float] = time.time) -> None:
        self._folder = Path(path)
        self._timeout = timeout
        self._clock = clock
        self._threads: ThreadPoolExecutor | None = None
        self._created = 0
        self._sweeping = False
        self._walk: Iterator[Path] = iter(())  # what is left of the round of sweeping

    async def open(self) -> None:
        """Makes the folder, for its owner alone. Raises DriverError where it can't be made."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._folder / _LOCKS).mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise DriverError(f"the session folder {self._folder} can't be made", why=str(error)) from error
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sessions")

    async def close(self) -> None:
        """Lets go of the threads."""
        if self._threads is not None:
            self._threads.shutdown(wait=False)
            self._threads = None

    async def read(self, key: str) -> Record | None:
        """Gives the record, or None. It is read on the loop's own thread: that takes less than going to another."""
        try:
            file = self._live(self._place(key))
        except OSError as error:
            raise StoreDown(f"the session folder can't be read: {error}") from error
        return None if file is None else Record(file.data, file.version, file.expires)

    async def write(
        self, key: str, data: bytes, *, expected: int | None, ttl: float, tokens: Sequence[str] = ()
    ) -> int:
        """Stores a record at the version it expects. Raises Conflict."""
        place = self._place(key)
        version = random.randrange(1, _FIRST_VERSIONS) if expected is None else expected + 1

        def act() -> None:
            current = self._live(place)
            if (None if current is None else current.version) != expected:
                raise Conflict
            _replace(place, _File(key, version, self._clock() + ttl, list(tokens), data))

        await self._locked(place, act)
        if expected is None:
            self._created += 1
            if self._created % _SWEEP_EVERY == 0:
                await self._sweep_on()
        return version

    async def delete(self, key: str, *, expected: int | None = None) -> None:
        """Removes a record. Raises Conflict."""
        place = self._place(key)

        def act() -> None:
            if expected is not None:
                current = self._live(place)
                if current is None or current.version != expected:
                    raise Conflict
            place.unlink(missing_ok=True)
            if place.parent.exists():
                _sync_folder(place.parent)

        await self._locked(place, act)

    async def touch(self, key: str, *, expected: int, ttl: float) -> bool:
        """Moves the end of a record."""
        place = self._place(key)

        def act() -> bool:
            current = self._live(place)
            if current is None or current.version != expected:
                return False
            _replace(place, current._replace(expires=self._clock() + ttl))
            return True

        return await self._locked(place, act)

    async def find(self, token: str) -> AsyncIterator[str]:
        """Gives the keys of the records with this token. It looks through every file."""
        async for file in self._files():
            if token in file.tokens:
                yield file.key

    async def scan(self) -> AsyncIterator[tuple[str, Record]]:
        """Gives every record."""
        async for file in self._files():
            yield file.key, Record(file.data, file.version, file.expires)

    async def sweep(self, most: int = 1000) -> int:
        """Removes records that have expired."""
        removed = 0
        walk = self._places()
        while removed < most:
            places = await self._in_thread(lambda: list(itertools.islice(walk, min(_STEP, most - removed))))  # noqa: B023
            if not places:
                break
            removed += await self._remove_ended(places)
        return removed

    async def _sweep_on(self) -> None:
        """Takes a step on, and begins again at the end. What fails is left to the next time: the write is done."""
        if self._sweeping:
            return
        self._sweeping = True
        try:
            places = await self._in_thread(lambda: list(itertools.islice(self._walk, _STEP)))
            if len(places) < _STEP:
                self._walk = self._places()
            await self._remove_ended(places)
        except StoreDown as error:
            _log.warning("expired sessions were not removed: %s", error)
        finally:
            self._sweeping = False

    async def _remove_ended(self, places: list[Path]) -> int:
        def remove(place: Path) -> bool:
            if place.name.endswith(_DRAFT) or self._alive(place):  # somebody may have written it since it was looked at
                return False
            place.unlink(missing_ok=True)
            return True

        ended = await self._in_thread(lambda: [place for place in places if not self._alive(place)])
        return sum([await self._locked(place, lambda: remove(place)) for place in ended])  # noqa: B023

    def _alive(self, place: Path) -> bool:
        """Tells whether a file is to be kept: a record that goes on, and whatever isn't understood."""
        try:
            if place.name.endswith(_DRAFT):
                if place.stat().st_mtime < time.time() - _DEAD_DRAFT:
                    place.unlink()
                return True
            return self._live(place) is not None
        except FileNotFoundError:
            return True
        except SessionDataError:
            return True

    async def _files(self) -> AsyncIterator[_File]:
        def step() -> list[_File] | None:
            places = list(itertools.islice(walk, _STEP))
            files = (self._live(place) for place in places if not place.name.endswith(_DRAFT))
            return [file for file in files if file is not None] if places else None

        walk = self._places()
        while (page := await self._in_thread(step)) is not None:
            for file in page:
                yield file

    def _places(self) -> Iterator[Path]:
        for outer in sorted(_names(self._folder)):
            if outer == _LOCKS:
                continue
            for inner in sorted(_names(self._folder / outer)):
                for name in sorted(_names(self._folder / outer / inner)):
                    yield self._folder / outer / inner / name

    def _place(self, key: str) -> Path:
        """Gives the file of a key. A hash of it makes a name that every file system takes, and even folders."""
        name = hashlib.sha256(key.encode()).hexdigest()
        return self._folder / name[:2] / name[2:4] / name[4:]

    def _live(self, place: Path) -> _File | None:
        try:
            content = place.read_bytes()
        except FileNotFoundError:
            return None
        try:
            file = msgspec.msgpack.decode(content, type=_File)
        except msgspec.MsgspecError as error:
            why = f"{place} is cut off, or another program's; it is left as it is"
            raise SessionDataError("a stored session can't be read", why=why) from error
        return file if file.expires > self._clock() else None

    async def _locked(self, place: Path, act: Callable[[], _T]) -> _T:
        """Does it in a thread, with the lock of the file's shard. Raises StoreDown where others keep it too long."""
        lock = self._folder / _LOCKS / place.parent.parent.name
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                return await self._in_thread(lambda: _with_lock(lock, act))
            except _Busy as busy:
                if time.monotonic() > deadline:
                    raise StoreDown(f"{lock} is locked by another for {self._timeout} s") from busy
            # No thread is kept waiting, and those who wait don't march in step.
            await asyncio.sleep(random.uniform(0.001, 0.02))

    async def _in_thread(self, act: Callable[[], _T]) -> _T:
        if self._threads is None:
            raise RuntimeError("the session store is not open")
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.get_running_loop().run_in_executor(self._threads, act)
        except TimeoutError as error:
            raise StoreDown(f"the disk did not answer in {self._timeout} s") from error
        except OSError as error:
            raise StoreDown(f"the session folder can't be used: {error}") from error


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _with_lock(lock: Path, act: Callable[[], _T]) -> _T:
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _Busy from error
        return act()
    finally:
        os.close(descriptor)  # this lets go of the lock, as the end of the process would


def _replace(place: Path, file: _File) -> None:
    """Puts a file in place, so that at any moment, power cuts included, there is the old one or the new one."""
    _make_folder(place.parent)
    draft = place.with_name(f"{secrets.token_hex(8)}{_DRAFT}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as out:
            out.write(msgspec.msgpack.encode(file))
            out.flush()
            os.fsync(out.fileno())
        os.rename(draft, place)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _sync_folder(place.parent)


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
