"""Opening and saving sessions: one read, then the request's own changes merged into what is stored by then.

Every store that can compare and swap is used in the same way, so the merge and its retry are here, once.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakValueDictionary

from hybridsite.errors import SessionNotFoundError, SessionUnavailable, SessionValueError
from hybridsite.sessions.changes import Clock
from hybridsite.sessions.codec import TOMBSTONE, Contents, Entry, pack_record, unpack_record
from hybridsite.sessions.cookie import CookieSettings, SessionCookie, handle_of, new_identifier
from hybridsite.sessions.index import SessionIndex
from hybridsite.sessions.outage import Budget, GuardedStore, UnavailableSession
from hybridsite.sessions.session import Session, Stored
from hybridsite.sessions.store import Conflict, SessionStore, StoreDown

__all__ = ["CookieSettings", "Outcome", "SessionManager"]

_log = logging.getLogger("hybridsite.sessions")

TOMBSTONE_TTL = 60.0
# Store and cookie are refreshed once this part of the ttl has passed, or of the cookie's age where that is shorter.
_REFRESH_AFTER = 1 / 20
# How long a save tries to come between other requests' saves, and its longest pause, in seconds.
_PATIENCE = 10.0
_PAUSE = 0.01
_HANDLE = re.compile(r"[0-9a-f]{64}")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a save asks of the answer: the value of a Set-Cookie header, or None."""

    set_cookie: str | None = None


