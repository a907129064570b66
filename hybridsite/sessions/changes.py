"""A request's working copy of a session, and the log of its own changes, which can be applied to a newer copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from hybridsite.sessions.codec import SCALARS, Entry, decode, encode

Entries = dict[str, Entry]
Clock = Callable[[], float]


class Update(NamedTuple):
    """A call of `update`, to be run on any stored value. `default` is encoded: each run gets a copy of its own."""

    key: str
    fn: Callable[[Any], Any]
    default: bytes

    def run(self, entry: Entry | None) -> tuple[Entry, object]:
        """Gives the new entry, which ends when the old one would have, and its value. Raises SessionValueError."""
        value = self.fn(decode(self.default if entry is None else entry.data))
        return Entry(encode(value, key=self.key), None if entry is None else entry.expires), value


class WorkingCopy:
    """The entries as this request sees them, beside what it did to them.

    For each key the log knows either how it ends whatever is stored (`_settled`: an entry, or None for deleted), or
    which updates are to be run on what is stored (`_updates`), never both.

    What had ended when the copy was made isn't there. What ends later stays to be read: a key that was just listed can
    be asked for. It is left out of what is stored.
    """

    def __init__(self, stored: Mapping[str, Entry], clock: Clock) -> None:
        self._stored = stored
        self._clock = clock
        self._begun = clock()
        self._entries: Entries = dict(stored)
        self._values: dict[str, object] = {}  # what was handed out or put in, and may be changed in place
        self._settled: dict[str, Entry | None] = {}
        self._updates: dict[str, list[Update]] = {}

    @property
    def changed(self) -> bool:
        """Whether the log holds anything. Changes in place are in it after `fold`."""
        return bool(self._settled or self._updates)

    def live_keys(self) -> list[str]:
        """Gives the keys that are there."""
        return [key for key, entry in self._entries.items() if entry.live(self._begun)]

    def holds(self, key: object) -> bool:
        """Tells whether there is such a key."""
        entry = self._entries.get(key)  # type: ignore[call-overload]
        return entry is not None and entry.live(self._begun)

    def value(self, key: str) -> Any:
        """Gives the value of a key that is there; the same object each time. Raises SessionDataError."""
        if key in self._values:
            return self._values[key]
        value = decode(self._entries[key].data)
        self._keep(key, value)
        return value

    def put(self, key: str, value: object, expires: float | None) -> None:
        """Sets a key. Raises SessionValueError."""
        self._settle(key, Entry(encode(value, key=key), expires))
        self._keep(key, value)

    def remove(self, key: str) -> None:
        """Deletes a key, whether it is there or not."""
        self._settle(key, None)
        self._values.pop(key, None)

    def update(self, key: str, fn: Callable[[Any], Any], default: object) -> Any:
        """Runs `fn` on a copy of the value, and gives what it returns. Raises SessionValueError."""
        self._fold_key(key)
        update = Update(key, fn, encode(default, key=key))
        current = self._entries.get(key)
        entry, value = update.run(current if current is not None and current.live(self._clock()) else None)
        if key in self._settled:
            self._settle(key, entry)
        else:
            self._updates.setdefault(key, []).append(update)
            self._entries[key] = entry
        self._keep(key, value)
        return value

    def fold(self) -> None:
        """Finds the changes in place, and puts them into the log. Raises SessionValueError."""
        for key in tuple(self._values):
            self._fold_key(key)

    def merged(self, stored: Mapping[str, Entry] | None = None) -> Entries:
        """Gives the entries to store: this request's own changes on top of `stored`, without what has ended.

        Without `stored`, and for the very mapping that the copy was made of, an update is run again only where the
        value that it began with has ended since: what it added does not end with that. Raises
        SessionValueError, SessionDataError and what an update's function raises.
        """
        now = self._clock()
        current = self._stored if stored is None else stored
        settled = current is self._stored and not self._ended_under_updates(now)
        entries = self._entries if settled else self._applied(current, now)
        return {key: entry for key, entry in entries.items() if entry.live(now)}

    def _ended_under_updates(self, now: float) -> bool:
        return any(key in self._stored and not self._stored[key].live(now) for key in self._updates)

    def _applied(self, stored: Mapping[str, Entry], now: float) -> Entries:
        entries = dict(stored)
        for key, settled in self._settled.items():
            if settled is None:
                entries.pop(key, None)
            else:
                entries[key] = settled
        for key, updates in self._updates.items():
            for update in updates:
                current = entries.get(key)
                entries[key], _ = update.run(current if current is not None and current.live(now) else None)
        return entries

    def _fold_key(self, key: str) -> None:
        if key not in self._values or not self.holds(key):
            return
        entry = self._entries[key]
        data = encode(self._values[key], key=key)
        if data != entry.data:
            self._settle(key, Entry(data, entry.expires))

    def _settle(self, key: str, entry: Entry | None) -> None:
        self._updates.pop(key, None)
        self._settled[key] = entry
        if entry is None:
            self._entries.pop(key, None)
        else:
            self._entries[key] = entry

    def _keep(self, key: str, value: object) -> None:
        if type(value) in SCALARS:
            self._values.pop(key, None)
        else:
            self._values[key] = value
