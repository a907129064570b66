"""Files that go into the built site as they are: public/, and the images and their like beside pages and entries."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from hybridsite.media import is_binary
from hybridsite.routes import PARAMETER

PUBLIC: Final = "public"
FILES: Final = "_files"
"""The folder of the built site in which the files beside entries lie: no page can have a name like it."""


class CopiedFile(NamedTuple):
    """A file that is copied: its path below the site's root, and the one that it gets below dist/client/."""

    source: str
    name: str


def copied_name(source: str) -> str | None:
    """Gives the path below dist/client/ of a file of the site; None for one that isn't copied.

    `pages/blog/hero.png` goes to the same place, `content/blog/hero.png` below `_files/`. Beside pages and entries only
    files that are no text are copied, and none whose name, or a folder of it, begins with `_` or is a parameter.
    """
    folder, _, rest = source.partition("/")
    if folder == PUBLIC:
        return rest
    if folder not in ("pages", "content") or not is_binary(rest):
        return None
    if any(part.startswith(("_", ".")) or PARAMETER.search(part) for part in rest.split("/")):
        return None
    return rest if folder == "pages" else f"{FILES}/{rest}"


def copied_files(root: Path) -> Iterator[CopiedFile]:
    """Lists the files that are copied, in one order on every machine; links to folders among them, as they are."""
    for folder in (PUBLIC, "content", "pages"):
        top = str(root / folder)
        for place, folders, files in os.walk(top):
            folders.sort()
            linked = [name for name in folders if os.path.islink(os.path.join(place, name))] if folder == PUBLIC else []
            inner = folder + place[len(top) :].replace(os.sep, "/")
            for file in sorted([*files, *linked]):
                source = f"{inner}/{file}"
                name = copied_name(source)
                if name is not None:
                    yield CopiedFile(source, name)
