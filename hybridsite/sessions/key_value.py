"""Sessions in any store of py-key-value-aio: for what has no driver of its own.

Such a store can't compare and swap. Within one process every promise holds, since the calls on a key take turns. Where
two processes write one session in the same moment, the later write wins as a whole, and the other's changes are lost.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from hybridsite.errors import DriverError, SessionDataError
from hybridsite.sessions.store import Conflict, Needs, Reach, Record, StoreDown

_T = TypeVar("_T")

_FIRST_VERSIONS = 2**52
# What a token's entry outlives its record by, in seconds: the time between the two calls, and more.
_MARGIN = 60.0
_MOST_KEYS = 10_000  # what such stores list at most


class _Item(NamedTuple):
    """A record with its tokens."""

    record: Record
    tokens: list[str]


class KeyValueStore:
    """The store that `store` names as "package.module:Name", made with the other options.

    Each call ends within `timeout` seconds. Records lie in the collection `collection`, tokens in another.
    """

    reach: ClassVar[Reach] = "network"
    needs: ClassVar[Needs] = frozenset(("sockets",))

    def __init__(
        self,
        store: str,
        *,
        collection: str = "hybridsite-sessions",
        timeout: float = 2.0,
        clock: Callable[[], float] = time.time,
        **options: Any,
    ) -> None:
        self._make = _class(store)
        self._name = store
        self._options = options
        self._collection = collection
        self._timeout = timeout
        self._clock = clock
        self._store: Any = None
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def open(self) -> None:
        """Makes the store. It connects when it is first used. Raises DriverError where its options don't fit."""
        try:
            self._store = self._make(**self._options)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            raise DriverError(f"the store {self._name} can't be made with its options", why=why) from error

    async def close(self) -> None:
        """Closes the store, if it can be closed."""
        store, self._store = self._store, None
        if hasattr(store, "close"):
            await store.close()

    async def read(self, key: str) -> Record | None:
        """Gives the record, or None."""
        item = await self._item(key)
        return None if item is None else item.record

    async def write(
        self, key: str, data: bytes, *, expected: int | None, ttl: float, tokens: Sequence[str] = ()
    ) -> int:
        """Stores a record at the version it expects. Raises Conflict."""
        async with self._turn(key):
            item = await self._item(key)
            if (None if item is None else item.record.version) != expected:
                raise Conflict
            version = random.randrange(1, _FIRST_VERSIONS) if expected is None else expected + 1
            await self._put(key, data, version, ttl, list(tokens))
            return version

    async def delete(self, key: str, *, expected: int | None = None) -> None:
        """Removes a record. Raises Conflict."""
        async with self._turn(key):
            if expected is not None:
                item = await self._item(key)
                if item is None or item.record.version != expected:
                    raise Conflict
            await self._call(self._store.delete(key, collection=self._collection))

    async def touch(self, key: str, *, expected: int, ttl: float) -> bool:
        """Moves the end of a record."""
        async with self._turn(key):
            item = await self._item(key)
            if item is None or item.record.version != expected:
                return False
            await self._put(key, item.record.data, expected, ttl, item.tokens)
            return True

    async def find(self, token: str) -> AsyncIterator[str]:
        """Gives the keys of the records with this token."""
        for key in await self._marked(token):
            item = await self._item(key)
            if item is not None and token in item.tokens:
                yield key

    async def scan(self) -> AsyncIterator[tuple[str, Record]]:
        """Gives every record, up to 10,000. Raises DriverError where the store can't list its keys."""
        if not hasattr(self._opened(), "keys"):
            raise DriverError(f"the store {self._name} can't list what it holds", mend="use another for such commands")
        for key in await self._call(self._store.keys(collection=self._collection, limit=_MOST_KEYS)):
            record = await self.read(key)
            if record is not None:
                yield key, record

    async def sweep(self, most: int = 1000) -> int:
        """Removes nothing: each record is given to the store with its time to live."""
        return 0

    def _turn(self, key: str) -> asyncio.Lock:
        """Gives the lock of a key, which is there as long as somebody holds it or waits for it."""
        return self._locks.setdefault(key, asyncio.Lock())

    async def _item(self, key: str) -> _Item | None:
        value = await self._call(self._opened().get(key, collection=self._collection))
        if value is None:
            return None
        try:
            record = Record(base64.b64decode(value["data"], validate=True), value["version"], value["expires"])
            item = _Item(record, list(value["tokens"]))
            return item if record.expires > self._clock() else None
        except (KeyError, TypeError, ValueError) as error:
            why = "another program's value has its key; it is left as it is"
            raise SessionDataError("a stored session can't be read", why=why) from error

    async def _put(self, key: str, data: bytes, version: int, ttl: float, tokens: list[str]) -> None:
        """Stores a record, and before it the entries of its tokens, so that they are never without."""
        expires = self._clock() + ttl
        for token in set(tokens):
            async with self._turn(f"token {token}"):
                marked = await self._marked(token)
                marked[key] = max(expires + _MARGIN, marked.get(key, 0.0))
                longest = max(marked.values()) - self._clock()
                await self._call(
                    self._store.put(token, {"keys": marked}, collection=f"{self._collection}-tokens", ttl=longest)
                )
        value = {"data": base64.b64encode(data).decode(), "version": version, "expires": expires, "tokens": tokens}
        await self._call(self._store.put(key, value, collection=self._collection, ttl=ttl))

    async def _marked(self, token: str) -> dict[str, float]:
        """Gives the keys that may have a token, with the times until which."""
        value = await self._call(self._opened().get(token, collection=f"{self._collection}-tokens"))
        now = self._clock()
        return {key: ends for key, ends in (value or {}).get("keys", {}).items() if ends > now}

    def _opened(self) -> Any:
        if self._store is None:
            raise RuntimeError("the session store is not open")
        return self._store

    async def _call(self, call: Awaitable[_T]) -> _T:
        """Makes a call in bounded time. Raises StoreDown, whatever the store's own way to fail is."""
        try:
            async with asyncio.timeout(self._timeout):
                return await call
        except TimeoutError as error:
            raise StoreDown(f"{self._name} did not answer in {self._timeout} s") from error
        except Exception as error:
            raise StoreDown(f"{self._name} can't be used: {type(error).__name__}: {error}") from error


def _class(place: str) -> Callable[..., Any]:
    """Imports the class of a store. Raises DriverError."""
    mend = (
        'name it as "package.module:Name", such as "key_value.aio.stores.memory:MemoryStore", and install what it needs'
    )
    try:
        module, _, name = place.partition(":")
        found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except Exception as error:  # the module is run, and may raise anything
        why = f"{type(error).__name__}: {error}"
        raise DriverError(f"the store {place!r} of the driver key-value can't be loaded", why=why, mend=mend) from error
    if missing := [part for part in ("get", "put", "delete") if not hasattr(found, part)]:
        why = f"it lacks {', '.join(missing)}"
        raise DriverError(f"the store {place!r} of the driver key-value is no key-value store", why=why, mend=mend)
    return found
