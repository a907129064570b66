"""Sessions in one table of PostgreSQL, which the driver makes when it is first used. Each call is one statement."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from hybridsite.errors import DriverError
from hybridsite.sessions.postgres_connections import Act, Connection, Connections
from hybridsite.sessions.store import Conflict, Needs, Reach, Record, StoreDown

_log = logging.getLogger("hybridsite.sessions")

_T = TypeVar("_T")

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,47}(\.[a-z_][a-z0-9_]{0,47})?")
# Every process takes this lock to make the table: CREATE TABLE IF NOT EXISTS fails where two do so at once.
_MAKING = 0x68796272_69647365
# A row is written anew in the page where it was, without a change to any index, as long as there is room: so some is
# left, and there is no index on expires.
_MAKE = (
    """
CREATE TABLE IF NOT EXISTS {table} (
    key text COLLATE "C" PRIMARY KEY, data bytea NOT NULL, version bigint NOT NULL, expires timestamptz NOT NULL,
    tokens text[] NOT NULL
) WITH (fillfactor = 70)
""",
    "CREATE INDEX IF NOT EXISTS {name}_tokens ON {table} USING gin (tokens) WHERE tokens <> '{{}}'",
)
_LEFT = "extract(epoch FROM expires - now())::float8"
_READ = f"SELECT data, version, {_LEFT} FROM {{table}} WHERE key = %s AND expires > now()"
_CREATE = """
INSERT INTO {table} AS old (data, version, expires, tokens, key) VALUES (%s, %s, now() + %s, %s::text[], %s)
ON CONFLICT (key) DO UPDATE
SET data = excluded.data, version = excluded.version, expires = excluded.expires, tokens = excluded.tokens
WHERE old.expires <= now()
"""
_REPLACE = """
UPDATE {table} SET data = %s, version = %s, expires = now() + %s, tokens = %s::text[]
WHERE key = %s AND version = %s AND expires > now()
"""
_TOUCH = "UPDATE {table} SET expires = now() + %s WHERE key = %s AND version = %s AND expires > now()"
_DELETE = "DELETE FROM {table} WHERE key = %s"
_DELETE_VERSION = "DELETE FROM {table} WHERE key = %s AND version = %s AND expires > now()"
_FIND = """
SELECT key FROM {table} WHERE tokens @> ARRAY[%s]::text[] AND tokens <> '{{}}' AND expires > now() AND key > %s
ORDER BY key LIMIT %s
"""
_SCAN = f"SELECT key, data, version, {_LEFT} FROM {{table}} WHERE key > %s AND expires > now() ORDER BY key LIMIT %s"
_SWEEP = """
WITH step AS (SELECT key FROM {table} WHERE key > %s ORDER BY key LIMIT %s),
gone AS (DELETE FROM {table} AS old USING step WHERE old.key = step.key AND old.expires <= now() RETURNING 1)
SELECT (SELECT max(key) FROM step), (SELECT count(*) FROM step), (SELECT count(*) FROM gone)
"""

_PAGE = 100
# The rows that a sweep looks at, and how many new sessions there are to one.
_SWEEP_ROWS = 256
_SWEEP_EVERY = 64
_FIRST_VERSIONS = 2**52


class PostgresStore:
    """At most `connections` a process. Each call, connecting included, ends within `timeout` seconds.

    `url` is postgresql://, or a libpq connection string. `table` may have a schema before it.
    """

    reach: ClassVar[Reach] = "network"
    needs: ClassVar[Needs] = frozenset(("sockets",))
    environment: ClassVar[Mapping[str, str]] = {"url": "DATABASE_URL"}

    def __init__(
        self,
        url: str,
        *,
        table: str = "hybridsite_sessions",
        connections: int = 10,
        timeout: float = 2.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        try:
            conninfo_to_dict(url)
        except (psycopg.Error, TypeError):
            mend = "use postgresql://user:password@host:5432/database"
            raise DriverError("the url of the session driver postgres can't be used", mend=mend) from None
        if not _NAME.fullmatch(table):
            raise DriverError(f"the table of the session driver postgres is {table!r}", mend="use small letters and _")
        self._url = url
        self._table = table
        self._most = connections
        self._timeout = timeout
        self._clock = clock
        self._connections: Connections | None = None
        self._made = False
        self._created = 0
        self._swept = ""  # the last key that was looked at
        self._sweeping: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connects to nothing yet, so that a server starts while the database is down."""
        self._connections = Connections(self._url, most=self._most, timeout=self._timeout)

    async def close(self) -> None:
        """Closes every connection."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.wait({self._sweeping})
        connections, self._connections = self._connections, None
        if connections is not None:
            await connections.close()

    async def read(self, key: str) -> Record | None:
        """Gives the record, or None."""
        rows = await self._rows(_READ, (key,))
        return None if not rows else self._record(*rows[0])

    async def write(
        self, key: str, data: bytes, *, expected: int | None, ttl: float, tokens: Sequence[str] = ()
    ) -> int:
        """Stores a record at the version it expects. Raises Conflict."""
        version = random.randrange(1, _FIRST_VERSIONS) if expected is None else expected + 1
        values = (data, version, timedelta(seconds=ttl), list(tokens), key)
        if not await self._change(*((_CREATE, values) if expected is None else (_REPLACE, (*values, expected)))):
            raise Conflict
        if expected is None:
            self._created += 1
            if self._created % _SWEEP_EVERY == 0 and (self._sweeping is None or self._sweeping.done()):
                self._sweeping = asyncio.create_task(self._sweep_on())
        return version

    async def delete(self, key: str, *, expected: int | None = None) -> None:
        """Removes a record. Raises Conflict."""
        if expected is None:
            await self._change(_DELETE, (key,))
        elif not await self._change(_DELETE_VERSION, (key, expected)):
            raise Conflict

    async def touch(self, key: str, *, expected: int, ttl: float) -> bool:
        """Moves the end of a record."""
        return await self._change(_TOUCH, (timedelta(seconds=ttl), key, expected))

    async def find(self, token: str) -> AsyncIterator[str]:
        """Gives the keys of the records with this token."""
        key = ""
        while rows := await self._rows(_FIND, (token, key, _PAGE)):
            for (key,) in rows:
                yield key

    async def scan(self) -> AsyncIterator[tuple[str, Record]]:
        """Gives every record."""
        last = ""
        while rows := await self._rows(_SCAN, (last, _PAGE)):
            for key, *parts in rows:
                yield key, self._record(*parts)
            last = rows[-1][0]

    async def sweep(self, most: int = 1000) -> int:
        """Removes records that have expired."""
        removed, last = 0, ""
        while removed < most:
            last, count = await self._step(last, min(_SWEEP_ROWS, most - removed))
            removed += count
            if not last:
                break
        return removed

    async def _sweep_on(self) -> None:
        """Takes a step on, and begins again at the end. What fails is left to the next time."""
        try:
            self._swept, _ = await self._step(self._swept, _SWEEP_ROWS)
        except StoreDown as down:
            _log.warning("expired sessions were not removed: %s", down)

    async def _step(self, start: str, rows: int) -> tuple[str, int]:
        """Removes what has expired among the rows after `start`. Gives the last one, "" at the end, and how many."""
        ((last, seen, removed),) = await self._rows(_SWEEP, (start, rows), again=False)
        return (last if seen == rows else ""), removed

    def _record(self, data: bytes, version: int, left: float) -> Record:
        return Record(data, version, self._clock() + left)

    async def _change(self, statement: str, values: Sequence[object]) -> bool:
        async def act(connection: Connection) -> bool:
            return (await connection.execute(self._sql(statement), values)).rowcount == 1

        return await self._call(act)

    async def _rows(self, statement: str, values: Sequence[object], *, again: bool = True) -> list[tuple[Any, ...]]:
        async def act(connection: Connection) -> list[tuple[Any, ...]]:
            return await (await connection.execute(self._sql(statement), values, binary=True)).fetchall()

        return await self._call(act, again=again)

    def _sql(self, statement: str) -> bytes:
        return statement.format(table=self._table, name=self._table.rpartition(".")[2]).encode()

    async def _call(self, act: Act[_T], *, again: bool = False) -> _T:
        if self._connections is None:
            raise RuntimeError("the session store is not open")
        try:
            return await self._connections.use(lambda connection: self._with_table(connection, act), again=again)
        except StoreDown as down:
            if isinstance(down.__cause__, psycopg.errors.UndefinedTable):
                self._made = False  # the next call makes it
            raise

    async def _with_table(self, connection: Connection, act: Act[_T]) -> _T:
        if not self._made:
            (found,) = await (await connection.execute("SELECT to_regclass(%s)", (self._table,))).fetchone() or (None,)
            if found is None:
                async with connection.transaction():
                    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
                    for statement in _MAKE:
                        await connection.execute(self._sql(statement))
            self._made = True
        return await act(connection)
