"""A store that may not answer: every call is bounded, and during an outage none is made but a probe now and then.

Reads and writes fail apart: a database that another program has locked, that is read-only or full can still be read.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Sequence
from contextlib import suppress
from typing import Any, NoReturn, TypeVar, cast

from hybridsite.errors import DriverError, SessionUnavailable, SiteError
from hybridsite.sessions.changes import Clock
from hybridsite.sessions.codec import TOMBSTONE
from hybridsite.sessions.session import Session
from hybridsite.sessions.store import Conflict, Later, Reach, Record, SessionStore, StoreDown
from hybridsite.sessions.watched import Around, WatchedStore

_log = logging.getLogger("hybridsite.sessions")

_BUDGET = 2.0
# A store that takes longer than this for one call is not well yet: with a read and a write a request would be over its
# budget, and the outage would end and begin all the time.
_WELL = 1.0
# Less than a store itself may wait for another program before it says that it can't be opened.
_OPENING = 1.5
_SWEEPING = 60.0
# Between probes, in seconds: the first comes soon, since most faults are one broken connection.
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
# A probe's record ends by itself where it could not be removed.
_PROBE_TTL = 60.0

# What a store that is well may raise: a conflict, a record that can't be read, what a driver can't do, and an end.
_ANSWERS = (Conflict, SiteError, StopAsyncIteration)

_T = TypeVar("_T")


class Budget:
    """How long a request may still wait for the store, in seconds, all its calls together."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _BUDGET


class UnavailableSession(Session):
    """A session that could not be loaded: whatever touches it raises SessionUnavailable, and nothing is saved."""

    def __init__(self, clock: Clock, cause: BaseException) -> None:
        super().__init__(None, None, None, clock)
        self._copy = _Unavailable(cause)  # type: ignore[assignment]
        self._cause = cause

    @property
    def id(self) -> str | None:
        """Raises SessionUnavailable."""
        self._change()
        return None

    def _show_flashes(self, *, use_up: bool) -> list[Any]:
        self._change()
        return []

    def _show_result(self, path: str, *, use_up: bool) -> Any:
        self._change()

    def _change(self) -> None:
        self.touched = True
        raise SessionUnavailable from self._cause


class _Unavailable:
    """Stands where a working copy would."""

    def __init__(self, cause: BaseException) -> None:
        self._cause = cause

    def __getattr__(self, name: str) -> NoReturn:
        raise SessionUnavailable from self._cause


