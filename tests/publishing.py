"""What tests of collections stand on: a site with posts and people, and what a build makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from hybridsite.errors import SiteError, SiteErrors
from hybridsite.site import Mode, Site, load_site
from tests.e2e.support import page, write_site
from tests.inprocess import ENVIRON, built_here

Files = Mapping[str, str | bytes]

COLLECTIONS = """
from datetime import date
from typing import Annotated

from pydantic import BaseModel

from hybridsite import Collection, Entry, reference


class Post(BaseModel):
    title: str
    date: date
    tags: list[str] = []
    author: Annotated[Entry, reference("people")] | None = None


class Person(BaseModel):
    name: str
    friends: list[Annotated[Entry, reference("people")]] = []


blog = Collection("content/blog", schema=Post)
people = Collection("content/people.toml", schema=Person)
"""
PEOPLE = """
[ines]
name = "Ines"
friends = ["tobias"]

[tobias]
name = "Tobias"
friends = ["ines"]
"""


def post(title: str, day: str = "2026-01-01", *, more: str = "", body: str = "") -> str:
    """Gives a Markdown entry."""
    front = f"---\ntitle: {title}\ndate: {day}\n"
    return front + (f"{more}\n" if more else "") + f"---\n{body}"


SITE: Files = {
    "collections.py": COLLECTIONS,
    "content/people.toml": PEOPLE,
    "content/blog/First Post.md": post(
        "First", "2026-01-01", more="tags: [ink, oak]\nauthor: ines", body="## One\n\nhi"
    ),
    "content/blog/second.md": post("Second", "2026-02-01", more="tags: [ink]", body="*two*"),
    "content/blog/third.md": post("Third", "2026-03-01", more="tags: [woad]\nauthor: tobias"),
}


def site_of(folder: Path, files: Files, *, drafts: bool = False, environ: Mapping[str, str] | None = None) -> Site:
    """Writes a site and loads it as a build does."""
    mode = Mode(prerendering=True, drafts=drafts)
    return load_site(write_site(folder, files), mode, environ={**ENVIRON, **(environ or {})})


def faults_of(folder: Path, files: Files, *, drafts: bool = False) -> list[str]:
    """Gives the faults of a site that can't be loaded, a line each."""
    with pytest.raises((SiteError, SiteErrors)) as caught:
        site_of(folder, files, drafts=drafts)
    return str(caught.value).splitlines()


def pages_of(folder: Path, files: Files, **options: bool) -> dict[str, str]:
    """Builds a site and gives the text of its pages by their names."""
    root = write_site(folder, files)
    built_here(root, **options)
    client = root / "dist/client"
    names = sorted(path.relative_to(client).as_posix() for path in client.rglob("*") if path.is_file())
    return {name: page(root, name) for name in names}
