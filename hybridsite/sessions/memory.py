"""Sessions in the memory of one process: for tests and trials. They end with the process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import ClassVar

from hybridsite.sessions.store import Conflict, Needs, Reach, Record

_SWEEP_AT = 1000  # below so many records none is removed before somebody asks for it
_STEP = 1000  # how many records are looked at before others have their turn


class MemoryStore:
    """A dict with versions. Records that have expired are removed each time that it has doubled."""

    reach: ClassVar[Reach] = "process"
    needs: ClassVar[Needs] = frozenset(("process",))

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._records: dict[str, Record] = {}
        self._tokens: dict[str, Sequence[str]] = {}  # of the keys that have some
        self._keys: dict[str, set[str]] = {}  # by token
        self._sweep_at = _SWEEP_AT

    async def open(self) -> None:
        """Does nothing."""

    async def close(self) -> None:
        """Forgets every session."""
        for kept in (self._records, self._tokens, self._keys):
            kept.clear()

    async def read(self, key: str) -> Record | None:
        """Gives the record, or None."""
        record = self._records.get(key)
        if record is not None and record.expires <= self._clock():
            self._remove(key)
            return None
        return record

    async def write(
        self, key: str, data: bytes, *, expected: int | None, ttl: float, tokens: Sequence[str] = ()
    ) -> int:
        """Stores a record at the version it expects. Raises Conflict."""
        record = await self.read(key)
        if (None if record is None else record.version) != expected:
            raise Conflict
        version = 1 if expected is None else expected + 1
        self._records[key] = Record(data, version, self._clock() + ttl)
        if tokens or key in self._tokens:
            self._mark(key, tokens)
        if len(self._records) > self._sweep_at:
            self._sweep(len(self._records))
            self._sweep_at = max(_SWEEP_AT, 2 * len(self._records))
        return version

    async def delete(self, key: str, *, expected: int | None = None) -> None:
        """Removes a record. Raises Conflict."""
        record = await self.read(key)
        if expected is not None and (record is None or record.version != expected):
            raise Conflict
        self._remove(key)

    async def touch(self, key: str, *, expected: int, ttl: float) -> bool:
        """Moves the end of a record."""
        record = await self.read(key)
        if record is None or record.version != expected:
            return False
        self._records[key] = record._replace(expires=self._clock() + ttl)
        return True

    async def find(self, token: str) -> AsyncIterator[str]:
        """Gives the keys of the records with this token."""
        for key in list(self._keys.get(token, ())):
            if await self.read(key) is not None:
                yield key

    async def scan(self) -> AsyncIterator[tuple[str, Record]]:
        """Gives every record."""
        for number, key in enumerate(list(self._records), 1):
            record = await self.read(key)
            if record is not None:
                yield key, record
            if number % _STEP == 0:
                await asyncio.sleep(0)

    async def sweep(self, most: int = 1000) -> int:
        """Removes records that have expired."""
        return self._sweep(most)

    def _sweep(self, most: int) -> int:
        now = self._clock()
        ended = [key for key, record in self._records.items() if record.expires <= now][:most]
        for key in ended:
            self._remove(key)
        return len(ended)

    def _remove(self, key: str) -> None:
        self._records.pop(key, None)
        if key in self._tokens:
            self._mark(key, ())

    def _mark(self, key: str, tokens: Sequence[str]) -> None:
        """Puts tokens in the place of those that a key has."""
        for token in self._tokens.pop(key, ()):
            keys = self._keys[token]
            keys.discard(key)
            if not keys:
                del self._keys[token]
        if tokens:
            self._tokens[key] = tuple(set(tokens))
            for token in self._tokens[key]:
                self._keys.setdefault(token, set()).add(key)
