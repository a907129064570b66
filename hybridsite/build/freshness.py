"""Whether dist/ is older than its sources: their names, sizes and times, as they were when it was built."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from hybridsite import __version__
from hybridsite.assets.table import FOLDER
from hybridsite.build.snapshot import Signature, snapshot
from hybridsite.errors import ServeError
from hybridsite.files import copied_files
from hybridsite.manifest import read_manifest, server_sources

_STAMP = "built.json"


def fingerprint(root: Path, files: Mapping[str, Signature]) -> str:
    """Gives a hash over the name, size and time of every source of a site, and of the tool's version.

    `files` has the signatures of its files as they are now, or were a moment ago.
    """
    names = list(server_sources(root))
    names.extend(file.source for file in copied_files(root))
    names.extend(sorted(name for name in files if name.startswith(f"{FOLDER}/")))
    digest = hashlib.sha256(__version__.encode())
    for name in names:
        if name in files:  # a build says what is missing
            size, time, _ = files[name].split(":", 2)
            digest.update(f"\0{name}\0{size}\0{time}".encode("utf-8", "surrogateescape"))
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
    return bool(known != fingerprint(root, snapshot(root)))