class GuardedStore:
    """A store behind a breaker. Every call raises StoreDown where the store fails, or takes longer than the budget.

    The first failure begins an outage. From then on calls fail at once, and a task asks whether the store is back.

    A store may do more than it has to. Where `reads_at_once` is true, `read_at_once` is its way to read, without
    waiting, for a request of which no code has run yet. Where `by_turns` is true, what a call waits for first is the
    end of this turn of the loop.
    """

    def __init__(self, store: SessionStore) -> None:
        self._guard(store)
        self._reads_down = False
        self._writes_down = False
        self._down_since = 0.0
        self._well_since = 0.0
        self._probing: asyncio.Task[None] | None = None

    def _guard(self, store: SessionStore) -> None:
        self._store = store
        self._by_turns: bool = getattr(store, "by_turns", False)
        self._read_at_once: Callable[[str], Record | None] | None = None
        if getattr(store, "reads_at_once", False):
            self._read_at_once = getattr(store, "read_at_once", None)

    def watch(self, around: Around) -> None:
        """Has every call of the store watched from now on; once is enough."""
        if not isinstance(self._store, WatchedStore):
            # Its reach is that of the store, and none of its class.
            self._guard(cast(SessionStore, WatchedStore(self._store, around)))

    @property
    def is_down(self) -> bool:
        """Whether there is an outage, of reads or of writes."""
        return self._reads_down or self._writes_down

    @property
    def reach(self) -> Reach:
        """Who shares what the store holds."""
        return self._store.reach

    async def open(self) -> None:
        """Opens the store. One that does not answer is an outage like others; raises DriverError where it never can."""
        try:
            async with asyncio.timeout(_OPENING):
                await self._store.open()
        except DriverError:
            raise
        except Exception as error:
            self._begin_outage(error, reads=True)

    async def close(self) -> None:
        """Closes the store, in bounded time."""
        if self._probing is not None:
            self._probing.cancel()
            with suppress(asyncio.CancelledError):
                await self._probing
        try:
            async with asyncio.timeout(_BUDGET):
                await self._store.close()
        except Exception as error:
            _log.warning("the session store was not closed in good order: %s", _told(error))

    async def answers(self) -> bool:
        """Tells whether the store answers just now, and takes changes as far as is known."""
        try:
            await self.read(secrets.token_hex(32), Budget())
        except StoreDown:
            return False
        return not self._writes_down

    async def read(self, key: str, budget: Budget, *, first: bool = False) -> Record | None:
        """Gives the record, or None. `first` tells that none of the request's code has run yet."""
        if self._reads_down:
            raise StoreDown
        if first and self._read_at_once is not None:
            try:
                return self._read_at_once(key)
            except Later:
                pass
        return await self._answer(self._store.read(key), budget, reads=True)

    async def write(
        self, key: str, data: bytes, budget: Budget, *, expected: int | None, ttl: float, tokens: Sequence[str] = ()
    ) -> int:
        """Stores a record at the version it expects. Raises Conflict."""
        self._check_writes()
        return await self._answer(
            self._store.write(key, data, expected=expected, ttl=ttl, tokens=tokens), budget, reads=False
        )

    async def delete(self, key: str, budget: Budget) -> None:
        """Removes a record that is not to stay. It is tried even where a write has failed just now."""
        await self._answer(self._store.delete(key), budget, reads=False)

    async def touch(self, key: str, budget: Budget, *, expected: int, ttl: float) -> bool:
        """Moves the end of a record."""
        self._check_writes()
        return await self._answer(self._store.touch(key, expected=expected, ttl=ttl), budget, reads=False)

    def find(self, token: str) -> AsyncIterator[str]:
        """Gives the keys of the records with this token. Each step may take as long as a request may wait."""
        return self._walk(self._store.find(token))

    def scan(self) -> AsyncIterator[tuple[str, Record]]:
        """Gives every record. Each step may take as long as a request may wait."""
        return self._walk(self._store.scan())

    async def sweep(self, most: int) -> int:
        """Removes up to `most` records that have expired. It takes its time, and says nothing of the store's health."""
        self._check_writes()
        try:
            async with asyncio.timeout(_SWEEPING):
                return await self._store.sweep(most)
        except Exception as error:
            raise StoreDown from error

    async def _walk(self, steps: AsyncIterator[_T]) -> AsyncIterator[_T]:
        while not self._reads_down:
            try:
                item = await self._answer(_next(steps), Budget(), reads=True)
            except StopAsyncIteration:
                return
            yield item
        raise StoreDown

    def _check_writes(self) -> None:
        if self._reads_down or self._writes_down:
            raise StoreDown

    async def _answer(self, call: Coroutine[Any, Any, _T], budget: Budget, *, reads: bool) -> _T:
        result: _T
        try:
            # A store that answers without waiting needs no timer, which would cost as much as the answer.
            awaited = call.send(None)
            if self._by_turns:
                is_done, awaited = await _step(call, awaited)
                if is_done:
                    result = awaited
                    return result
        except StopIteration as done:
            result = done.value
            return result
        except _ANSWERS:
            raise
        except Exception as error:
            self._begin_outage(error, reads=reads)
            raise StoreDown from error
        begun = time.monotonic()
        try:
            async with asyncio.timeout(budget.left):
                return await _rest(call, awaited)
        except _ANSWERS:
            raise
        except Exception as error:
            if begun >= self._well_since:  # what has hung since before the store came back says nothing of it
                self._begin_outage(error, reads=reads)
            raise StoreDown from error
        finally:
            budget.left = max(0.0, budget.left - (time.monotonic() - begun))

    def _begin_outage(self, error: Exception, *, reads: bool) -> None:
        if not (self._reads_down or self._writes_down):
            self._down_since = time.monotonic()
            what = "read" if reads else "saved"
            _log.error("sessions can't be %s, and pages that need it answer 503: %s", what, _told(error))
        if reads:
            self._reads_down = True
        else:
            self._writes_down = True
        if self._probing is None or self._probing.done():
            self._probing = asyncio.get_running_loop().create_task(self._probe())

    async def _probe(self) -> None:
        """Asks again and again, until the store is well."""
        pause = _FIRST_PAUSE
        while self._reads_down or self._writes_down:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            if self._reads_down and not await self._is_well(self._try_read):
                # What is connected may be gone for good: a file that was exchanged, or a store that never opened.
                await self._is_well(self._store.close)
                await self._is_well(self._store.open, _OPENING)
                if not await self._is_well(self._try_read):
                    continue
            self._reads_down = False
            if self._writes_down and await self._is_well(self._try_write):
                self._writes_down = False
        self._well_since = time.monotonic()
        _log.warning("sessions are back after %.1f s", self._well_since - self._down_since)

    async def _is_well(self, call: Callable[[], Coroutine[Any, Any, None]], limit: float | None = None) -> bool:
        try:
            async with asyncio.timeout(_WELL if limit is None else limit):
                await call()
        except Exception as error:
            _log.debug("the session store is not back: %s", _told(error))
            return False
        return True

    async def _try_read(self) -> None:
        await self._store.read(secrets.token_hex(32))

    async def _try_write(self) -> None:
        key = secrets.token_hex(32)
        version = await self._store.write(key, TOMBSTONE, expected=None, ttl=_PROBE_TTL)
        await self._store.delete(key, expected=version)


async def _next(steps: AsyncIterator[_T]) -> _T:
    return await steps.__anext__()


def _told(error: BaseException) -> str:
    """Gives what went wrong in one line: of a StoreDown, what it came from."""
    cause = error.__cause__ if isinstance(error, StoreDown) and error.__cause__ is not None else error
    if isinstance(cause, TimeoutError) and not str(cause):
        return "the store does not answer in time"
    text = " ".join(str(cause).split())
    return f"{type(cause).__name__}: {text}" if text else type(cause).__name__


async def _rest(call: Coroutine[Any, Any, _T], awaited: Any) -> _T:
    """Goes on with a coroutine whose first step was made, and waits for `awaited`."""
    while True:
        is_done, awaited = await _step(call, awaited)
        if is_done:
            result: _T = awaited
            return result


@types.coroutine
def _step(call: Coroutine[Any, Any, Any], awaited: Any) -> Generator[Any, Any, tuple[bool, Any]]:
    """Waits for `awaited`, and makes a coroutine's next step. Gives False and what is awaited, or True and its end."""
    try:
        sent = yield awaited
    except BaseException as error:
        thrown: BaseException | None = error
    else:
        thrown = None
    try:
        return False, call.send(sent) if thrown is None else call.throw(thrown)
    except StopIteration as done:
        return True, done.value
