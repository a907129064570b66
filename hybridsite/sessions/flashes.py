"""What is shown once: what this request added and what it showed, to be applied to a newer copy.

Messages, which any page may show, and the one thing that is carried to the page that a request leads to.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from hybridsite.sessions.codec import Carried, Flash, decode, encode

# How long what is carried waits for its page, in seconds. Who comes later did not follow.
_WAITS = 600.0


class FlashLog:
    """The messages as this request sees them.

    Each has a number of its own, so that what another request added meanwhile is never taken for one that was shown.
    """

    def __init__(self, stored: Sequence[Flash]) -> None:
        self._stored = stored
        self._added: list[Flash] = []
        self._used: set[int] = set()

    @property
    def changed(self) -> bool:
        """Whether there is anything to store."""
        used = any(flash.number in self._used for flash in self._stored)
        return used or any(flash.number not in self._used for flash in self._added)

    def add(self, message: object) -> None:
        """Adds a message behind the others. Raises SessionValueError."""
        self._added.append(Flash(random.getrandbits(63), encode(message, key="flash")))

    def show(self, *, use_up: bool) -> list[Any]:
        """Gives every message, the same ones each time it is asked. They are gone after the save if `use_up`."""
        flashes = (*self._stored, *self._added)
        if use_up:
            self._used.update(flash.number for flash in flashes)
        return [decode(flash.data) for flash in flashes]

    def merged(self, stored: Sequence[Flash]) -> tuple[Flash, ...]:
        """Gives the messages to store: `stored` without what was shown here, and what was added here."""
        return tuple(flash for flash in (*stored, *self._added) if flash.number not in self._used)


class CarriedLog:
    """What one request leaves for the page that it leads to, as this request sees it. There is one place for it.

    Another page doesn't see it. What another request left meanwhile is never taken for what was shown here.
    """

    def __init__(self, stored: Carried | None, clock: Callable[[], float]) -> None:
        self._stored = stored
        self._clock = clock
        self._left: Carried | None = None
        self._used: int | None = None

    @property
    def changed(self) -> bool:
        """Whether there is anything to store."""
        return self._left is not None or self._used is not None

    def leave(self, value: object, path: str) -> None:
        """Leaves a value for the page at a path, in place of what is there. Raises SessionValueError."""
        data = encode(value, key="action_result")
        self._left = Carried(random.getrandbits(63), path, data, self._clock() + _WAITS)

    def show(self, path: str, *, use_up: bool) -> Any:
        """Gives what was left for a path, or None. It is gone after the save if `use_up`."""
        stored = self._stored
        if stored is None or stored.path != path or stored.expires <= self._clock():
            return None
        if use_up:
            self._used = stored.number
        return decode(stored.data)

    def merged(self, stored: Carried | None) -> Carried | None:
        """Gives what to store: what was left here; else `stored`, unless it was shown here or has ended."""
        if self._left is not None:
            return self._left
        if stored is None or stored.number == self._used or stored.expires <= self._clock():
            return None
        return stored
