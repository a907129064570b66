"""Which build lies in dist/, and how it is loaded as a whole: what a later build writes never shows in it."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from hybridsite.assets.previous import kept_assets
from hybridsite.errors import ServeError, SiteError, SiteErrors
from hybridsite.manifest import MANIFEST, Manifest, read_manifest
from hybridsite.modules import forget_modules
from hybridsite.places import is_dist, state_folder
from hybridsite.prefetch import rules_url
from hybridsite.previous import FOLDER as PREVIOUS
from hybridsite.previous import KEPT
from hybridsite.server.app import App
from hybridsite.server.islands import answered_islands
from hybridsite.server.state import make_cache, make_sessions, own_memory
from hybridsite.server.static import FileIndex, StaticFile
from hybridsite.sessions.manager import SessionManager
from hybridsite.site import Mode, Site, load_site, named

SERVED = "served"
"""Where the sources of the builds that are served lie, below the state folder, by the builds' names."""
# A build that comes while another is loaded has that one loaded instead. They don't come by the second.
_READINGS = 20
_OF_OTHERS = 600.0  # seconds for which what another process may still read stays

Signature = tuple[int, int, int]
"""What tells one manifest from another without reading it: its inode, the time of its last change, and its size."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a site that is served lies: its dist/, its state, and the environment.

    With `alone`, sessions and kept answers are in the memory of this process, whatever drivers the settings name.
    """

    dist: Path
    state: Path
    environ: Mapping[str, str]
    alone: bool = False

    @classmethod
    def of(cls, place: Path, environ: Mapping[str, str], *, alone: bool = False) -> Place:
        """Finds them; `place` is the site's folder, or its dist/."""
        dist = place if is_dist(place) else place / "dist"
        return cls(dist, state_folder(place, environ), environ, alone)

    def signature(self) -> Signature | None:
        """Tells which manifest is there; None where there is none."""
        try:
            status = os.stat(self.dist / MANIFEST)
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size


@dataclass(frozen=True, slots=True)
class Given:
    """What pages that browsers show refer to, by its name, which is its own for ever: files by URL, islands by digest.

    Each is answered until a moment. This is what a server has of builds before; what it has never served, and what a
    restart forgets, is in `.hybridsite/previous/`, where the build was made on the same machine.
    """

    files: Mapping[str, tuple[StaticFile, float]] = field(default_factory=dict)
    islands: Mapping[str, tuple[tuple[str, Mapping[str, object]], float]] = field(default_factory=dict)

    def after(self, manifest: Manifest, files: Mapping[str, StaticFile], now: float) -> Given:
        """Gives what there is when a build has gone."""
        until = now + KEPT
        return Given(
            {url: pair for url, pair in self.files.items() if pair[1] > now}
            | {url: (file, until) for url, file in files.items() if file.is_lasting and url not in self.files},
            {digest: pair for digest, pair in self.islands.items() if pair[1] > now}
            | {digest: (island, until) for digest, island in manifest.islands.items()},
        )


@dataclass(frozen=True, slots=True)
class Build:
    """A build that was loaded: its manifest and the signature of that, what answers with it, and its files.

    `given` is what builds before it gave out.
    """

    manifest: Manifest
    signature: Signature | None
    app: App
    files: Mapping[str, StaticFile]
    given: Given

    @property
    def name(self) -> str:
        """The name of the build."""
        return self.manifest.name


def load_build(place: Place, before: Build | None = None) -> Build:
    """Loads the build that lies in dist/; once more where another takes its place meanwhile.

    The sessions of the build `before` go on, where nothing is changed that they rest on. Raises SiteError where the
    site isn't built, its settings don't hold, or its secret is none.
    """
    for _ in range(_READINGS):
        signature = place.signature()
        try:
            build = _load(place, signature, before)
        except Exception:
            if place.signature() == signature:
                raise
            continue
        if place.signature() == signature:
            return build
    raise ServeError(f"{place.dist} is written all the time", mend="let a build replace it as a whole")


