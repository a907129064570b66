"""What one load of a site leaves to the next: parts that rest on the same things as before are taken over as they are.

Only `dev` loads a site again and again. Anywhere else nothing is taken over, and nothing is kept.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

# A file that has just been written may be written again without another time (in nanoseconds) or size.
_SETTLED = 100_000_000
_PLAIN = (str, int, tuple, frozenset, date, Path)
_READ_AS_DATA = ("content/", "pages/", "layouts/", "components/", "assets/", "public/", "locales/")


class Inheritance:
    """The parts of the last good load, each with what it rests on.

    `code` is a number that changes when code has to run again. Python runs at load, and may have read any file then:
    so it does after every change but those of templates, entries and what else hybridsite alone reads.
    """

    def __init__(self) -> None:
        self.code = 0
        self._before: dict[tuple[str, Hashable], tuple[tuple[object, ...], Any]] = {}
        self._now: dict[tuple[str, Hashable], tuple[tuple[object, ...], Any]] = {}

    @property
    def progress(self) -> int:
        """How many parts the load under way has asked for."""
        return len(self._now)

    def note_changes(self, names: Iterable[str]) -> None:
        """Takes note of files that have changed, by their paths below the site's root."""
        self.code += runs_code_again(names)

    @contextmanager
    def passed_on(self) -> Iterator[None]:
        """Lets a load take over what there is. What a good one didn't ask for is forgotten."""
        token = _current.set(self)
        try:
            yield
        except BaseException:
            self._before |= self._now
            raise
        else:
            self._before = self._now
        finally:
            self._now = {}
            _current.reset(token)

    def part(self, kind: str, key: Hashable, rests_on: tuple[object, ...], make: Callable[[], T]) -> T:
        """Gives a part as the last load left it, or makes it where it rests on something else now."""
        name = (kind, key)
        known = self._before.get(name)
        if known is None or not _are_same(known[0], rests_on):
            known = (rests_on, make())
        self._now[name] = known
        part: T = known[1]
        return part


def runs_code_again(changed: Iterable[str]) -> bool:
    """Tells whether one of the files that have changed may have been read by code of the site as it was loaded."""
    return any(name.endswith(".py") or not name.startswith(_READ_AS_DATA) for name in changed)


def _are_same(before: tuple[object, ...], now: tuple[object, ...]) -> bool:
    """Compares what parts rest on: by identity what may be equal and another thing, as 1 and True are in a mapping."""
    for one, other in zip(before, now, strict=True):
        if one is not other and not (isinstance(one, _PLAIN) and type(one) is type(other) and one == other):
            return False
    return True


_current: ContextVar[Inheritance | None] = ContextVar("inheritance", default=None)


def inherited(kind: str, key: Hashable, rests_on: tuple[object, ...], make: Callable[[], T]) -> T:
    """Gives what `make` makes, or what it made for the last load, if that rested on the same.

    What is made must not be changed later, and must not hold anything of the site that it was made for.
    """
    current = _current.get()
    return make() if current is None else current.part(kind, key, rests_on, make)


def code_state() -> int:
    """Gives a number that is another one whenever the site's code has to run again."""
    current = _current.get()
    return 0 if current is None else current.code


def signature(path: Path) -> object:
    """Gives what tells whether a file is as it was: never the same for one that was written a moment ago."""
    if _current.get() is None:
        return None
    try:
        status = os.stat(path)
    except OSError:
        return object()
    if time.time_ns() - status.st_mtime_ns <= _SETTLED:
        return object()
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def signatures(files: Mapping[str, Path]) -> tuple[object, ...]:
    """Gives the names of some files, and the signature of each."""
    return (*files, *map(signature, files.values()))
