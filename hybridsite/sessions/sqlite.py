"""Sessions in one SQLite file, shared by every process of a machine. The default.

Each call is one short statement in write-ahead mode, run on the event loop's own thread: a read takes microseconds,
less than handing it to another thread would. Where another process holds the write lock, the loop goes on and asks
again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from hybridsite.errors import DriverError
from hybridsite.sessions.store import Conflict, Record

_log = logging.getLogger("hybridsite.sessions")

# A table with row numbers is read two to three times as fast here as one without: sessions are large for the nodes of a
# B-tree. There is no index on expires: with one, a write took up to twice as long, and only sweeping would use it.
_TABLE = """
CREATE TABLE IF NOT EXISTS sessions (
    key TEXT PRIMARY KEY NOT NULL, data BLOB NOT NULL, version INTEGER NOT NULL, expires REAL NOT NULL
)
"""
_READ = "SELECT data, version, expires FROM sessions WHERE key = ? AND expires > ?"
_CREATE = """
INSERT INTO sessions (key, data, version, expires) VALUES (?, ?, 1, ?)
ON CONFLICT (key) DO UPDATE SET data = excluded.data, version = 1, expires = excluded.expires
WHERE sessions.expires <= ?
"""
_REPLACE = """
UPDATE sessions SET data = ?, version = version + 1, expires = ? WHERE key = ? AND version = ? AND expires > ?
"""
_TOUCH = "UPDATE sessions SET expires = ? WHERE key = ? AND version = ? AND expires > ?"
_DELETE = "DELETE FROM sessions WHERE key = ?"
_DELETE_VERSION = "DELETE FROM sessions WHERE key = ? AND version = ? AND expires > ?"
# The rows that a sweep looks at, and how many new sessions there are to one: so sweeping comes round faster than the
# table grows, and each step takes less than a millisecond.
_SWEEP_ROWS = 128
_SWEEP_EVERY = 32
_STEP = "SELECT max(rowid), count(*) FROM (SELECT rowid FROM sessions WHERE rowid > ? ORDER BY rowid LIMIT ?)"
_SWEEP = "DELETE FROM sessions WHERE rowid > ? AND rowid <= ? AND expires <= ?"

# How long a write waits for other processes' writes, in seconds.
_PATIENCE = 5.0
_SYNCHRONOUS = ("normal", "full")


class SqliteStore:
    """One connection a process. Records that have expired are removed step by step, as new ones come.

    `synchronous` is SQLite's own: what is stored survives a killed process with "normal", a power cut too with "full"
    (https://www.sqlite.org/pragma.html#pragma_synchronous).
    """

    shared: ClassVar[bool] = True

    def __init__(
        self, path: str | Path, *, synchronous: str = "normal", clock: Callable[[], float] = time.time
    ) -> None:
        if synchronous not in _SYNCHRONOUS:
            raise DriverError(f'synchronous = "{synchronous}" is not known', mend='use "normal" or "full"')
        self._path = Path(path)
        self._synchronous = synchronous
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._created = 0
        self._swept = 0  # the last row that was looked at

    async def open(self) -> None:
        """Opens the file, and makes it where it is missing, readable by its owner alone.

        Raises DriverError where it can't be opened, or is no database.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
            await self._run("PRAGMA journal_mode = WAL")
            await self._run(f"PRAGMA synchronous = {self._synchronous}")
            await self._run(_TABLE)
        except (OSError, sqlite3.Error) as error:
            await self.close()
            raise DriverError(f"the session database {self._path} can't be opened", why=str(error)) from error

    async def close(self) -> None:
        """Closes the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def read(self, key: str) -> Record | None:
        """Gives the record, or None."""
        row = (await self._run(_READ, (key, self._clock()))).fetchone()
        return None if row is None else Record(*row)

    async def write(self, key: str, data: bytes, *, expected: int | None, ttl: float) -> int:
        """Stores a record at the version it expects. Raises Conflict."""
        now = self._clock()
        if expected is None:
            cursor = await self._run(_CREATE, (key, data, now + ttl, now))
        else:
            cursor = await self._run(_REPLACE, (data, now + ttl, key, expected, now))
        if cursor.rowcount != 1:
            raise Conflict
        if expected is None:
            self._created += 1
            if self._created % _SWEEP_EVERY == 0:
                self._sweep(now)
        return (expected or 0) + 1

    async def delete(self, key: str, *, expected: int | None = None) -> None:
        """Removes a record. Raises Conflict."""
        if expected is None:
            await self._run(_DELETE, (key,))
        elif (await self._run(_DELETE_VERSION, (key, expected, self._clock()))).rowcount != 1:
            raise Conflict

    async def touch(self, key: str, *, expected: int, ttl: float) -> bool:
        """Moves the end of a record."""
        now = self._clock()
        return (await self._run(_TOUCH, (now + ttl, key, expected, now))).rowcount == 1

    def _sweep(self, now: float) -> None:
        """Removes what has expired among the next rows. What fails is left to the next time: the write is done."""
        assert self._connection is not None
        try:
            last, rows = self._connection.execute(_STEP, (self._swept, _SWEEP_ROWS)).fetchone()
            if last is not None:
                self._connection.execute(_SWEEP, (self._swept, last, now))
            self._swept = last if rows == _SWEEP_ROWS else 0  # it begins again at the end, where new rows come
        except sqlite3.OperationalError as error:
            if not _is_locked(error):
                _log.warning("expired sessions were not removed: %s", error)

    async def _run(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        if self._connection is None:
            raise RuntimeError("the session store is not open")
        try:
            return self._connection.execute(statement, values)
        except sqlite3.OperationalError as error:
            if not _is_locked(error):
                raise
        return await self._run_when_free(statement, values)

    async def _run_when_free(self, statement: str, values: Sequence[object]) -> sqlite3.Cursor:
        """Asks again, with jitter so that waiting processes don't march in step, while others use the file."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            await asyncio.sleep(random.uniform(0.001, 0.02))
            try:
                assert self._connection is not None
                return self._connection.execute(statement, values)
            except sqlite3.OperationalError as error:
                if not _is_locked(error) or time.monotonic() > deadline:
                    raise


def _is_locked(error: sqlite3.OperationalError) -> bool:
    # The primary code is in the low byte: SQLITE_BUSY_RECOVERY and _SNAPSHOT are kinds of SQLITE_BUSY.
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
