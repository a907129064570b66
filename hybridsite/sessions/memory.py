"""Sessions in the memory of one process: for tests and trials. They end with the process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from hybridsite.sessions.store import Conflict, Record

_SWEEP_AT = 1000  # below so many records none is removed before somebody asks for it


class MemoryStore:
    """A dict with versions. Records that have expired are removed each time that it has doubled."""

    shared: ClassVar[bool] = False

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._records: dict[str, Record] = {}
        self._sweep_at = _SWEEP_AT

    async def open(self) -> None:
        """Does nothing."""

    async def close(self) -> None:
        """Forgets every session."""
        self._records.clear()

    async def read(self, key: str) -> Record | None:
        """Gives the record, or None."""
        record = self._records.get(key)
        if record is not None and record.expires <= self._clock():
            del self._records[key]
            return None
        return record

    async def write(self, key: str, data: bytes, *, expected: int | None, ttl: float) -> int:
        """Stores a record at the version it expects. Raises Conflict."""
        record = await self.read(key)
        if (None if record is None else record.version) != expected:
            raise Conflict
        version = 1 if expected is None else expected + 1
        self._records[key] = Record(data, version, self._clock() + ttl)
        if len(self._records) > self._sweep_at:
            self._sweep()
        return version

    async def delete(self, key: str, *, expected: int | None = None) -> None:
        """Removes a record. Raises Conflict."""
        record = await self.read(key)
        if expected is not None and (record is None or record.version != expected):
            raise Conflict
        self._records.pop(key, None)

    async def touch(self, key: str, *, expected: int, ttl: float) -> bool:
        """Moves the end of a record."""
        record = await self.read(key)
        if record is None or record.version != expected:
            return False
        self._records[key] = record._replace(expires=self._clock() + ttl)
        return True

    def _sweep(self) -> None:
        now = self._clock()
        self._records = {key: record for key, record in self._records.items() if record.expires > now}
        self._sweep_at = max(_SWEEP_AT, 2 * len(self._records))
