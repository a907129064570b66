"""What is used while a page is rendered, beside what its templates tell: noted where it is read, for the build.

A build has to know all that a page was made from, also what helpers in other threads of the request read for it. So the
notes go by the task (a ContextVar), and not through every call between.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EVERYTHING = "everything"
"""The key of a page that may have read any file of the site: one that ran the site's own Python."""
ASSETS = "assets"
"""The key of a page that asked for a file of assets/: what that holds may depend on others there."""
ROUTES = "routes"
"""The key of a page that may have asked for the URL of any other."""
LIST = "list:"
"""Before the name of a collection: the key of a page that asked which entries that has, and in which order."""
HOME = "home:"
"""Before the name of a collection: the key of a page that needs to know where its entries come from or have pages."""
PYTHON = "python"
"""The key of what depends on the site's Python files by what they define, though it runs none."""
WHOLE, FILE, DRAFT, BODY, URL, NEAR = "@data", "@file", "@draft", "@body", "@url", "@near"
"""What a page may depend on of an entry beside the fields of its data: all of these, and what the entry has itself."""
ALL = "*"
"""Stands for every entry of a collection, where a page has read a field of more than are told apart."""
MOST_TOLD = 500
"""How many entries of one page are told apart: ten thousand pages that each name thousands would fill the memory."""

Notice = tuple[str, int, str, tuple[str, ...], str]
"""A use of an undefined session: file and line of the place, the page, the way from it, and the mend."""


@dataclass(slots=True)
class Notes:
    """What one page used: `keys` with the time (ns since the epoch) of the first use, and the notices that it gave.

    `islands` has component and props by digest, `assets` the names that were asked for, of pictures with their widths.
    `fields` has, by collection and field (`blog.title`), the slugs of the entries whose field was read.
    """

    keys: dict[str, int] = field(default_factory=dict)
    fields: dict[str, dict[str, None]] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    islands: dict[str, tuple[str, Mapping[str, object]]] = field(default_factory=dict)
    assets: dict[tuple[str, tuple[int, ...] | None], None] = field(default_factory=dict)


_notes: ContextVar[Notes | None] = ContextVar("hybridsite-used", default=None)


def note(key: str) -> None:
    """Notes that what `key` names is read now; nothing where nobody asks, as in a server."""
    notes = _notes.get()
    if notes is not None:
        notes.keys.setdefault(key, time.time_ns())


def is_noting() -> bool:
    """Tells whether anybody asks what is read."""
    return _notes.get() is not None


def note_field(collection: str, name: str, slug: str) -> None:
    """Notes that a field of an entry is read: `.title` of its data, or what the entry has itself, such as `@body`."""
    notes = _notes.get()
    if notes is not None:
        key = collection + name
        found = notes.fields.get(key)
        if found is None:
            found = notes.fields[key] = {}
        found[slug] = None


def note_fields(collection: str, name: str, slugs: Iterable[str]) -> None:
    """Notes that a field of several entries is read."""
    notes = _notes.get()
    if notes is not None:
        notes.fields.setdefault(collection + name, {}).update(dict.fromkeys(slugs))


def repeat(noted: Notes) -> None:
    """Notes again what was used for something that was made once, and is used again now."""
    notes = _notes.get()
    if notes is not None:
        for key, when in noted.keys.items():
            notes.keys.setdefault(key, when)
        for key, slugs in noted.fields.items():
            notes.fields.setdefault(key, {}).update(slugs)


def depends_on(context: Any, path: str | Path) -> Path:
    """Tells the build that a file outside of the site's folder is read for this page, and gives its path.

    A relative path counts from the site's root. The files of the site itself needn't be told.
    """
    place: Path = context.site.root / path
    note(str(place))
    return place


def note_notice(notice: Notice) -> None:
    """Notes that the page under way uses a session that isn't there."""
    notes = _notes.get()
    if notes is not None:
        notes.notices.append(notice)


def note_island(digest: str, component: str, props: Mapping[str, object]) -> None:
    """Notes that the page under way refers to an island."""
    notes = _notes.get()
    if notes is not None:
        notes.islands[digest] = (component, props)


def note_asset(name: str, widths: tuple[int, ...] | None = None) -> None:
    """Notes that the page under way asks for a file of assets/, or for a picture in some widths."""
    notes = _notes.get()
    if notes is not None:
        notes.assets[name, widths] = None
        note(ASSETS)


@contextmanager
def noting() -> Iterator[Notes]:
    """Gives the notes of its block."""
    notes = Notes()
    token = _notes.set(notes)
    try:
        yield notes
    finally:
        _notes.reset(token)
