"""One visitor's session: a mapping with a log of its changes, so that a save can apply just these to what is stored by then."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hybridsite.errors import SessionClosedError, SessionValueError
from hybridsite.sessions.codec import SCALARS, Entry, decode, encode
from hybridsite.sessions.store import Record

_TTL = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([smhdw])\s*")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True, slots=True)
class SetValue:
    """The key has this value now, whatever it was."""

    entry: Entry

    def apply(self, key: str, stored: Entry | None) -> Entry | None:
        """Gives what is stored afterwards."""
        return self.entry


@dataclass(frozen=True, slots=True)
class DeleteValue:
    """The key is gone."""

    def apply(self, key: str, stored: Entry | None) -> Entry | None:
        """Gives what is stored afterwards."""
        return None


@dataclass(frozen=True, slots=True)
class UpdateValue:
    """The value is what a function makes of the one that is stored."""

    function: Callable[[Any], Any]
    default: bytes

    def apply(self, key: str, stored: Entry | None) -> Entry | None:
        """Runs the function on a fresh copy of what is stored, and keeps the key's own end."""
        value = self.function(decode(stored.data if stored else self.default))
        return Entry(encode(value, key=key), stored.expires if stored else None)


Change = SetValue | DeleteValue | UpdateValue


@dataclass(frozen=True, slots=True)
class Loaded:
    """The stored session that a request began with. `identifier` is None for one that was opened by its handle."""

    identifier: str | None
    handle: str
    record: Record
    entries: Mapping[str, Entry]