class SessionManager:
    """Opens sessions from cookies and handles, and saves them. One a process.

    `keys` are the secrets that sign cookies, the newest first. `ttl` is the idle time and `max_age` the whole time of a
    session, in seconds, `max_size` the most bytes that one may have, `index` the keys that sessions are found by.
    """

    def __init__(
        self,
        store: SessionStore,
        *,
        keys: Sequence[str],
        ttl: float,
        cookie: CookieSettings,
        max_age: float | None = None,
        max_size: int = 2**20,
        index: Sequence[str] = (),
        clock: Clock = time.time,
    ) -> None:
        self.store = GuardedStore(store)
        self.index = SessionIndex(index, keys)
        self._max_age = max_age
        self._max_size = max_size
        self._clock = clock
        self._cookie = SessionCookie(cookie, keys, ttl)
        # Near its greatest age a session's end stands still, and tells no longer when the cookie was refreshed last: a
        # cookie that ends earlier than the session would not be. So with a greatest age both end together.
        self._ttl = ttl if max_age is None else min(ttl, self._cookie.max_age)
        self._refresh_after = min(ttl, self._cookie.max_age) * _REFRESH_AFTER
        # A lock is there as long as somebody holds it or waits for it.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def start(self) -> None:
        """Opens the store. One that does not answer is waited for meanwhile; raises DriverError where it never can."""
        await self.store.open()

    async def stop(self) -> None:
        """Closes the store."""
        await self.store.close()

    def identifier(self, cookie_headers: Iterable[bytes]) -> str | None:
        """Gives the identifier of the first cookie that we signed, or None. It takes the values of Cookie headers."""
        return self._cookie.read(cookie_headers)

    async def open(self, identifier: str | None) -> Session:
        """Gives the visitor's session, which is a new one where there is none by that identifier.

        An identifier that isn't stored is never adopted (OWASP WSTG-SESS-03, session fixation). Where the store does
        not answer, the session raises SessionUnavailable when it is touched. Raises SessionDataError for a record
        that can't be read, and leaves it.
        """
        if identifier is None:
            return Session(None, None, None, self._clock)
        key = handle_of(identifier)
        budget = Budget()
        try:
            stored = await self.stored(key, budget)
        except StoreDown as error:
            return UnavailableSession(self._clock, error)
        session = (
            Session(None, None, None, self._clock) if stored is None else Session(key, identifier, stored, self._clock)
        )
        session._budget = budget
        return session

    @asynccontextmanager
    async def by_handle(self, handle: str | None) -> AsyncIterator[Session]:
        """Opens a session by its handle (`Session.id`), and saves it when the block ends without an exception.

        The visitor's idle time goes on. Raises SessionNotFoundError, SessionUnavailable.
        """
        # What is no handle is no key of a store, and may be text from anywhere: it is neither asked for nor shown.
        stored, budget = None, Budget()
        if handle is not None and _HANDLE.fullmatch(handle):
            try:
                stored = await self.stored(handle, budget)
            except StoreDown as error:
                raise SessionUnavailable from error
        if stored is None:
            raise SessionNotFoundError("there is no session by that handle", why="it ended, or never was")
        session = Session(handle, None, stored, self._clock)
        session._budget = budget
        yield session
        await self.save(session, https=False)

    async def save(self, session: Session, *, https: bool) -> Outcome:
        """Stores what the request changed, if anything, and closes the session.

        `https` decides where the cookie's `secure` is "auto". Raises SessionValueError for a change in place that can't
        be stored, and for too large a session; what an update's function raises; SessionDataError; SessionUnavailable;
        TimeoutError where other requests' saves left no gap. Nothing is stored then, but where the store does not
        answer: it may have stored what it didn't confirm.
        """
        session.closed = True
        if isinstance(session, UnavailableSession):
            return Outcome()
        session._copy.fold()
        try:
            return await self._save(session, https)
        except StoreDown as error:
            raise SessionUnavailable from error

    async def _save(self, session: Session, https: bool) -> Outcome:
        stored = session._stored
        if stored is None:
            return await self._create(session, https)
        if session._destroyed or session._regenerated:
            return await self._replace(session, stored, https)
        if session._changed():
            renewed = await self._merge(session, stored)
        else:
            renewed = session.touched and await self._refresh(session, stored)
        if not renewed or session._identifier is None:
            return Outcome()
        return self._handed_out(session._identifier, stored.contents, https)

    async def _create(self, session: Session, https: bool) -> Outcome:
        """Stores a visitor's first session, if there is anything in it."""
        contents = session._begun()
        if _is_empty(contents):
            return Outcome()
        identifier = new_identifier()
        handle = handle_of(identifier)
        await self._write(handle, contents, _budget(session), expected=None, ttl=self._left(contents))
        session._handle = handle
        return self._handed_out(identifier, contents, https)

    async def _refresh(self, session: Session, stored: Stored) -> bool:
        """Moves the end of a session that was used but not changed, if that is due. Tells whether it did.

        Where another request wrote meanwhile, it was due there too. Where one ended the session, its cookie is not to
        be handed out again.
        """
        left = self._left(stored.contents)
        if left <= 0 or not self._due(session, stored):
            return False
        return await self.store.touch(_key(session), _budget(session), expected=stored.version, ttl=left)

    async def _merge(self, session: Session, loaded: Stored) -> bool:
        """Applies the request's changes to what is stored. Gives whether the cookie is to be handed out again."""

        async def attempt(stored: Stored) -> bool:
            contents = session._merged(stored.contents)
            if contents == stored.contents:
                if stored is loaded:
                    raise Conflict  # they change nothing in this request's copy; in what is stored by now they may
                return await self._refresh(session, stored)
            # Store and cookie end together, so a write that hands out no cookie does not move the end.
            due = self._due(session, stored)
            ttl = self._left(contents) if due else stored.expires - self._clock()
            if ttl <= 0:
                raise Conflict  # it ended just now; a store may refuse such a ttl
            await self._write(_key(session), contents, _budget(session), expected=stored.version, ttl=ttl)
            return due

        renewed = await self.retried(_key(session), _budget(session), loaded, attempt)
        if renewed is None:
            session._handle = None
            _log.info("changes to a session that had ended meanwhile were dropped")
        return bool(renewed)

    async def _replace(self, session: Session, loaded: Stored, https: bool) -> Outcome:
        """Puts a tombstone in place of a session, and begins another for `regenerate`, or for what follows `destroy`.

        The new record is written first. The tombstone expects the version that was copied, so a change that was
        answered meanwhile is in the new one. Of a session that somebody else ended nothing goes on.
        """
        identifier = new_identifier()
        handle = handle_of(identifier)
        # Whoever opened a session by its handle can give nobody the identifier of what follows `destroy`.
        begins = not session._destroyed or (session._identifier is not None and not _is_empty(session._begun()))
        version: int | None = None
        contents, budget = loaded.contents, _budget(session)

        async def attempt(stored: Stored) -> bool:
            nonlocal version, contents
            contents = session._begun() if session._destroyed else session._merged(stored.contents)
            if (left := self._left(contents)) <= 0:
                raise Conflict  # it has reached its greatest age just now
            if begins:
                version = await self._write(handle, contents, budget, expected=version, ttl=left)
            await self.store.write(_key(session), TOMBSTONE, budget, expected=stored.version, ttl=TOMBSTONE_TTL)
            return True

        replaced = None
        try:
            replaced = await self.retried(_key(session), _budget(session), loaded, attempt)
        finally:
            if replaced is None and version is not None:
                with suppress(StoreDown):  # it ends by itself, and nobody has its identifier
                    await self.store.delete(handle, budget)
        if replaced is None:
            _log.info("changes to a session that had ended meanwhile were dropped")
            return Outcome()
        if version is None:
            return Outcome(self._cookie.expire(https=https))
        session._handle = handle
        return self._handed_out(identifier, contents, https)

    async def retried(
        self, key: str, budget: Budget, loaded: Stored, attempt: Callable[[Stored], Awaitable[_T]]
    ) -> _T | None:
        """Calls `attempt` with the record as it was loaded, then, after a Conflict, with what is stored by then.

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
                while (stored := await self.stored(key, budget)) is not None:
                    try:
                        return await attempt(stored)
                    except Conflict:
                        await asyncio.sleep(random.uniform(0, _PAUSE))
        except TimeoutError:
            if not limit.expired():
                raise
            raise TimeoutError(f"a session was not saved in {_PATIENCE:.0f} s: others wrote it all the while") from None
        return None

    async def stored(self, key: str, budget: Budget) -> Stored | None:
        """Reads a session. Gives None where there is none, for a tombstone, and for one that is over its age."""
        record = await self.store.read(key, budget)
        if record is None:
            return None
        contents = unpack_record(record.data)
        if contents is None or not self.is_live(contents):
            return None
        return Stored(record.version, record.expires, contents)

    def is_live(self, contents: Contents, entry: Entry | None = None) -> bool:
        """Tells whether a session that the store still has is not over its age, and an entry of it is there."""
        live = self._max_age is None or self._left(contents) > 0
        return live and (entry is None or entry.live(self._clock()))

    def _left(self, contents: Contents) -> float:
        """Gives how long a session lives if it is used now and never again, in seconds: by idle time and by age."""
        if self._max_age is None:
            return self._ttl
        # Where the clock was set back, the age would be over later than it should.
        return min(self._ttl, self._max_age, contents.created + self._max_age - self._clock())

    def _handed_out(self, identifier: str, contents: Contents, https: bool) -> Outcome:
        most = math.inf if self._max_age is None else self._left(contents)
        return Outcome(self._cookie.issue(identifier, https=https, most=most))

    def _due(self, session: Session, stored: Stored) -> bool:
        """Tells whether store and cookie are to be refreshed.

        A record says when it ends: what a refresh would add to that has passed since the last one. A difference to
        either side counts: the clock may have been set back, or the ttl shortened, and nothing shall live for ever.
        """
        since = self._clock() + self._left(stored.contents) - stored.expires
        return session._identifier is not None and abs(since) >= self._refresh_after

    async def _write(self, key: str, contents: Contents, budget: Budget, *, expected: int | None, ttl: float) -> int:
        data, tokens = self._packed(contents), self.index.tokens(contents.entries)
        return await self.store.write(key, data, budget, expected=expected, ttl=ttl, tokens=tokens)

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


def _budget(session: Session) -> Budget:
    if session._budget is None:
        session._budget = Budget()
    budget: Budget = session._budget
    return budget


def _is_empty(contents: Contents) -> bool:
    return not contents.entries and not contents.flashes and contents.carried is None


def _key(session: Session) -> str:
    assert session._key is not None  # there is one for each session that was read
    return session._key
