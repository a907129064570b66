"""The session as a site's code sees it: a mapping whose changes are saved when the request has been answered."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from datetime import timedelta
from typing import Any, NamedTuple

from hybridsite.errors import SessionClosedError, SessionValueError, SiteError
from hybridsite.sessions.changes import Clock, WorkingCopy
from hybridsite.sessions.codec import Contents, Entry
from hybridsite.sessions.flashes import CarriedLog, FlashLog

_LENGTH_OF_TIME = re.compile(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*([smhdw])\s*", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_NOTHING: dict[str, Entry] = {}


class Stored(NamedTuple):
    """A session as it was read: its version, when it ends (seconds since the epoch), and what it holds."""

    version: int
    expires: float
    contents: Contents


class Session(Mapping[str, Any]):
    """What is remembered of one visitor. True even when empty, so that `{% if session %}` asks whether there is one.

    Values that were handed out may be changed in place: at the save they are compared with what was stored.
    """

    def __init__(self, key: str | None, identifier: str | None, stored: Stored | None, clock: Clock) -> None:
        """Sessions are made by SessionManager, which all the attributes with an underscore are for.

        `key` and `stored` are None for a new session; `identifier` also where code opened another visitor's session.
        """
        # Public names are few: in a template each would hide the session's own key of that name.
        self.touched = False
        self.closed = False
        self._handle = self._key = key
        self._identifier = identifier
        self._stored = stored
        self._clock = clock
        self._copy = WorkingCopy(_NOTHING if stored is None else stored.contents.entries, clock)
        self._messages: FlashLog | None = None  # made when somebody asks
        self._carried: CarriedLog | None = None  # as well
        self._destroyed = False
        self._regenerated = False
        self._budget: Any = None  # of waiting for the store, which the load began to spend

    # Reading.

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, key: str) -> Any:
        self.touched = True
        if not self._copy.holds(key):
            raise KeyError(key)
        return self._copy.value(key)

    def __contains__(self, key: object) -> bool:
        self.touched = True
        return self._copy.holds(key)

    def __iter__(self) -> Iterator[str]:
        self.touched = True
        return iter(self._copy.live_keys())

    def __len__(self) -> int:
        self.touched = True
        return len(self._copy.live_keys())

    def __repr__(self) -> str:
        # Neither data nor identifier may come into a log by way of an error message (OWASP Session Management).
        return "<Session>"

    def get(self, key: str, default: Any = None) -> Any:
        """Gives the value of a key, or `default`."""
        self.touched = True
        return self._copy.value(key) if self._copy.holds(key) else default

    def has(self, key: str) -> bool:
        """Tells whether there is such a key."""
        return key in self

    def keys(self) -> KeysView[str]:
        """Gives the keys, as a dict does."""
        self.touched = True
        return super().keys()

    def values(self) -> ValuesView[Any]:
        """Gives the values, as a dict does."""
        self.touched = True
        return super().values()

    def items(self) -> ItemsView[str, Any]:
        """Gives pairs of key and value, as a dict does."""
        self.touched = True
        return super().items()

    @property
    def id(self) -> str | None:
        """The store's handle, a hash of the identifier. It is no cookie: it opens no session in a browser.

        None before the first save, and from `regenerate` or `destroy` to the save.
        """
        self.touched = True
        return self._handle

    # Changing.

    def set(self, key: str, value: object, *, ttl: float | timedelta | str | None = None) -> None:
        """Sets a key. `ttl` ends this key alone: seconds, a timedelta, or text such as "30m" (s, m, h, d, w).

        Raises SessionValueError for a key, a value or a ttl that can't be stored, SessionClosedError after the save.
        """
        self._change()
        name = _checked_key(key)
        self._copy.put(name, value, None if ttl is None else self._clock() + _seconds(ttl, name))

    def __setitem__(self, key: str, value: object) -> None:
        self.set(key, value)

    def update(self, key: str, fn: Callable[[Any], Any], default: object = None) -> Any:
        """Sets a key to what `fn` makes of its value, or of `default` where it has none, and gives that. Its ttl stays.

        `fn` is run at once, on a copy that it may change, and again at the save whenever another request was faster: it
        should do nothing but compute. Raises as `set` does, and what `fn` raises.
        """
        self._change()
        return self._copy.update(_checked_key(key), fn, default)

    def delete(self, key: str) -> None:
        """Deletes a key, if it is there. Raises SessionClosedError after the save."""
        self._change()
        if isinstance(key, str):
            self._copy.remove(key)

    def __delitem__(self, key: str) -> None:
        self._change()
        if not self._copy.holds(key):
            raise KeyError(key)
        self._copy.remove(key)

    def flash(self, message: object) -> None:
        """Keeps a message for the next page that shows `flashes()`. It is none of the session's keys.

        Raises SessionValueError for what can't be stored, SessionClosedError after the save.
        """
        self._change()
        self._flash_log().add(message)

    def regenerate(self) -> None:
        """Gives the session a new identifier at the save, and keeps its data; the old one opens nothing from then on.

        For sign-in (OWASP Session Management, "Renew the Session ID After Any Privilege Level Change"). Raises
        SiteError in a session that was opened by its handle, and SessionClosedError after the save.
        """
        self._change()
        if self._stored is not None and self._identifier is None:
            raise SiteError(
                "regenerate() was called in a session that was opened by its handle",
                why="its visitor's browser could not be given the new identifier",
                mend="destroy() it, or regenerate where the visitor signs in",
            )
        self._handle = None
        self._regenerated = True

    def destroy(self) -> None:
        """Ends the session at the save, data and cookie. For sign-out. What is set after it begins another session.

        But not where the session was opened by its handle: there is no browser to be given another.
        """
        self._change()
        self._handle = None
        self._destroyed = True
        self._copy = WorkingCopy(_NOTHING, self._clock)
        self._messages = FlashLog(())
        self._carried = CarriedLog(None, self._clock)

    # For SessionManager and Context.

    def _show_flashes(self, *, use_up: bool) -> list[Any]:
        self.touched = True
        return self._flash_log().show(use_up=use_up and not self.closed)

    def _leave_result(self, value: object, path: str) -> None:
        """Keeps the outcome of an action for the page at a path. Raises as `flash` does."""
        self._change()
        self._carried_log().leave(value, path)

    def _show_result(self, path: str, *, use_up: bool) -> Any:
        self.touched = True
        return self._carried_log().show(path, use_up=use_up and not self.closed)

    def _ended_as(self, version: int) -> None:
        """Notes that this request itself has put a tombstone, of that version, in the place of the session."""
        if self._stored is not None and not self.closed:
            if not self._destroyed:
                self.destroy()
            self._stored = self._stored._replace(version=version)

    def _flash_log(self) -> FlashLog:
        if self._messages is None:
            self._messages = FlashLog(() if self._stored is None else self._stored.contents.flashes)
        return self._messages

    def _carried_log(self) -> CarriedLog:
        if self._carried is None:
            self._carried = CarriedLog(None if self._stored is None else self._stored.contents.carried, self._clock)
        return self._carried

    def _changed(self) -> bool:
        if self._copy.changed or (self._messages is not None and self._messages.changed):
            return True
        return self._carried is not None and self._carried.changed

    def _begun(self) -> Contents:
        """Gives what a new session holds. Raises what `WorkingCopy.merged` does."""
        return self._merged(Contents(self._clock(), _NOTHING))

    def _merged(self, stored: Contents) -> Contents:
        """Applies the request's own changes to `stored`. Raises what `WorkingCopy.merged` does."""
        flashes = stored.flashes if self._messages is None else self._messages.merged(stored.flashes)
        waits = stored.carried is not None or self._carried is not None
        carried = self._carried_log().merged(stored.carried) if waits else None
        return Contents(stored.created, self._copy.merged(stored.entries), flashes, carried)

    def _change(self) -> None:
        self.touched = True
        if self.closed:
            raise SessionClosedError(
                "the session was changed after it had been saved",
                why="the answer had begun to leave, and the cookie with it",
                mend="change it before the response is returned: not in a streamed body or a background task",
            )


