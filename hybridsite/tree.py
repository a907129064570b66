"""The files of a site, listed in one order on every machine; what leads out of the site is a fault."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from hybridsite.errors import Faults, Location, SourceError
from hybridsite.inheritance import inherited


def index_files(root: Path, folders: tuple[str, ...], faults: Faults) -> dict[str, Path]:
    """Lists the files below some folders, in one order on every machine. A link that leaves the site is a fault."""
    found: dict[str, Path] = {}
    place = str(root)
    for folder in folders:
        for name, is_link in _walk(root, folder):
            path = inherited("path", name, (place,), partial(root.joinpath, name))
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


def below(files: Mapping[str, Path], folder: str) -> dict[str, Path]:
    """Gives those of the files that lie below a folder."""
    return {name: path for name, path in files.items() if name.startswith(f"{folder}/")}
