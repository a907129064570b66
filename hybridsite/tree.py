"""The files of a site's folder, in one order on every machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from hybridsite.errors import Faults, Location, SourceError


def site_files(root: Path, folders: tuple[str, ...], faults: Faults) -> dict[str, Path]:
    """Lists the files below some folders, by their names in the site. A link that leaves it is added to `faults`."""
    found: dict[str, Path] = {}
    for folder in folders:
        for name, is_link in _walk(root, folder):
            path = root / name
            if is_link and not path.resolve().is_relative_to(root):
                mend = "copy the file into the site"
                faults.add(SourceError("the link leads out of the site", mend=mend, location=Location(name)))
            else:
                found[name] = path
    return found


def _walk(root: Path, folder: str) -> Iterator[tuple[str, bool]]:
    """Yields the files below a folder of the site, links to folders among them, and which of them are links."""
    inner: list[str] = []
    try:
        with os.scandir(root / folder) as listed:
            entries = sorted(
                (entry for entry in listed if not entry.name.startswith(".")), key=lambda entry: entry.name
            )
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            inner.append(entry.name)
        else:
            yield f"{folder}/{entry.name}", entry.is_symlink()
    for name in inner:
        if name != "__pycache__":
            yield from _walk(root, f"{folder}/{name}")
