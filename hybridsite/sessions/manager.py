"""Opening and saving sessions: one read, then the request's own changes merged into what is stored by then.

Every store that can compare and swap is used in the same way, so the merge is here, once.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from hybridsite.errors import SessionNotFoundError, SessionUnavailable
from hybridsite.sessions.changes import Clock
from hybridsite.sessions.codec import Contents
from hybridsite.sessions.cookie import CookieSettings, SessionCookie, handle_of, new_identifier
from hybridsite.sessions.index import SessionIndex
from hybridsite.sessions.lifetime import Lifetime
from hybridsite.sessions.outage import Budget, GuardedStore, UnavailableSession
from hybridsite.sessions.records import Records
from hybridsite.sessions.session import Session, Stored
from hybridsite.sessions.store import Conflict, SessionStore, StoreDown
from hybridsite.sessions.sweeping import sweep_for_ever

__all__ = ["CookieSettings", "Outcome", "SessionManager"]

_log = logging.getLogger("hybridsite.sessions")

_HANDLE = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a save asks of the answer: the value of a Set-Cookie header, or None."""

    set_cookie: str | None = None


_NOTHING_TO_SAY = Outcome()


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
        self._cookie = SessionCookie(cookie, keys, ttl)
        self._lifetime = Lifetime(ttl, max_age, self._cookie.max_age, clock)
        self.store = GuardedStore(store)
        self.records = Records(self.store, self._lifetime, SessionIndex(index, keys), max_size)
        self._clock = clock
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self, *, sweeping: bool = True) -> None:
        """Opens the store, and removes what has ended from now on.

        A store that does not answer is waited for meanwhile; raises DriverError where it never can.
        """
        await self.store.open()
        if sweeping:
            self._sweeping = asyncio.create_task(sweep_for_ever(self.store))

    async def stop(self) -> None:
        """Closes the store."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeping
        await self.store.close()

    async def answers(self) -> bool:
        """Tells whether the store answers just now."""
        return await self.store.answers()

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
            stored = await self.records.read(key, budget, first=True)
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
                stored = await self.records.read(handle, budget)
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
            return _NOTHING_TO_SAY
        session._copy.fold()
        if not self._is_to_be_stored(session):
            return _NOTHING_TO_SAY
        try:
            return await self._save(session, https)
        except StoreDown as error:
            raise SessionUnavailable from error

    def _is_to_be_stored(self, session: Session) -> bool:
        """Tells whether there is anything to do for a session that was folded: for most that are only read, no."""
        stored = session._stored
        if stored is None or session._destroyed or session._regenerated or session._changed():
            return True
        return session.touched and self._is_due(session, stored)

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
        await self.records.write(handle, contents, _budget(session), expected=None, ttl=self._lifetime.left(contents))
        session._handle = handle
        return self._handed_out(identifier, contents, https)

    async def _refresh(self, session: Session, stored: Stored) -> bool:
        """Moves the end of a session that was used but not changed, if that is due. Tells whether it did.

        Where another request wrote meanwhile, it was due there too. Where one ended the session, its cookie is not to
        be handed out again.
        """
        left = self._lifetime.left(stored.contents)
        if left <= 0 or not self._is_due(session, stored):
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
            due = self._is_due(session, stored)
            ttl = self._lifetime.left(contents) if due else stored.expires - self._clock()
            if ttl <= 0:
                raise Conflict  # it ended just now; a store may refuse such a ttl
            await self.records.write(_key(session), contents, _budget(session), expected=stored.version, ttl=ttl)
            return due

        renewed = await self.records.retried(_key(session), _budget(session), loaded, attempt)
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
            if (left := self._lifetime.left(contents)) <= 0:
                raise Conflict  # it has reached its greatest age just now
            if begins:
                version = await self.records.write(handle, contents, budget, expected=version, ttl=left)
            await self.records.end(_key(session), budget, expected=stored.version)
            return True

        replaced = None
        try:
            replaced = await self.records.retried(_key(session), _budget(session), loaded, attempt)
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

    def _handed_out(self, identifier: str, contents: Contents, https: bool) -> Outcome:
        return Outcome(self._cookie.issue(identifier, https=https, most=self._lifetime.cookie_left(contents)))

    def _is_due(self, session: Session, stored: Stored) -> bool:
        # Whoever opened a session by its handle has no cookie to hand out, and doesn't use it as its visitor would.
        return session._identifier is not None and self._lifetime.is_due(stored.contents, stored.expires)


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
