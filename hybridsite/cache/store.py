"""The protocol of a cache's store: entries by key, marks that invalidate those made before, and notes beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from hybridsite.cache.entry import Entry


class Looked(NamedTuple):
    """What a store has under a key: the entry and its age in seconds.

    `mine` where it is the asker's turn to make a new one. `since` is what `keep` has to be told: what was invalidated
    after this look is not kept. `moment` is the same for two looks between which nothing was invalidated.
    """

    entry: Entry | None
    age: float
    mine: bool
    since: object
    moment: object


class CacheStore(Protocol):
    """Keeps entries. A store that doesn't answer has nothing: no call raises for that."""

    async def open(self) -> None:
        """Connects."""

    async def close(self) -> None:
        """Lets go of every connection."""

    async def look(self, key: str, *, claim: bool) -> Looked:
        """Looks an entry up, a stale one too. `claim` where the asker would make a new one if it has to be made."""

    async def keep(self, key: str, entry: Entry, since: object) -> bool:
        """Keeps an entry, unless one of its marks was invalidated since. Ends the claim."""

    async def release(self, key: str, since: object) -> None:
        """Ends a claim of which nothing came."""

    async def drop(self, key: str) -> None:
        """Forgets an entry."""

    async def invalidate(self, marks: Sequence[str]) -> None:
        """Makes every entry with one of these marks one that isn't there, those under way too."""

    async def note(self, notes: Mapping[str, bytes], lifetime: float) -> None:
        """Keeps texts by their names for `lifetime` seconds, for all who share the store. Nothing invalidates them."""

    async def noted(self, names: Sequence[str]) -> dict[str, bytes]:
        """Gives those of some notes that are there."""
