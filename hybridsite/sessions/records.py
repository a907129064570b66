"""Sessions in their store: read and written as a whole, at the version that is expected, and tried again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar
from weakref import WeakValueDictionary

from hybridsite.errors import SessionValueError
from hybridsite.sessions.codec import TOMBSTONE, Contents, pack_record, unpack_record
from hybridsite.sessions.index import SessionIndex
from hybridsite.sessions.lifetime import Lifetime
from hybridsite.sessions.outage import Budget, GuardedStore
from hybridsite.sessions.session import Stored
from hybridsite.sessions.store import Conflict

_TOMBSTONE_TTL = 60.0
# How long a save tries to come between other requests' saves, and its longest pause, in seconds.
_PATIENCE = 10.0
_PAUSE = 0.01

_T = TypeVar("_T")


class Records:
    """What the manager and the office do with a store. Every call may raise StoreDown."""

    def __init__(self, store: GuardedStore, lifetime: Lifetime, index: SessionIndex, max_size: int) -> None:
        self.store = store
        self.lifetime = lifetime
        self.index = index
        self._max_size = max_size
        # A lock is there as long as somebody holds it or waits for it.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def read(self, key: str, budget: Budget, *, first: bool = False) -> Stored | None:
        """Gives a session, or None where there is none, for a tombstone, and for one that is over its age.

        `first` tells that none of the request's code has run yet. Raises SessionDataError.
        """
        record = await self.store.read(key, budget, first=first)
        if record is None:
            return None
        contents = unpack_record(record.data)
        if contents is None or self.lifetime.is_over(contents):
            return None
        return Stored(record.version, record.expires, contents)

    async def write(self, key: str, contents: Contents, budget: Budget, *, expected: int | None, ttl: float) -> int:
        """Stores a session with its tokens, and gives its new version. Raises Conflict, SessionValueError."""
        data, tokens = self._packed(contents), self.index.tokens(contents.entries)
        return await self.store.write(key, data, budget, expected=expected, ttl=ttl, tokens=tokens)

    async def end(self, key: str, budget: Budget, *, expected: int) -> int:
        """Puts a tombstone in the place of a session, so that no slower request brings it back. Raises Conflict."""
        return await self.store.write(key, TOMBSTONE, budget, expected=expected, ttl=_TOMBSTONE_TTL)

    async def retried(
        self, key: str, budget: Budget, loaded: Stored, attempt: Callable[[Stored], Awaitable[_T]]
    ) -> _T | None:
        """Calls `attempt` with the session as it was loaded, then, after a Conflict, with what is stored by then.

        Gives None once nothing is. Raises TimeoutError. After the first conflict the requests of this process take
        turns, or each would make most of the others start again.
        """
        try:
            return await attempt(loaded)
        except Conflict:
            pass
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            async with asyncio.timeout(_PATIENCE) as limit, lock:
                while (stored := await self.read(key, budget)) is not None:
                    try:
                        return await attempt(stored)
                    except Conflict:
                        await asyncio.sleep(random.uniform(0, _PAUSE))
        except TimeoutError:
            if not limit.expired():
                raise
            raise TimeoutError(f"a session was not saved in {_PATIENCE:.0f} s: others wrote it all the while") from None
        return None

    def _packed(self, contents: Contents) -> bytes:
        data = pack_record(contents)
        if len(data) > self._max_size:
            sizes = {repr(key): len(entry.data) for key, entry in contents.entries.items()}
            sizes["flash()"] = sum(len(flash.data) for flash in contents.flashes)
            sizes["action_result"] = len(contents.carried.data) if contents.carried else 0
            largest = max(sizes, key=sizes.__getitem__)
            raise SessionValueError(
                f"the session would have {len(data)} bytes, over [session] max_size = {self._max_size}",
                why=f"its largest value, {largest}, has {sizes[largest]}",
                mend="keep large data elsewhere, and its key in the session",
            )
        return data
