"""Opens a session by its cookie and saves it by merging: the one place above every store that decides what is kept."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import formatdate
from typing import Literal

from itsdangerous import BadSignature, Signer

from hybridsite.errors import DriverError, SessionNotFoundError, SessionValueError, SiteError
from hybridsite.sessions.codec import TOMBSTONE, Entry, pack_record, unpack_record
from hybridsite.sessions.session import Change, Loaded, Session, apply_changes
from hybridsite.sessions.store import Conflict, Record, SessionStore

_log = logging.getLogger("hybridsite.sessions")

# How long an identifier that was destroyed or regenerated is kept as such, in seconds: longer than any request takes.
TOMBSTONE_TTL = 60.0
# The store and the cookie are refreshed at most once in this part of the ttl.
_REFRESH_PART = 20
# How long a save goes on against other requests' saves, in seconds.
_PATIENCE = 10.0
# A cookie of ours has 43 characters of identifier, a dot, and 43 of signature.
_LONGEST_COOKIE = 128


_Attempt = Callable[[Record, Mapping[str, Entry]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class CookieSettings:
    """The cookie's name and attributes (RFC 6265bis). `max_age` in seconds; None means the session's ttl."""

    name: str = "hybridsite-session"
    domain: str | None = None
    path: str = "/"
    same_site: Literal["lax", "strict", "none"] = "lax"
    secure: bool | Literal["auto"] = "auto"
    max_age: int | None = None

    def __post_init__(self) -> None:
        """Raises DriverError for attributes that browsers refuse together (RFC 6265bis, 4.1.3 and 5.7)."""
        if self.same_site == "none" and self.secure is not True:
            raise self._fault('same_site = "none" without secure', "browsers drop such a cookie", "set secure = true")
        if self.name.startswith(("__Host-", "__Secure-")) and self.secure is not True:
            raise self._fault(f'the name "{self.name}" without secure', "its prefix promises it", "set secure = true")
        if self.name.startswith("__Host-") and (self.domain or self.path != "/"):
            raise self._fault(f'the name "{self.name}" with a domain or path', "its prefix forbids them", "leave them out")

    @staticmethod
    def _fault(what: str, why: str, mend: str) -> DriverError:
        return DriverError(f"the session cookie has {what}", why=why, mend=f"{mend} in [session.cookie]")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a save asks of the answer: the value of a Set-Cookie header, or None for no cookie."""

    set_cookie: str | None = None


