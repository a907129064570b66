"""The protocol of a session store: bytes by key, with a version that a write has to expect."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import ClassVar, Literal, NamedTuple, Protocol

from hybridsite.capabilities import Capability

# Who shares what a store holds: one process alone, those of one machine, or those of every machine that is connected.
Reach = Literal["process", "machine", "network"]
# What a store has to find on the host.
Needs = frozenset[Capability]


class Record(NamedTuple):
    """What a store holds under a key: the bytes, the version that the next write has to expect, and when it ends.

    `expires` is in seconds since the epoch.
    """

    data: bytes
    version: int
    expires: float


class Conflict(Exception):
    """A write expected a version that is no longer the stored one."""


class StoreDown(Exception):
    """The store does not answer: it is unreachable, too slow, full, read-only, or failing over. `__cause__` says why.

    Nothing is known of the call that failed: a write may have been stored. The next call tries anew.
    """


class Later(Exception):
    """A store can't answer without waiting; asked in the usual way it will, or say what is wrong."""


class SessionStore(Protocol):
    """Keeps sessions as bytes. It never sees a cookie, an identifier or a request; its keys are hashes.

    A store is opened once a process. Times to live are in seconds. A record that has expired is one that isn't there,
    for every call. Any call may raise StoreDown, and does so in bounded time.

    `needs`, a set of `capabilities.Capability`, says what it has to find on the host; a store that doesn't say it needs
    what others of its reach do: the process that stays, the file system, or connections of its own.
    """

    reach: ClassVar[Reach]

    async def open(self) -> None:
        """Connects, and makes what the store needs. Several processes may do so at once."""

    async def close(self) -> None:
        """Lets go of every connection."""

    async def read(self, key: str) -> Record | None:
        """Gives the record, or None."""

    async def write(
        self, key: str, data: bytes, *, expected: int | None, ttl: float, tokens: Sequence[str] = ()
    ) -> int:
        """Stores a record and gives its new version. Raises Conflict unless the stored version is `expected`.

        None expects that there is no record. `tokens` are opaque text under which `find` gives the key; they take the
        place of those that the record had.
        """

    async def delete(self, key: str, *, expected: int | None = None) -> None:
        """Removes a record; where `expected` is given, raises Conflict unless that is its version."""

    async def touch(self, key: str, *, expected: int, ttl: float) -> bool:
        """Moves the end of a record to `ttl` from now, and keeps its version. False, and no change, unless `expected`.

        Without a look at the version it would prolong the tombstone of a session that ended meanwhile.
        """

    def find(self, token: str) -> AsyncIterator[str]:
        """Gives the keys of the records that were written last with this token.

        A record that is written meanwhile may be given or not.
        """

    def scan(self) -> AsyncIterator[tuple[str, Record]]:
        """Gives every record, in steps between which others have their turn.

        It is no snapshot: what is there from the beginning to the end is given once at least; for the rest it is open.
        """

    async def sweep(self, most: int = 1000) -> int:
        """Removes up to `most` records that have expired, with what belongs to them, and gives how many.

        Less than `most` says that no more were found. A store that removes them by itself gives 0.
        """
