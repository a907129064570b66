"""Whether dist/ is older than its sources: their names, sizes and times, as they were when it was built."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from hybridsite import __version__
from hybridsite.assets.table import FOLDER
from hybridsite.errors import ServeError
from hybridsite.files import copied_files
from hybridsite.manifest import read_manifest, server_sources

_STAMP = "built.json"


def fingerprint(root: Path) -> str:
    """Gives a hash over the name, size and time of every source of a site, and of the tool's version."""
    names = list(server_sources(root))
    names.extend(file.source for file in copied_files(root))
    for place, folders, files in os.walk(root / FOLDER):
        folders.sort()
        names.extend(os.path.relpath(os.path.join(place, name), root) for name in sorted(files))
    digest = hashlib.sha256(__version__.encode())
    for name in names:
        try:
            status = os.stat(f"{root}/{name}")
        except FileNotFoundError:
            continue  # a build says what is missing
        digest.update(f"\0{name}\0{status.st_size}\0{status.st_mtime_ns}".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def remember(fingerprint: str, state: Path) -> None:
    """Notes what a build that has just ended was made from."""
    stamp = {"fingerprint": fingerprint}
    (state / _STAMP).write_text(json.dumps(stamp) + "\n", "utf-8")


def is_remembered(state: Path) -> bool:
    """Tells whether a build has ended here, with its note."""
    return (state / _STAMP).exists()


def is_stale(root: Path, state: Path) -> bool:
    """Tells whether `serve` has to build first: where there is no build, an older one, or one with drafts."""
    try:
        if read_manifest(root / "dist").drafts:
            return True
    except ServeError:
        return True
    try:
        known = json.loads((state / _STAMP).read_text("utf-8"))["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        return True
    return bool(known != fingerprint(root))
