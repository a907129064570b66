"""Sessions in one SQLite file, shared by every process of a machine. The default.

Each call is one short statement in write-ahead mode, run on the event loop's own thread: a read takes microseconds,
less than handing it to another thread would. Where another process holds the write lock, the loop goes on and asks
again.

To lock the file and to let it go takes longer than what is done meanwhile, so what comes in one turn of the loop is
done together: sessions are read from one snapshot, and changes are committed by one transaction at the turn's end, each
with a conflict of its own, and none is confirmed before that. The snapshot is as good as a read of each one's own: it
is made when every request that reads from it had arrived, so what was answered before one was sent is in it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar, NamedTuple, TypeVar

from hybridsite.errors import DriverError
from hybridsite.sessions.store import Conflict, Later, Needs, Reach, Record, StoreDown

_log = logging.getLogger("hybridsite.sessions")

_T = TypeVar("_T")

# A table with row numbers is read two to three times as fast here as one without: sessions are large for the nodes of a
# B-tree. There is no index on expires: with one, a write took up to twice as long, and only sweeping would use it.
_TABLES = (
    """
CREATE TABLE IF NOT EXISTS sessions (
    key TEXT PRIMARY KEY NOT NULL, data BLOB NOT NULL, version INTEGER NOT NULL, expires REAL NOT NULL
)
""",
    # A token counts for one version of its record: so a write without tokens makes the old ones void, and has nothing
    # to do here. They are removed with the record.
    "CREATE TABLE IF NOT EXISTS tokens (token TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS tokens_token ON tokens (token)",
    "CREATE INDEX IF NOT EXISTS tokens_key ON tokens (key)",
    """