def _checked_key(key: object) -> str:
    """Gives the key as a plain str: of a subclass, such as a StrEnum or Markup, the text alone."""
    if not isinstance(key, str):
        raise SessionValueError(f"a session's key is of the type {type(key).__qualname__}", mend="use text: a str")
    try:
        key.encode("utf-8")
    except UnicodeEncodeError:
        mend = "use text that is valid Unicode"
        raise SessionValueError(f"the session key {key!a} has half a surrogate pair", mend=mend) from None
    return str.__str__(key)


def _seconds(ttl: float | timedelta | str, key: str) -> float:
    """Gives a length of time in seconds. Raises SessionValueError for none, and for one that is not over 0."""
    seconds: float = math.nan
    if isinstance(ttl, timedelta):
        seconds = ttl.total_seconds()
    elif isinstance(ttl, str):
        if match := _LENGTH_OF_TIME.fullmatch(ttl):
            seconds = float(match[1]) * _SECONDS[match[2]]
    elif type(ttl) in (int, float):
        seconds = ttl
    if not 0 < seconds < 1e11:  # 3,000 years; no comparison holds for NaN
        mend = 'use seconds over 0, a timedelta, or text such as "30m" or "14d"'
        raise SessionValueError(f"the ttl {ttl!r} of the session key {key!r} is no length of time", mend=mend)
    return float(seconds)
