"""What earlier builds made under names of its own for ever, assets and the script of islands, kept for a day in
`.hybridsite/previous/`: open tabs and caches still ask for it.

It is no part of dist/. Where a server's state folder is another than the build's, it is simply not there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hybridsite import csp
from hybridsite.assets.table import FOLDER, IMMUTABLE
from hybridsite.errors import ServeError
from hybridsite.manifest import BuiltFile, etag, read_manifest
from hybridsite.media import media_type
from hybridsite.routes import ISLANDS
from hybridsite.urls import UrlPolicy

PREVIOUS = "previous"
KEPT = 86_400.0
"""How many seconds a file is kept after the build in which it was the last time."""


def keep_assets(state: Path, dist: Path, now: float) -> None:
    """Keeps the assets of the build that a new one takes the place of, and forgets what has been kept for a day.

    The script that fills islands is one of them: its name has its hash, too. `now` is in seconds since the epoch.
    Raises OSError. Only one build at a time may do this.
    """
    with suppress(ServeError):
        before = read_manifest(dist)
        made = before.assets.made() | {file.file for file in before.files if file.file.startswith(f"{ISLANDS}/")}
        for file in before.files:
            if file.file in made:
                _keep(dist / file.place, state / PREVIOUS / file.file, now)
    for path in _files(state):
        if not _is_fresh(path, now):
            path.unlink(missing_ok=True)


def _keep(source: Path, target: Path, now: float) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}")
    draft.unlink(missing_ok=True)
    with suppress(FileNotFoundError):  # of a build that somebody has cleaned by hand
        try:
            os.link(source, draft)
        except FileNotFoundError:
            raise
        except OSError:  # another disk, or one without links
            shutil.copyfile(source, draft)
        os.utime(draft, (now, now))
        draft.replace(target)


def kept_assets(state: Path, policy: UrlPolicy, now: float) -> Iterator[tuple[BuiltFile, Path]]:
    """Yields the assets of earlier builds as the server gives them out."""
    for path in _files(state):
        with suppress(OSError):
            if _is_fresh(path, now):
                name, kind = path.relative_to(state / PREVIOUS).as_posix(), media_type(path.name)
                url, tag = policy.url("file", tuple(name.split("/"))), etag(path.read_bytes())
                policed = (("content-security-policy", csp.SVG),) if kind.startswith("image/svg+xml") else ()
                yield BuiltFile(url, name, kind, tag, (IMMUTABLE, *policed)), path


def _files(state: Path) -> list[Path]:
    found = sorted(path for folder in (FOLDER, ISLANDS) for path in (state / PREVIOUS / folder).rglob("*"))
    return [path for path in found if path.is_file() and not path.is_symlink() and not path.name.startswith(".")]


def _is_fresh(path: Path, now: float) -> bool:
    return abs(now - path.stat().st_mtime) <= KEPT  # a clock that was set back keeps nothing for ever