class SessionManager:
    """Sessions over one store. `keys` sign the cookie: the newest first, which signs; all of them read.

    `ttl` is the idle time in seconds, `max_size` the most bytes of a stored session.
    """

    def __init__(
        self,
        store: SessionStore,
        *,
        keys: Sequence[str],
        ttl: float,
        max_size: int = 2**20,
        cookie: CookieSettings = CookieSettings(),  # noqa: B008 - a frozen value
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        # itsdangerous signs with the last key of a list, and reads with all.
        self._signer = Signer(list(reversed(keys)), salt=b"hybridsite.session", key_derivation="hmac", digest_method=hashlib.sha256)
        self._ttl = ttl
        self._max_size = max_size
        self._cookie = cookie
        self._cookie_name = cookie.name.encode()
        self._clock = clock
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    # Opening.

    def identifier(self, cookie_headers: Iterable[bytes]) -> str | None:
        """Finds the identifier in a request's Cookie headers: the first of our name that we signed, else None.

        What is no cookie of ours is passed over without a word: a visitor can send anything.
        """
        for header in cookie_headers:
            for pair in header.split(b";"):
                name, _, value = pair.partition(b"=")
                if name.strip() == self._cookie_name and len(value) <= _LONGEST_COOKIE:
                    try:
                        return self._signer.unsign(value.strip()).decode("ascii")
                    except (BadSignature, UnicodeDecodeError):
                        continue
        return None

    async def open(self, identifier: str | None) -> Session:
        """Loads the session of an identifier. Without one, or where it opens nothing, the session is empty and new.

        Raises SessionDataError where its stored bytes can't be read, and what the store raises.
        """
        now = self._clock()
        if identifier is not None:
            handle = _handle(identifier)
            record = await self._store.read(handle)
            entries = None if record is None else unpack_record(record.data)
            if record is not None and entries is not None:
                return Session(Loaded(identifier, handle, record, entries), now=now)
        return Session(None, now=now)

    @asynccontextmanager
    async def by_handle(self, handle: str) -> AsyncIterator[Session]:
        """Opens another session by its handle, and saves it when the block ends without an exception.

        Raises SessionNotFoundError where there is none, and SiteError where the block calls `regenerate`.
        """
        record = await self._store.read(handle)
        entries = None if record is None else unpack_record(record.data)
        if record is None or entries is None:
            raise SessionNotFoundError("there is no session by that handle", why="it has ended, or never was")
        loaded = Loaded(None, handle, record, entries)
        session = Session(loaded, now=self._clock())
        yield session
        if session.regenerating:
            raise SiteError("regenerate() was called on another visitor's session", why="its browser would lose it")
        if session.destroying:
            await self._bury(loaded)
        else:
            await self._save_existing(loaded, session.changes())
        session.close(handle)

    # Saving.

    async def save(self, session: Session, *, https: bool) -> Outcome:
        """Applies the request's own changes to what is stored now, and says which cookie the answer carries.

        Raises SessionValueError for what can't be stored, and what the store raises: nothing is stored then.
        """
        changes = session.changes()
        loaded = session.loaded
        if session.destroying or loaded is None:
            outcome, handle = await self._save_new(session, changes, https)
        elif session.regenerating:
            outcome, handle = await self._regenerate(loaded, changes, https)
        else:
            outcome, handle = await self._save_same(session, loaded, changes, https)
        session.close(handle)
        return outcome

    async def _save_new(
        self, session: Session, changes: Mapping[str, list[Change]], https: bool
    ) -> tuple[Outcome, str | None]:
        entries = apply_changes({}, changes, self._clock())
        identifier = handle = None
        if entries:
            identifier, handle = _new_identifier()
            await self._store.write(handle, self._packed(entries), expected=None, ttl=self._ttl)
        if session.loaded is not None:
            await self._bury(session.loaded)
        if identifier is not None:
            return Outcome(self._set_cookie(identifier, https)), handle
        return Outcome(None if session.loaded is None else self._forget_cookie(https)), None

    async def _save_same(
        self, session: Session, loaded: Loaded, changes: Mapping[str, list[Change]], https: bool
    ) -> tuple[Outcome, str | None]:
        assert loaded.identifier is not None
        due = loaded.record.expires - self._clock() <= self._ttl * (1 - 1 / _REFRESH_PART)
        if changes:
            alive = await self._save_existing(loaded, changes)
        else:
            due = due and session.touched
            alive = not due or await self._store.touch(loaded.handle, ttl=self._ttl)
        if not alive:
            return Outcome(), None
        return Outcome(self._set_cookie(loaded.identifier, https) if due else None), loaded.handle

    async def _save_existing(self, loaded: Loaded, changes: Mapping[str, list[Change]]) -> bool:
        """Merges into a stored session; False where it ended meanwhile, and the changes with it."""
        if not changes:
            return True

        async def attempt(record: Record, entries: Mapping[str, Entry]) -> None:
            merged = apply_changes(entries, changes, self._clock())
            await self._store.write(loaded.handle, self._packed(merged), expected=record.version, ttl=self._ttl)

        return await self._insist(loaded, attempt)

    async def _regenerate(
        self, loaded: Loaded, changes: Mapping[str, list[Change]], https: bool
    ) -> tuple[Outcome, str | None]:
        """Writes the new record, then swaps the old one for a tombstone at the version that was copied; else copies again."""
        identifier, handle = _new_identifier()
        version: int | None = None

        async def attempt(record: Record, entries: Mapping[str, Entry]) -> None:
            nonlocal version
            merged = apply_changes(entries, changes, self._clock())
            version = await self._store.write(handle, self._packed(merged), expected=version, ttl=self._ttl)
            await self._store.write(loaded.handle, TOMBSTONE, expected=record.version, ttl=TOMBSTONE_TTL)

        try:
            done = await self._insist(loaded, attempt)
        except BaseException:
            await self._store.delete(handle)
            raise
        if not done:
            await self._store.delete(handle)
            return Outcome(), None
        return Outcome(self._set_cookie(identifier, https)), handle

    async def _bury(self, loaded: Loaded) -> None:
        async def attempt(record: Record, _: Mapping[str, Entry]) -> None:
            await self._store.write(loaded.handle, TOMBSTONE, expected=record.version, ttl=TOMBSTONE_TTL)

        await self._insist(loaded, attempt)

    async def _insist(self, loaded: Loaded, attempt: _Attempt) -> bool:
        """Tries on the copy that was loaded, and after a conflict on what is stored by then, until it holds.

        False where the session ended meanwhile.
        """
        try:
            await attempt(loaded.record, loaded.entries)
        except Conflict:
            return await self._retry(loaded.handle, attempt)
        return True

    async def _retry(self, handle: str, attempt: _Attempt) -> bool:
        """Reads what is stored now and tries again until it holds.

        The saves of one process queue up here, so that many of one session don't starve each other.
        """
        deadline = time.monotonic() + _PATIENCE
        pause = 0.001
        async with self._one_at_a_time(handle):
            while True:
                record = await self._store.read(handle)
                entries = None if record is None else unpack_record(record.data)
                if record is None or entries is None:
                    _log.info("changes to a session that ended meanwhile are dropped")
                    return False
                try:
                    await attempt(record, entries)
                    return True
                except Conflict:
                    if time.monotonic() > deadline:
                        raise
                await asyncio.sleep(random.uniform(0, pause))
                pause = min(0.05, 2 * pause)

    @asynccontextmanager
    async def _one_at_a_time(self, handle: str) -> AsyncIterator[None]:
        lock, users = self._locks.get(handle, (asyncio.Lock(), 0))
        self._locks[handle] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks[handle]
            if users == 1:
                del self._locks[handle]
            else:
                self._locks[handle] = (lock, users - 1)

    def _packed(self, entries: Mapping[str, Entry]) -> bytes:
        data = pack_record(entries)
        if len(data) > self._max_size:
            largest = max(entries, key=lambda key: len(entries[key].data))
            raise SessionValueError(
                f"the session has {len(data):,} bytes, and {self._max_size:,} are allowed",
                why=f"its largest value is {largest!r}",
                mend="keep large things elsewhere and store a key to them, or raise [session] max_size",
            )
        return data

    # The cookie.

    def _set_cookie(self, identifier: str, https: bool) -> str:
        age = int(self._ttl) if self._cookie.max_age is None else self._cookie.max_age
        return self._cookie_header(self._signer.sign(identifier).decode("ascii"), age, https)

    def _forget_cookie(self, https: bool) -> str:
        return self._cookie_header("", 0, https)

    def _cookie_header(self, value: str, age: int, https: bool) -> str:
        cookie = self._cookie
        parts = [f"{cookie.name}={value}", f"Max-Age={age}", f"Path={cookie.path}"]
        if age == 0:
            parts.append(f"Expires={formatdate(0, usegmt=True)}")
        if cookie.domain:
            parts.append(f"Domain={cookie.domain}")
        if cookie.secure is True or (cookie.secure == "auto" and https):
            parts.append("Secure")
        return "; ".join([*parts, "HttpOnly", f"SameSite={cookie.same_site.capitalize()}"])


def _new_identifier() -> tuple[str, str]:
    """Makes an identifier of 256 bits (OWASP asks for 64 of entropy at least) and its handle."""
    identifier = secrets.token_urlsafe(32)
    return identifier, _handle(identifier)


def _handle(identifier: str) -> str:
    return hashlib.sha256(identifier.encode("ascii")).hexdigest()
