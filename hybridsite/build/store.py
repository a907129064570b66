"""What the last build has made and from what: kept below .hybridsite/cache/, safe to delete, never trusted blindly."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from hybridsite.build.rows import RouteRow
from hybridsite.errors import Location, SiteError

_FILE = "cache/build"
_FORMAT = "hybridsite build 2"


class Place(msgspec.Struct, frozen=True):
    """A file as it was when the build had written it: size, time and inode."""

    size: int
    time: int
    inode: int


class Told(msgspec.Struct, frozen=True):
    """A notice or a warning, as it was told."""

    code: str
    what: str
    why: str
    mend: str
    file: str
    line: int
    column: int

    @classmethod
    def of(cls, fault: SiteError) -> Told:
        """Gives what a fault says."""
        at = fault.location or Location("")
        return cls(fault.code, fault.what, fault.why, fault.mend, at.file, at.line, at.column)

    def fault(self) -> SiteError:
        """Gives the fault again, of no kind but its code."""
        at = Location(self.file, self.line, self.column) if self.file else None
        return SiteError(self.what, why=self.why, mend=self.mend, location=at)


class Made(msgspec.Struct, frozen=True):
    """One file below dist/: what it was made from (`trace`), how it is given out, and what there was to tell of it.

    `reads` has the fields of entries that it was made from, each with the slugs.

    `page` names the source and what else the plan says of it; a page planned in another way is another page. `islands`
    is JSON: component and props by digest. `given` is the URL of a copy, if the server gives it out.
    `assets` has what a page asked of assets/: files, and pictures with their widths.
    """

    page: str
    trace: tuple[str, ...]
    place: Place
    etag: str
    type: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0
    notices: tuple[tuple[str, int, str, tuple[str, ...], str], ...] = ()
    warnings: tuple[Told, ...] = ()
    islands: str = ""
    given: str = ""
    assets: tuple[tuple[str, tuple[int, ...] | None], ...] = ()
    reads: dict[str, str] = {}


class Store(msgspec.Struct):
    """All that one build knows for the next.

    `files` has the signatures of the sources, `outside` those of files that lie elsewhere (None for one that wasn't
    there), `variables` hashes of the environment, `routes` what other pages may know of a route. `dist` is the hash of
    the manifest that this belongs to, `until` the time from which on the same files may give other entries. `entries`
    has the fields of all entries by collection and slug, and `heads` the front matter of their files, packed.
    """

    tool: str
    drafts: bool
    dist: str
    manifest: Place
    files: dict[str, str]
    outside: dict[str, str | None]
    variables: dict[str, str | None]
    until: float
    routes: dict[str, str]
    entries: dict[str, dict[str, dict[str, str]]]
    heads: dict[str, bytes]
    made: dict[str, Made]
    rows: list[RouteRow]
    notices: list[Told]
    warnings: list[Told]


class Damaged(Exception):
    """The store can't be read: cut off, changed, or another version's. The reason is its text."""


def stamp(state: Path) -> tuple[int, ...]:
    """Tells one state of what the last build has left from another."""
    try:
        status = os.stat(state / _FILE)
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size


def read(state: Path, tool: str) -> Store | None:
    """Reads what the last build has left; None where there was none. Raises Damaged."""
    try:
        data = (state / _FILE).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Damaged((error.strerror or "it can't be read").lower()) from None
    head, _, body = data.partition(b"\n")
    form, _, digest = head.decode("latin-1").rpartition(" ")
    if form != _FORMAT:
        raise Damaged("it is another version's" if form.startswith("hybridsite build ") else "it is damaged")
    if digest != hashlib.sha256(body).hexdigest():
        raise Damaged("it is damaged")
    try:
        store = msgspec.msgpack.decode(body, type=Store)
    except msgspec.MsgspecError:
        raise Damaged("it is damaged") from None
    if store.tool != tool:
        raise Damaged("hybridsite or a package has changed")
    return store


def write(state: Path, store: Store) -> None:
    """Keeps a store for the next build, whole or not at all. One that can't be kept costs the next build its time."""
    body = msgspec.msgpack.encode(store)
    path = state / _FILE
    fresh = path.with_name(f"{path.name}-{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.write_bytes(f"{_FORMAT} {hashlib.sha256(body).hexdigest()}\n".encode() + body)
        fresh.replace(path)
    except OSError:
        path.unlink(missing_ok=True)


def forget(state: Path) -> None:
    """Throws the store away."""
    (state / _FILE).unlink(missing_ok=True)
