"""The protocol of a session store: bytes by key, with a version that a write has to expect."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, Protocol


class Record(NamedTuple):
    """What a store holds under a key: the bytes, the version that the next write has to expect, and when it ends.

    `expires` is in seconds since the epoch.
    """

    data: bytes
    version: int
    expires: float


class Conflict(Exception):
    """A write expected a version that is no longer the stored one."""


class SessionStore(Protocol):
    """Keeps sessions as bytes. It never sees a cookie, an identifier or a request; its keys are hashes.

    A store is opened once a process. `shared` tells whether several processes may use it at once. Times to live are in
    seconds. A record that has expired is one that isn't there, for every call.
    """

    shared: ClassVar[bool]

    async def open(self) -> None:
        """Connects, and makes what the store needs. Several processes may do so at once."""

    async def close(self) -> None:
        """Lets go of every connection."""

    async def read(self, key: str) -> Record | None:
        """Gives the record, or None."""

    async def write(self, key: str, data: bytes, *, expected: int | None, ttl: float) -> int:
        """Stores a record and gives its new version. Raises Conflict unless the stored version is `expected`.

        None expects that there is no record.
        """

    async def delete(self, key: str, *, expected: int | None = None) -> None:
        """Removes a record; where `expected` is given, raises Conflict unless that is its version."""

    async def touch(self, key: str, *, expected: int, ttl: float) -> bool:
        """Moves the end of a record to `ttl` from now, and keeps its version. False, and no change, unless `expected`.

        Without a look at the version it would prolong the tombstone of a session that ended meanwhile.
        """
