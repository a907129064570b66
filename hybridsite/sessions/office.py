"""What a back office asks of sessions: which there are, ending those of one user, and figures. Never values."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from hybridsite.errors import SessionDataError, SessionUnavailable
from hybridsite.sessions.codec import TOMBSTONE, Contents, encode, unpack_record
from hybridsite.sessions.manager import SessionManager
from hybridsite.sessions.outage import Budget
from hybridsite.sessions.session import Session, Stored
from hybridsite.sessions.store import Record, StoreDown

_log = logging.getLogger("hybridsite.sessions")


class SessionFacts(NamedTuple):
    """What may be told of a session: its handle, when it was first saved, when it ends, and its bytes in the store."""

    id: str
    created: datetime
    expires: datetime
    size: int


class SessionFigures(NamedTuple):
    """How many sessions there are, and their bytes; how many records are what was left of ended ones, or unreadable."""

    sessions: int
    size: int
    largest: int
    ended: int
    unreadable: int


class SessionOffice:
    """Works on the sessions of all visitors. Everything raises SessionUnavailable where the store does not answer."""

    def __init__(self, manager: SessionManager) -> None:
        self._records = manager.records
        self._lifetime = manager.records.lifetime
        self._store = manager.store
        self.open = manager.by_handle

    async def find(self, *, name: str, value: object) -> list[SessionFacts]:
        """Lists the sessions in which `name` is `value`, the oldest first.

        Raises SessionIndexError for a name that is not in `[session] index`, SessionValueError for a value that no
        session can hold.
        """
        data = encode(value, key=name)
        facts = []
        try:
            for key in await self._keys(name, data):
                with suppress(SessionDataError):  # it opens for nobody
                    record = await self._store.read(key, Budget())
                    contents = None if record is None else unpack_record(record.data)
                    if record is not None and contents is not None and self._holds(contents, name, data):
                        facts.append(_facts(key, record, contents))
        except StoreDown as error:
            raise SessionUnavailable from error
        return sorted(facts, key=lambda each: (each.created, each.id))

    async def revoke(self, *, name: str, value: object, own: Session | None = None) -> int:
        """Ends every session in which `name` is `value`, also for requests under way, and gives how many there were.

        `own` is the session of the request that asks: where it is among them, the request goes on as after `destroy`.
        Raises as `find` does.
        """
        data = encode(value, key=name)
        seen: set[str] = set()
        ended = 0
        try:
            # Looked up again until none is new: one that is regenerated meanwhile goes on under another key.
            while found := [key for key in await self._keys(name, data) if key not in seen]:
                seen.update(found)
                for key in found:
                    ended += await self._end(key, name, data, own)
        except StoreDown as error:
            raise SessionUnavailable from error
        return ended

    async def all(self) -> AsyncIterator[SessionFacts]:
        """Gives every session, in no order."""
        async for key, record, contents in self._scan():
            if contents is not None and not self._lifetime.is_over(contents):
                yield _facts(key, record, contents)

    async def figures(self) -> SessionFigures:
        """Counts what is stored."""
        sessions = size = largest = ended = unreadable = 0
        async for _, record, contents in self._scan():
            if contents is not None and not self._lifetime.is_over(contents):
                sessions += 1
                size += len(record.data)
                largest = max(largest, len(record.data))
            elif record.data == TOMBSTONE or contents is not None:
                ended += 1
            else:
                unreadable += 1
        return SessionFigures(sessions, size, largest, ended, unreadable)

    async def sweep(self, most: int) -> int:
        """Removes up to `most` ended records, and gives how many. Fewer than `most` says that there were no more."""
        try:
            return await self._store.sweep(most)
        except StoreDown as error:
            raise SessionUnavailable from error

    async def _scan(self) -> AsyncIterator[tuple[str, Record, Contents | None]]:
        try:
            async for key, record in self._store.scan():
                yield key, record, _contents(record)
        except StoreDown as error:
            raise SessionUnavailable from error

    async def _keys(self, name: str, data: bytes) -> list[str]:
        found: dict[str, None] = {}
        for token in self._records.index.lookups(name, data):
            async for key in self._store.find(token):
                found[key] = None
        return list(found)

    def _holds(self, contents: Contents, name: str, data: bytes) -> bool:
        """Tells whether a session is there and has the value: a token only says that it had when it was last stored."""
        entry = contents.entries.get(name)
        there = entry is not None and entry.data == data and entry.live(self._lifetime.now())
        return there and not self._lifetime.is_over(contents)

    async def _end(self, key: str, name: str, data: bytes, own: Session | None) -> bool:
        budget = Budget()

        async def attempt(stored: Stored) -> bool:
            if not self._holds(stored.contents, name, data):
                return False
            version = await self._records.end(key, budget, expected=stored.version)
            if own is not None and own._key == key:
                own._ended_as(version)
            return True

        try:
            stored = await self._records.read(key, budget)
            return stored is not None and bool(await self._records.retried(key, budget, stored, attempt))
        except SessionDataError as error:
            _log.warning("a session that was to be ended opens for nobody as it is: %s", error)
            return False


def _contents(record: Record) -> Contents | None:
    try:
        return unpack_record(record.data)
    except SessionDataError:
        return None


def _facts(key: str, record: Record, contents: Contents) -> SessionFacts:
    created, expires = (datetime.fromtimestamp(when, UTC) for when in (contents.created, record.expires))
    return SessionFacts(key, created, expires, len(record.data))


class OtherSessions:
    """`context.sessions`: sessions other than the visitor's own, for back-office code."""

    def __init__(self, manager: SessionManager, own: Session | None) -> None:
        self._office = SessionOffice(manager)
        self._own = own
        self.open = self._office.open
        self.list = self._office.find

    async def revoke(self, *, name: str, value: object) -> int:
        """Ends every session in which `name` is `value`, and gives how many there were.

        The visitor's own may be one of them, and what is set in it after that begins another, as after `destroy`.
        Raises SessionIndexError, SessionValueError, SessionUnavailable.
        """
        return await self._office.revoke(name=name, value=value, own=self._own)
