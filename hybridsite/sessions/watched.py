"""A session store whose calls are watched: how long each takes, and which fail. What they carry is nobody's to see."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager

from hybridsite.sessions.store import Reach, Record, SessionStore

Around = Callable[[str], AbstractContextManager[None]]
"""Stands around a call, and is told its name alone."""


class WatchedStore:
    """A store that does what another does. What a guard may ask of that one beside the protocol, it has too."""

    def __init__(self, store: SessionStore, around: Around) -> None:
        self._store = store
        self._around = around
        self.by_turns: bool = getattr(store, "by_turns", False)
        self._at_once: Callable[[str], Record | None] | None = getattr(store, "read_at_once", None)
        self.reads_at_once: bool = getattr(store, "reads_at_once", False) and self._at_once is not None

    @property
    def reach(self) -> Reach:
        """Who shares what the store holds."""
        return self._store.reach

    async def open(self) -> None:
        """Connects."""
        with self._around("open"):
            await self._store.open()

    async def close(self) -> None:
        """Lets go of every connection."""
        await self._store.close()

    def read_at_once(self, key: str) -> Record | None:
        """Gives a record without waiting. Raises Later."""
        assert self._at_once is not None
        with self._around("read"):
            return self._at_once(key)

    async def read(self, key: str) -> Record | None:
        """Gives a record."""
        with self._around("read"):
            return await self._store.read(key)

    async def write(
        self, key: str, data: bytes, *, expected: int | None, ttl: float, tokens: Sequence[str] = ()
    ) -> int:
        """Stores a record."""
        with self._around("write"):
            return await self._store.write(key, data, expected=expected, ttl=ttl, tokens=tokens)

    async def delete(self, key: str, *, expected: int | None = None) -> None:
        """Removes a record."""
        with self._around("delete"):
            await self._store.delete(key, expected=expected)

    async def touch(self, key: str, *, expected: int, ttl: float) -> bool:
        """Moves the end of a record."""
        with self._around("touch"):
            return await self._store.touch(key, expected=expected, ttl=ttl)

    def find(self, token: str) -> AsyncIterator[str]:
        """Gives the keys of the records with this token; how long that takes goes by who asks."""
        return self._store.find(token)

    def scan(self) -> AsyncIterator[tuple[str, Record]]:
        """Gives every record; how long that takes goes by who asks."""
        return self._store.scan()

    async def sweep(self, most: int = 1000) -> int:
        """Removes what has expired."""
        with self._around("sweep"):
            return await self._store.sweep(most)
