"""Messages that are shown once: what this request added and what it showed, to be applied to a newer copy."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from hybridsite.sessions.codec import Flash, decode, encode


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
