"""A cache's store whose calls are watched: how long each takes. What they carry is nobody's to see."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from hybridsite.cache.entry import Entry
from hybridsite.cache.store import CacheStore, Looked


class WatchedCache:
    """A store that does what another does, with something around each call, which is told its name alone."""

    def __init__(self, store: CacheStore, around: Callable[[str], AbstractContextManager[None]]) -> None:
        self._store = store
        self._around = around

    async def open(self) -> None:
        """Connects."""
        await self._store.open()

    async def close(self) -> None:
        """Lets go of every connection."""
        await self._store.close()

    async def look(self, key: str, *, claim: bool) -> Looked:
        """Looks an entry up."""
        with self._around("look"):
            return await self._store.look(key, claim=claim)

    async def keep(self, key: str, entry: Entry, since: object) -> bool:
        """Keeps an entry."""
        with self._around("keep"):
            return await self._store.keep(key, entry, since)

    async def release(self, key: str, since: object) -> None:
        """Ends a claim of which nothing came."""
        with self._around("release"):
            await self._store.release(key, since)

    async def drop(self, key: str) -> None:
        """Forgets an entry."""
        with self._around("drop"):
            await self._store.drop(key)

    async def invalidate(self, marks: Sequence[str]) -> None:
        """Makes every entry with one of these marks one that isn't there."""
        with self._around("invalidate"):
            await self._store.invalidate(marks)

    async def note(self, notes: Mapping[str, bytes], lifetime: float) -> None:
        """Keeps texts by their names."""
        with self._around("note"):
            await self._store.note(notes, lifetime)

    async def noted(self, names: Sequence[str]) -> dict[str, bytes]:
        """Gives those of some notes that are there."""
        with self._around("noted"):
            return await self._store.noted(names)