class Session(Mapping[str, Any]):
    """What the site remembers of a visitor. All calls are plain ones: the data was loaded before.

    It is made and saved by a SessionManager. Values that were handed out and changed in place count as changed.
    """

    def __init__(self, loaded: Loaded | None, *, now: float) -> None:
        entries = loaded.entries.items() if loaded else ()
        self._entries = {key: entry for key, entry in entries if entry.expires is None or entry.expires > now}
        self.loaded = loaded
        self._now = now
        self._values: dict[str, Any] = {}
        self._changes: dict[str, list[Change]] = {}
        self._handle = loaded.handle if loaded else None
        self._closed = False
        self.touched = False
        self.regenerating = False
        self.destroying = False

    # Reading.

    @property
    def id(self) -> str | None:
        """The store's handle of the session, None before the first save. It opens nothing in a browser."""
        self.touched = True
        return self._handle

    def get(self, key: str, default: Any = None) -> Any:
        """Gives the value of a key, or `default`."""
        self.touched = True
        return self._value(key) if key in self._entries else default

    def __getitem__(self, key: str) -> Any:
        self.touched = True
        if key not in self._entries:
            raise KeyError(key)
        return self._value(key)

    def has(self, key: str) -> bool:
        """Tells whether the key has a value."""
        self.touched = True
        return key in self._entries

    __contains__ = has  # type: ignore[assignment]

    def __iter__(self) -> Iterator[str]:
        self.touched = True
        return iter(list(self._entries))

    def __len__(self) -> int:
        self.touched = True
        return len(self._entries)

    def __bool__(self) -> bool:
        """Is true of an empty session too: it tells whether there is one."""
        return True

    def _value(self, key: str) -> Any:
        if key not in self._values:
            self._values[key] = decode(self._entries[key].data)
        return self._values[key]

    # Changing.

    def set(self, key: str, value: object, *, ttl: float | str | dt.timedelta | None = None) -> None:
        """Stores a value; with `ttl` (seconds, a timedelta, or "30m") for that long alone.

        Raises SessionValueError for what a session can't hold, and SessionClosedError once the session was saved.
        """
        self._open_for_change(key)
        end = None if ttl is None else self._now + _seconds(key, ttl)
        self._store(key, value, Entry(encode(value, key=key), end))
        self._changes[key] = [SetValue(self._entries[key])]

    def __setitem__(self, key: str, value: object) -> None:
        self.set(key, value)

    def update(self, key: str, function: Callable[[Any], Any], default: Any = None) -> Any:
        """Replaces a value by what `function` makes of it, and gives the new one.

        Where another request was faster, the function runs again on what that one stored: nothing is lost. It always gets a
        copy of its own. Raises as `set` does.
        """
        self._open_for_change(key)
        self._fold_change_in_place(key)
        change = UpdateValue(function, encode(default, key=key))
        entry = change.apply(key, self._entries.get(key))
        assert entry is not None
        value = decode(entry.data)
        self._store(key, value, entry)
        self._changes.setdefault(key, []).append(change)
        return value

    def delete(self, key: str) -> None:
        """Removes a key. It is no fault where there is none."""
        self._open_for_change(key)
        if key in self._entries or self._handle is not None:
            self._changes[key] = [DeleteValue()]
        self._entries.pop(key, None)
        self._values.pop(key, None)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self.delete(key)

    def regenerate(self) -> None:
        """Gives the session a new identifier when it is saved, and keeps its data. For sign-in (OWASP, session fixation)."""
        self._open_for_change("")
        self.regenerating = True

    def destroy(self) -> None:
        """Ends the session: its data and its cookie go when it is saved. What is set afterwards begins a new one."""
        self._open_for_change("")
        self.destroying = True
        self._entries.clear()
        self._values.clear()
        self._changes.clear()

    def _store(self, key: str, value: object, entry: Entry) -> None:
        self._entries[key] = entry
        self._values[key] = value

    def _open_for_change(self, key: str) -> None:
        self.touched = True
        if type(key) is not str:
            raise SessionValueError(f"a session's key is {type(key).__name__}, and has to be str", mend=f"use {str(key)!r}")
        if self._closed:
            raise SessionClosedError(
                "the session was changed after it had been saved",
                why="the answer, with its cookie, has already begun to leave",
                mend="change the session before you return the response",
            )
        encode(key, key=key)

    def _fold_change_in_place(self, key: str) -> None:
        """Turns what was changed inside a value into a change of its own, before the next one follows."""
        value = self._values.get(key)
        if key not in self._values or type(value) in SCALARS:
            return
        known = self._entries[key]
        data = encode(value, key=key)
        if data != known.data:
            self._entries[key] = Entry(data, known.expires)
            self._changes[key] = [SetValue(self._entries[key])]

    # For the manager.

    def changes(self) -> Mapping[str, list[Change]]:
        """Gives this request's own changes by key. Raises SessionValueError for what was put in place and can't be stored."""
        for key in self._values:
            self._fold_change_in_place(key)
        return self._changes

    def close(self, handle: str | None) -> None:
        """Ends the time in which the session can be changed: it was saved under `handle`."""
        self._closed = True
        self._handle = handle

    def __repr__(self) -> str:
        return "<Session>"  # never what is in it: it may be printed into a log


def _seconds(key: str, ttl: float | str | dt.timedelta) -> float:
    if isinstance(ttl, dt.timedelta):
        seconds = ttl.total_seconds()
    elif isinstance(ttl, str):
        found = _TTL.fullmatch(ttl)
        seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    else:
        seconds = float(ttl)
    if not 0 < seconds < float("inf"):
        raise SessionValueError(
            f"the ttl {ttl!r} of the session value {key!r} is no time", mend='give seconds, a timedelta, or "30m", "14d"'
        )
    return seconds


def apply_changes(stored: Mapping[str, Entry], changes: Mapping[str, list[Change]], now: float) -> dict[str, Entry]:
    """Applies a request's own changes to what is stored now. Keys that have ended are left out."""
    merged = {key: entry for key, entry in stored.items() if entry.expires is None or entry.expires > now}
    for key, several in changes.items():
        entry = merged.get(key)
        for change in several:
            entry = change.apply(key, entry)
        if entry is None:
            merged.pop(key, None)
        else:
            merged[key] = entry
    return merged