def _load(place: Place, signature: Signature | None, before: Build | None) -> Build:
    manifest, now = read_manifest(place.dist), time.time()
    given = Given() if before is None else before.given.after(before.manifest, before.files, now)
    root = _pinned(place, manifest)
    if before is not None and before.app.site.root == root.resolve():
        forget_modules(root.resolve())  # what lies there was imported from another build
    mode = Mode(prerendering=False, drafts=manifest.drafts, alone=place.alone)
    site = load_site(root, mode, environ=place.environ, assets=manifest.assets)
    if place.alone:
        site = replace(site, settings=own_memory(site.settings))
    if root == place.dist / "server":
        _load_templates(site)
    earlier = kept_assets(place.state, site.policy, now)
    carried = {url: file for url, (file, _) in given.files.items()}
    index = FileIndex.load(manifest, place.dist, earlier, place.state / PREVIOUS, carried)
    guarded = frozenset(
        site.policy.read(url.encode()).segments for url, file in index.built.items() if file.guard is not None
    )
    sessions = _sessions(site, place, before)
    cache = make_cache(site.settings, manifest.name, place.environ)
    site = replace(site, built=index.built, guarded=guarded, error_files=index.errors, sessions=sessions, cache=cache)
    site = replace(site, prefetch=rules_url(manifest.files))
    known = {digest: island for digest, (island, _) in given.islands.items()}
    islands = answered_islands(site, manifest, place.state, place.environ, known)
    app = App(named(replace(site, islands=islands)), index)
    return Build(manifest, signature, app, index.built, given)


def _sessions(site: Site, place: Place, before: Build | None) -> SessionManager | None:
    """Gives what opens sessions: what is open already, where it would be made in the same way."""
    if before is not None:
        last = before.app.site
        if (last.settings.session, last.settings.site.base) == (site.settings.session, site.settings.site.base):
            return last.sessions
    return make_sessions(site.settings, place.state, place.environ)


def _load_templates(site: Site) -> None:
    """Loads the templates that no page names: code may render them when the next build lies there."""
    for name in site.templates.names():
        with suppress(SiteError, SiteErrors):  # whoever asks for it is told; it may be a picture beside a page
            site.templates.get(name)


def _pinned(place: Place, manifest: Manifest) -> Path:
    """Gives a folder with the sources of a build that stays as it is, whatever comes into dist/.

    They are the same files by other names. Where these can't be made, dist/server/ itself has to do: what is read late
    (the text of an entry, a module imported in a function) may be a newer build's for a moment then.
    """
    folder = place.state / SERVED
    pinned = folder / manifest.name
    if not pinned.is_dir():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=".", dir=folder))
            try:
                _link(place.dist / "server", draft, manifest.sources)
                with suppress(OSError):  # another process was faster
                    draft.rename(pinned)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        except OSError:
            return place.dist / "server"
    touch_served(place, pinned.name)
    return pinned if pinned.is_dir() else place.dist / "server"


def touch_served(place: Place, name: str) -> None:
    """Notes that the sources of a build are still read, so that no other process removes them."""
    with suppress(OSError):
        os.utime(place.state / SERVED / name)


def _link(source: Path, target: Path, names: Iterable[str]) -> None:
    folders: set[str] = set()
    for name in names:
        path = f"{target}/{name}"
        folder = path.rpartition("/")[0]
        if folder not in folders:
            os.makedirs(folder, exist_ok=True)
            folders.add(folder)
        os.link(f"{source}/{name}", path)


def forget_served(place: Place, names: Iterable[str]) -> None:
    """Removes the sources of builds that nobody serves any more: all but those of `names`, and of the last minutes."""
    keep, now = set(names), time.time()
    with suppress(OSError):
        for entry in [*os.scandir(place.state / SERVED)]:
            if entry.name not in keep and abs(now - entry.stat(follow_symlinks=False).st_mtime) > _OF_OTHERS:
                shutil.rmtree(entry.path, ignore_errors=True)
