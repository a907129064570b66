"""What is watched: the sources of a site, without what it writes itself and what editors leave about."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from watchfiles import Change, awatch

# Milliseconds: changes that come within the first of each other are told together, but no later than the second.
_STEP = 5
_LONGEST = 200
# An empty file that is younger than this (in nanoseconds) is looked at again after a pause (in seconds).
_FRESH, _PAUSE, _PATIENCE = 100_000_000, 0.005, 40
_WRITTEN = ("dist", "node_modules", "__pycache__")
_LEFT_BY_EDITORS = ("~", ".swp", ".swx", ".tmp", ".pyc", "___jb_tmp___", "___jb_old___")


def is_source(name: str) -> bool:
    """Tells whether a file, by its path below the site's root, may be part of the site."""
    parts = name.split("/")
    if parts[0] in _WRITTEN or "__pycache__" in parts or "node_modules" in parts:
        return False
    if any(part.startswith(".") and part != ".well-known" for part in parts):
        return False
    return not parts[-1].endswith(_LEFT_BY_EDITORS) and not (parts[-1].startswith("#") or parts[-1] == "4913")


Look = dict[str, tuple[int, int] | None]


def look(root: Path, names: Iterable[str]) -> Look:
    """Gives time and size of some files: what is the same before and after a reading was read as it is."""
    found: Look = {}
    for name in names:
        try:
            status = (root / name).stat()
        except OSError:
            found[name] = None
        else:
            found[name] = (status.st_mtime_ns, status.st_size)
    return found


async def settled(root: Path, names: Iterable[str]) -> Look:
    """Looks at files when none of them is about to be written: many editors empty a file before they write it anew."""
    seen = look(root, names)
    for _ in range(_PATIENCE):
        if not any(one and one[1] == 0 and time.time_ns() - one[0] < _FRESH for one in seen.values()):
            break
        await asyncio.sleep(_PAUSE)
        seen = look(root, names)
    return seen


async def changes(root: Path, stop: asyncio.Event) -> AsyncIterator[frozenset[str]]:
    """Yields what has changed, as paths below the root, until `stop` is set."""
    place = str(root.resolve())

    def wanted(change: Change, path: str) -> bool:
        return path.startswith(place + os.sep) and is_source(path[len(place) + 1 :].replace(os.sep, "/"))

    watching = awatch(place, watch_filter=wanted, debounce=_LONGEST, step=_STEP, stop_event=stop, recursive=True)
    async for found in watching:
        yield frozenset(path[len(place) + 1 :].replace(os.sep, "/") for _, path in found)