CREATE TRIGGER IF NOT EXISTS sessions_removed AFTER DELETE ON sessions
BEGIN DELETE FROM tokens WHERE key = old.key; END
""",
)
_READ = "SELECT data, version, expires FROM sessions WHERE key = ? AND expires > ?"
_CREATE = """
INSERT INTO sessions (key, data, version, expires) VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET data = excluded.data, version = excluded.version, expires = excluded.expires
WHERE sessions.expires <= ?
"""
_REPLACE = """
UPDATE sessions SET data = ?, version = version + 1, expires = ? WHERE key = ? AND version = ? AND expires > ?
"""
_TOUCH = "UPDATE sessions SET expires = ? WHERE key = ? AND version = ? AND expires > ?"
_DELETE = "DELETE FROM sessions WHERE key = ?"
_DELETE_VERSION = "DELETE FROM sessions WHERE key = ? AND version = ? AND expires > ?"
_UNMARK = "DELETE FROM tokens WHERE key = ?"
_MARK = "INSERT INTO tokens (token, key, version) VALUES (?, ?, ?)"
_FIND = """
SELECT tokens.rowid, sessions.key FROM tokens JOIN sessions USING (key, version)
WHERE token = ? AND tokens.rowid > ? AND expires > ? ORDER BY tokens.rowid LIMIT ?
"""
_SCAN = "SELECT rowid, key, data, version, expires FROM sessions WHERE rowid > ? ORDER BY rowid LIMIT ?"
# The rows that a sweep looks at, and how many new sessions there are to one: so sweeping comes round faster than the
# table grows, and each step takes less than a millisecond.
_SWEEP_ROWS = 128
_SWEEP_EVERY = 32
_STEP = "SELECT max(rowid), count(*) FROM (SELECT rowid FROM sessions WHERE rowid > ? ORDER BY rowid LIMIT ?)"
_SWEEP = "DELETE FROM sessions WHERE rowid > ? AND rowid <= ? AND expires <= ?"

# How often it is seen whether the file is still there, in seconds, where anything is asked for.
_LOOK_EVERY = 1.0
# How many rows `find` and `scan` take at once.
_PAGE = 256
# A record that is made anew begins at no version that another had under its key.
_FIRST_VERSIONS = 2**52


class _Write(NamedTuple):
    """A write that waits for the end of its turn: `done` is how many rows it wrote, None where it has to be tried."""

    statement: str
    values: Sequence[object]
    done: asyncio.Future[int | None]


class SqliteStore:
    """One connection a process. Records that have expired are removed step by step, as new ones come.

    `synchronous` is SQLite's own: what is stored survives a killed process with "normal", a power cut too with "full"
    (https://www.sqlite.org/pragma.html#pragma_synchronous). `timeout` is how long a write waits for other processes'
    writes, in seconds.
    """

    reach: ClassVar[Reach] = "machine"
    needs: ClassVar[Needs] = frozenset(("files",))
    by_turns: ClassVar[bool] = True
    reads_at_once: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        # A driver that is made of this one may wait for other things first, and read in a way of its own.
        cls.by_turns = False
        cls.reads_at_once = cls.read is SqliteStore.read

    def __init__(
        self,
        path: str | Path,
        *,
        synchronous: str = "normal",
        timeout: float = 2.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if synchronous not in ("normal", "full"):
            raise DriverError(f'synchronous = "{synchronous}" is not known', mend='use "normal" or "full"')
        self._path = Path(path)
        self._synchronous = synchronous
        self._timeout = timeout
        self._clock = clock
        self._is_open = False
        self._connection: sqlite3.Connection | None = None
        self._created = 0
        self._swept = 0  # the last row that was looked at
        self._turn: asyncio.Handle | None = None  # the end of this turn of the loop, where there is something to do
        self._writes: list[_Write] = []
        self._file: tuple[int, int] | None = None  # device and number of the file that is open
        self._look_at = 0.0

    async def open(self) -> None:
        """Opens the file, and makes it where it is missing, readable by its owner alone.

        Raises DriverError where it can't be opened, or is no database.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._is_open = True
            await self._when_free(lambda connection: None)
        except (OSError, sqlite3.Error, StoreDown) as error:
            await self.close()
            raise DriverError(f"the session database {self._path} can't be opened", why=str(error)) from error

    async def close(self) -> None:
        """Closes the file."""
        self._is_open = False
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def read(self, key: str) -> Record | None:
        """Gives the record, or None."""
        row = (await self._run(_READ, (key, self._clock()))).fetchone()
        return None if row is None else Record(*row)

    def read_at_once(self, key: str) -> Record | None:
        """Gives the record for a request of which no code has run yet, from the snapshot of this turn of the loop.

        The turn's first read has no need of one. The end of the turn is in the loop's queue before the snapshot is
        made, so whatever reads from it was in the queue by then: its request had arrived. Raises Later.
        """
        if self._connection is None:
            raise Later
        try:
            if self._turn is None:
                self._begin_turn()
            elif not self._connection.in_transaction:
                self._connection.execute("BEGIN")
            row = self._connected().execute(_READ, (key, self._clock())).fetchone()
        except (sqlite3.DatabaseError, OSError):
            raise Later from None  # what is wrong is told, or gone, when it is asked again
        return None if row is None else Record(*row)

    async def write(
        self, key: str, data: bytes, *, expected: int | None, ttl: float, tokens: Sequence[str] = ()
    ) -> int:
        """Stores a record at the version it expects. Raises Conflict."""
        now = self._clock()
        if expected is None:
            version = random.randrange(1, _FIRST_VERSIONS)
            statement = _CREATE
            values: tuple[object, ...] = (key, data, version, now + ttl, now)
        else:
            version = expected + 1
            statement = _REPLACE
            values = (data, now + ttl, key, expected, now)
        if tokens:
            rows = await self._when_free(
                lambda connection: _write_marked(connection, statement, values, key, version, tokens)
            )
        else:
            rows = await self._write(statement, values)
        if rows != 1:
            raise Conflict
        if expected is None:
            self._created += 1
            if self._created % _SWEEP_EVERY == 0:
                self._sweep(now)
        return version

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

    async def find(self, token: str) -> AsyncIterator[str]:
        """Gives the keys of the records with this token."""
        last, rows = 0, _PAGE
        while rows == _PAGE:
            page = (await self._run(_FIND, (token, last, self._clock(), _PAGE))).fetchall()
            for _, key in page:
                yield key
            rows = len(page)
            last = page[-1][0] if page else 0

    async def scan(self) -> AsyncIterator[tuple[str, Record]]:
        """Gives every record."""
        last, rows = 0, _PAGE
        while rows == _PAGE:
            page = (await self._run(_SCAN, (last, _PAGE))).fetchall()
            now = self._clock()
            for _, key, *record in page:
                if record[-1] > now:
                    yield key, Record(*record)
            rows = len(page)
            last = page[-1][0] if page else 0
            await asyncio.sleep(0)

    async def sweep(self, most: int = 1000) -> int:
        """Removes records that have expired."""
        removed = last = 0
        while removed < most:
            start, rows = last, min(_SWEEP_ROWS, most - removed)
            last, count = await self._when_free(lambda connection: _step(connection, start, rows, self._clock()))  # noqa: B023
            removed += count
            if not last:
                break
            await asyncio.sleep(0)
        return removed

    def _sweep(self, now: float) -> None:
        """Takes a step on. What fails is left to the next time: the write is done."""
        if self._connection is None:
            return
        try:
            self._end_snapshot()
            self._swept, _ = _step(self._connection, self._swept, _SWEEP_ROWS, now)
        except sqlite3.DatabaseError as error:
            if not _is_locked(error):
                _log.warning("expired sessions were not removed: %s", error)

    async def _write(self, statement: str, values: Sequence[object]) -> int:
        """Writes at the end of this turn of the loop, together with others. Gives how many rows it wrote."""
        if self._turn is None:
            self._begin_turn()
        if self._connection is not None:
            write = _Write(statement, values, asyncio.get_running_loop().create_future())
            self._writes.append(write)
            if (rows := await write.done) is not None:
                return rows
        return (await self._run(statement, values)).rowcount

    def _begin_turn(self) -> None:
        self._turn = asyncio.get_running_loop().call_soon(self._end_turn)
        if (now := time.monotonic()) >= self._look_at:
            self._look_at = now + _LOOK_EVERY
            if self._connection is not None and _identity(self._path) != self._file:
                _log.error("the session database %s was deleted or exchanged; what is there now is used", self._path)
                self._disconnect()

    def _end_turn(self) -> None:
        """Commits what was written in this turn. Where that fails, each write is tried on its own, and says why."""
        self._turn = None
        writes, self._writes = [write for write in self._writes if not write.done.done()], []
        rows: Sequence[int | None] = [None] * len(writes)
        try:
            self._end_snapshot()
            if writes and self._connection is not None:
                rows = _write_together(self._connection, writes)
        except Exception:
            pass  # what is wrong is told to whoever is concerned; nobody waits in vain
        for write, count in zip(writes, rows, strict=True):
            write.done.set_result(count)

    def _end_snapshot(self) -> None:
        if self._connection is not None and self._connection.in_transaction:
            self._connection.execute("COMMIT")

    async def _run(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        if self._connection is not None:
            try:
                self._end_snapshot()
                return self._connection.execute(statement, values)
            except sqlite3.DatabaseError:
                pass  # it is done again, and what is wrong is told, below
        return await self._when_free(lambda connection: connection.execute(statement, values))

    async def _when_free(self, action: Callable[[sqlite3.Connection], _T]) -> _T:
        """Does it, and again while others use the file, with jitter so that those who wait don't march in step.

        Raises StoreDown. The connection is not used again then: the next call begins anew, with the file that is there.
        """
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                self._end_snapshot()
                return action(self._connected())
            except (sqlite3.DatabaseError, OSError) as error:
                if not _is_locked(error):
                    self._disconnect()
                if not _is_locked(error) or time.monotonic() > deadline:
                    raise StoreDown(f"the session database can't be used: {error}") from error
            await asyncio.sleep(random.uniform(0.001, 0.02))

    def _connected(self) -> sqlite3.Connection:
        if not self._is_open:
            raise RuntimeError("the session store is not open")
        if self._connection is None:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            connection = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                for statement in ("PRAGMA journal_mode = WAL", f"PRAGMA synchronous = {self._synchronous}", *_TABLES):
                    connection.execute(statement)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            self._file = _identity(self._path)
        return self._connection


def _identity(path: Path) -> tuple[int, int] | None:
    """Gives what tells a file from others that had its name; None where there is none."""
    with suppress(OSError):
        return (status := path.stat()).st_dev, status.st_ino
    return None


def _write_together(connection: sqlite3.Connection, writes: Sequence[_Write]) -> list[int | None]:
    """Makes all of the writes, or none. Gives how many rows each of them wrote."""
    if len(writes) == 1:
        return [connection.execute(writes[0].statement, writes[0].values).rowcount]
    with _transaction(connection):
        return [connection.execute(write.statement, write.values).rowcount for write in writes]


def _write_marked(
    connection: sqlite3.Connection,
    statement: str,
    values: Sequence[object],
    key: str,
    version: int,
    tokens: Sequence[str],
) -> int:
    """Writes a record and its tokens, or neither. Gives how many records it wrote."""
    with _transaction(connection):
        rows = connection.execute(statement, values).rowcount
        if rows == 1:
            connection.execute(_UNMARK, (key,))
            connection.executemany(_MARK, [(token, key, version) for token in set(tokens)])
    return rows


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commits what is done in the block, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _step(connection: sqlite3.Connection, start: int, rows: int, now: float) -> tuple[int, int]:
    """Removes what has expired among the rows after `start`. Gives the last of them, 0 at the end, and how many."""
    last, seen = connection.execute(_STEP, (start, rows)).fetchone()
    removed = connection.execute(_SWEEP, (start, last, now)).rowcount if seen else 0
    return (last if seen == rows else 0), removed


def _is_locked(error: Exception) -> bool:
    # The primary code is in the low byte: SQLITE_BUSY_RECOVERY and _SNAPSHOT are kinds of SQLITE_BUSY.
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
