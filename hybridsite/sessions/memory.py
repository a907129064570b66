"""Sessions in the memory of one process: for tests and trials. They end with the process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from hybridsite.sessions.store import Conflict, Record


class MemoryStore:
    """A dict with versions. Expired records are dropped when they are met, and in passing when the dict has grown."""

    shared: ClassVar[bool] = False

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._records: dict[str, Record] = {}
        self._sweep_at = 1024

    async def open(self) -> None:
        """Does nothing."""

    async def close(self) -> None:
        """Forgets every session."""
        self._records.clear()

    async def read(self, key: str) -> Record | None:
        """Gives the record, or None."""
        return self._live(key)

    async def write(self, key: str, data: bytes, *, expected: int | None, ttl: float) -> int:
        """Stores a record at the version it expects. Raises Conflict."""
        record = self._live(key)
        if (record.version if record else None) != expected:
            raise Conflict
        version = (expected or 0) + 1
        self._records[key] = Record(data, version, self._clock() + ttl)
        self._drop_expired()
        return version

    async def delete(self, key: str, *, expected: int | None = None) -> None:
        """Removes a record. Raises Conflict."""
        record = self._live(key)
        if expected is not None and (record is None or record.version != expected):
            raise Conflict
        self._records.pop(key, None)

    async def touch(self, key: str, *, ttl: float) -> bool:
        """Moves the end of a record."""
        record = self._live(key)
        if record is None:
            return False
        self._records[key] = record._replace(expires=self._clock() + ttl)
        return True

    def _live(self, key: str) -> Record | None:
        record = self._records.get(key)
        if record is None or record.expires <= self._clock():
            return None
        return record

    def _drop_expired(self) -> None:
        if len(self._records) < self._sweep_at:
            return
        now = self._clock()
        self._records = {key: record for key, record in self._records.items() if record.expires > now}
        self._sweep_at = max(1024, 2 * len(self._records))
