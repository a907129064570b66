"""Kept answers in the memory of one process, of a bounded size: what was used least lately goes first."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from hybridsite.cache.entry import Entry
from hybridsite.cache.store import Looked

Header = tuple[bytes, bytes]
_MOST_MARKS = 10_000
"""From so many invalidated marks on all is forgotten, marks and entries, so that neither grows for ever."""


class Held:
    """An entry with its times. `ready` has the headers of the whole answer, where they are the same for everybody."""

    __slots__ = ("checked", "entry", "key", "made", "raw", "ready", "since")

    def __init__(self, key: str, entry: Entry, made: float, since: int) -> None:
        self.key = key
        self.entry = entry
        self.made = made
        self.since = since
        self.checked = since
        self.raw: bytes | None = None
        self.ready: Sequence[Header] = ()


class MemoryStore:
    """A dict in the order of use. `max_size` is in bytes."""

    def __init__(self, *, max_size: int = 64 * 2**20, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_size = max_size
        self._clock = clock
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._by_raw: dict[bytes, Held] = {}
        self._size = 0
        self._now = 0  # counts invalidations
        self._marks: dict[str, int] = {}
        self._forgotten = 0  # what was made before is not there any more

    async def open(self) -> None:
        """Does nothing."""

    async def close(self) -> None:
        """Forgets everything."""
        self._clear()

    @property
    def size(self) -> int:
        """How many bytes the entries take."""
        return self._size

    async def look(self, key: str, *, claim: bool) -> Looked:
        """Looks an entry up."""
        held = self._held.get(key)
        if held is None or not self._is_valid(held):
            return Looked(None, 0.0, claim, self._now, self._now)
        self._held.move_to_end(key)
        return Looked(held.entry, self._clock() - held.made, claim, self._now, self._now)

    async def keep(self, key: str, entry: Entry, since: object) -> bool:
        """Keeps an entry, unless it was invalidated meanwhile."""
        assert isinstance(since, int)
        size = entry.size + len(key)
        if size > self._max_size or since < self._forgotten or self._is_older(entry, since):
            return False
        if key in self._held:
            self._remove(self._held[key])
        self._held[key] = Held(key, entry, self._clock(), since)
        self._size += size
        while self._size > self._max_size:
            self._remove(next(iter(self._held.values())))
        return True

    async def release(self, key: str, since: object) -> None:
        """Does nothing: who makes an answer in this process is known to the process."""

    async def drop(self, key: str) -> None:
        """Forgets an entry."""
        if key in self._held:
            self._remove(self._held[key])

    async def invalidate(self, marks: Sequence[str]) -> None:
        """Makes every entry with one of these marks one that isn't there."""
        self._now += 1
        self._marks.update(dict.fromkeys(marks, self._now))
        if len(self._marks) > _MOST_MARKS:
            self._clear()

    async def note(self, notes: Mapping[str, bytes], lifetime: float) -> None:
        """Does nothing: what is noted in this process is known to the process."""

    async def noted(self, names: Sequence[str]) -> dict[str, bytes]:
        """Gives nothing."""
        return {}

    # What goes out without being made anew: an answer without any middleware around it.

    def ready(self, raw: bytes) -> tuple[Held, float] | None:
        """Gives the fresh entry that answers a path as it was sent, with its age; None where there is none."""
        held = self._by_raw.get(raw)
        if held is None:
            return None
        age = self._clock() - held.made
        if age >= held.entry.max_age or (held.checked != self._now and not self._is_valid(held)):
            return None
        self._held.move_to_end(held.key)
        return held, age

    def make_ready(self, key: str, entry: Entry, raw: bytes, headers: Sequence[Header]) -> None:
        """Lets an entry answer a path at once, with these headers."""
        held = self._held.get(key)
        if held is not None and held.entry is entry and held.raw is None:
            held.raw, held.ready = raw, headers
            self._by_raw[raw] = held

    def _is_valid(self, held: Held) -> bool:
        if held.checked != self._now:
            if self._is_older(held.entry, held.since):
                self._remove(held)
                return False
            held.checked = self._now
        if self._clock() - held.made >= held.entry.lifetime:
            self._remove(held)
            return False
        return True

    def _is_older(self, entry: Entry, since: int) -> bool:
        return any(self._marks.get(mark, 0) > since for mark in entry.marks)

    def _remove(self, held: Held) -> None:
        del self._held[held.key]
        self._size -= held.entry.size + len(held.key)
        if held.raw is not None and self._by_raw.get(held.raw) is held:
            del self._by_raw[held.raw]

    def _clear(self) -> None:
        self._held.clear()
        self._by_raw.clear()
        self._marks.clear()
        self._size = 0
        self._forgotten = self._now
