"""The sessions of all visitors as /_dev/ shows and changes them: by what a back office has, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from heapq import nlargest
from typing import Any

from hybridsite.dev.faults import MASKED, is_secret
from hybridsite.dev.look.notation import NotationError, read, written
from hybridsite.errors import SessionNotFoundError, SessionValueError
from hybridsite.sessions.manager import SessionManager
from hybridsite.sessions.office import SessionFacts, SessionOffice
from hybridsite.sessions.session import Session

MOST_LISTED = 50
DONE: Mapping[str, str] = {
    "set": "“{}” is set.",
    "delete": "“{}” is deleted.",
    "destroy": "The session is destroyed.",
}
"""What is said of a change that was made, by its name; with the key, where there is one."""


class Refused(Exception):
    """A change that can't be made, as a sentence."""


@dataclass(frozen=True)
class Value:
    """A key of a session: the type of its value, and the value as it is shown and as it is edited.

    `is_secret` where the name, or one inside of the value, is that of a secret: `shown` is masked then.
    """

    key: str
    kind: str
    shown: str
    text: str
    is_secret: bool

    @classmethod
    def of(cls, key: str, value: object) -> Value:
        """Writes a value down."""
        text = written(value)
        shown = "" if is_secret(key) else written(_masked(value))
        return cls(key, type(value).__name__, shown, text, shown != text)


class _Mask:
    """Stands where a secret is."""

    def __repr__(self) -> str:
        return MASKED


def _masked(value: Any) -> Any:
    """Gives a value with whatever has the name of a secret in it masked, however deep."""
    if isinstance(value, dict):
        return {
            key: _Mask() if isinstance(key, str) and is_secret(key) else _masked(item) for key, item in value.items()
        }
    return type(value)(map(_masked, value)) if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class Visitor:
    """A session in the list, with the names of its keys."""

    facts: SessionFacts
    keys: tuple[str, ...]
    is_own: bool


@dataclass(frozen=True)
class Visitors:
    """The latest sessions, one's own first, and how many there are in all."""

    listed: tuple[Visitor, ...]
    number: int


async def own_id(manager: SessionManager, cookies: list[bytes]) -> str | None:
    """Gives the handle of the session that a browser's cookies open, or None."""
    session = await manager.open(manager.identifier(cookies))
    return session.id


async def visitors(manager: SessionManager, own: str | None) -> Visitors:
    """Lists sessions. Raises SessionUnavailable, and DriverError where the store can't list them."""
    office, number = SessionOffice(manager), 0
    every: list[SessionFacts] = []
    async for facts in office.all():
        number += 1
        every.append(facts)
        if len(every) > 20 * MOST_LISTED:
            every = _latest(every, own)
    listed = [Visitor(facts, await _keys(office, facts.id), facts.id == own) for facts in _latest(every, own)]
    return Visitors(tuple(listed), number)


def _latest(every: list[SessionFacts], own: str | None) -> list[SessionFacts]:
    return nlargest(MOST_LISTED, every, key=lambda facts: (facts.id == own, facts.created, facts.id))


async def _keys(office: SessionOffice, handle: str) -> tuple[str, ...]:
    try:
        async with office.open(handle) as session:
            return tuple(sorted(session))
    except SessionNotFoundError:  # it has ended just now
        return ()


async def look(manager: SessionManager, handle: str) -> tuple[Value, ...]:
    """Gives what a session holds. Raises SessionNotFoundError, SessionUnavailable, SessionDataError."""
    async with SessionOffice(manager).open(handle) as session:
        return tuple(Value.of(key, value) for key, value in sorted(session.items()))


async def change(manager: SessionManager, handle: str, do: str, key: str, text: str) -> None:
    """Makes one change: `set`, `delete` or `destroy`.

    A key that is there keeps its own end. Raises Refused for what can't be made, and what `look` raises.
    """
    try:
        async with SessionOffice(manager).open(handle) as session:
            if do == "destroy":
                session.destroy()
            elif do == "delete":
                session.delete(key)
            elif do == "set" and key:
                _set(session, key, read(text))
            else:
                raise Refused("The key has no name." if do == "set" else "There is no such change.")
    except NotationError as error:
        raise Refused(f"The value of “{key}” can't be read: {error}.") from None
    except SessionValueError as error:
        raise Refused(f"The session takes no such value: {error}") from None


def _set(session: Session, key: str, value: Any) -> None:
    if session.has(key):
        session.update(key, lambda before: value)
    else:
        session.set(key, value)
