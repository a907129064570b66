"""What a collection is made from, before it is checked: records from the files of a folder, from one file, or from a
function.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from posixpath import splitext
from typing import Any

from hybridsite import sources
from hybridsite.data import DATA_SUFFIXES, read_document
from hybridsite.errors import ContentError, Faults, Location
from hybridsite.inheritance import inherited, signature
from hybridsite.positions import nearest, positions
from hybridsite.toml_positions import KeyPath
from hybridsite.urls import CONTROL

FOLDER_SUFFIXES = (".md", *DATA_SUFFIXES)
FILE_SUFFIXES = (*DATA_SUFFIXES, ".csv")
MOST_ENTRIES = 1_000_000
"""How many entries a collection may have: a function that never ends is a mistake."""
_SLUG = re.compile(r"[a-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Record:
    """What one entry is made from.

    `file` is "" for what a function gave. `way` leads to its values in a file with several entries, and `line` is that
    of its row in a CSV file. `body` is None where it stands in the file, after the front matter.
    """

    slug: str
    values: Mapping[str, Any]
    file: str = ""
    path: Path | None = None
    way: KeyPath = ()
    line: int = 0
    body: str | None = ""

    def place(self, path: Iterable[object] = ()) -> Location | None:
        """Gives the place of one of its values, or of the nearest thing around it; None for what a function gave."""
        if self.path is None or self.line:
            return Location(self.file, self.line) if self.file else None
        text, suffix, line = sources.read_text(self.path, self.file), self.path.suffix, 1
        if suffix == ".md":
            fence, text, _, _ = sources.split(text, self.file)
            suffix, line = (".toml" if fence == "+++" else ".yaml"), 2
        found = nearest([*self.way, *path], positions(text, suffix, line=line))
        return Location(self.file, *(found or (1, 0)))


def folder_records(folder: str, files: Mapping[str, Path], faults: Faults) -> Iterator[Record]:
    """Yields a record for each Markdown and data file of a folder. A file at fault adds to `faults`.

    Of a Markdown file only the front matter is read. What begins with `_` is left out.
    """
    for file, path in files.items():
        inner = file[len(folder) + 1 :]
        suffix = splitext(inner)[1]
        if suffix not in FOLDER_SUFFIXES or inner.startswith("_") or "/_" in inner:
            continue
        with faults.collect():
            read = _of_markdown if suffix == ".md" else _of_document
            yield inherited("record", file, (signature(path), folder), partial(read, file, folder, path))


def _of_markdown(file: str, folder: str, path: Path) -> Record:
    values = sources.load_head(path, file).front_matter
    slug = values["slug"] if "slug" in values else path_slug(splitext(file[len(folder) + 1 :])[0])
    return Record(checked_slug(slug, Location(file, 1)), values, file, path, body=None)


def _of_document(file: str, folder: str, path: Path) -> Record:
    document = read_document(path, file)
    values = {} if document is None else _mapping(document, Location(file))
    stem = splitext(file[len(folder) + 1 :])[0]
    slug = next((values[key] for key in ("slug", "id") if key in values), path_slug(stem))
    body = _body(values, Location(file, 1))
    return Record(checked_slug(slug, Location(file, 1)), values, file, path, body=body)


def file_records(file: str, path: Path, faults: Faults) -> Iterator[Record]:
    """Yields a record for each row of a CSV file, or each item of a TOML, JSON or YAML file."""
    if path.suffix == ".csv":
        yield from _rows(file, path, faults)
        return
    document = read_document(path, file)
    way: KeyPath = ()
    if isinstance(document, Mapping) and len(document) == 1:
        name, inner = next(iter(document.items()))
        if isinstance(inner, list):  # [[people]] is the only way that TOML has to write a list
            way, document = (name,), inner
    items: Iterable[tuple[str | int, object]]
    if isinstance(document, list):
        items = enumerate(document)
    else:
        what = "the file is no mapping of slugs to entries, and no list of them"
        items = _mapping(document or {}, Location(file), what).items()
    for key, item in items:
        record = Record("", {}, file, path, (*way, key))
        with faults.collect():
            values = _mapping(item, record, "an entry is no mapping of names to values")
            slug = next(
                (values[name] for name in ("slug", "id") if name in values), key if isinstance(key, str) else None
            )
            yield Record(checked_slug(slug, record), values, file, path, record.way, body=_body(values, record))


def _rows(file: str, path: Path, faults: Faults) -> Iterator[Record]:
    reader = csv.reader(io.StringIO(sources.read_text(path, file), newline=""), strict=True)
    names: list[str] | None = None
    line = 1
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise ContentError("the file is no valid CSV", why=str(error), location=Location(file, line)) from None
        if row is None:
            return
        place, line = Location(file, line), reader.line_num + 1
        if not any(row):
            continue
        if names is None:
            names = _header(row, place)
            continue
        with faults.collect():
            if len(row) > len(names):
                why = f"the first row names {len(names)}, and this one has {len(row)}"
                raise ContentError("a row has more columns than there are names", why=why, location=place)
            # An empty cell says nothing, so that the schema's default stands.
            values = {name: cell for name, cell in zip(names, row, strict=False) if cell}
            slug = next((values[name] for name in ("slug", "id") if name in values), None)
            body = values.get("body", "")
            yield Record(checked_slug(slug, place), values, file, path, line=place.line, body=body)


def _header(row: list[str], place: Location) -> list[str]:
    names = [name.strip() for name in row]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ContentError(f'the column "{twice}" stands twice', mend="rename one of them", location=place)
    if not {"slug", "id"} & set(names):
        mend = "name the columns in the first row, one of them slug or id"
        raise ContentError("no column has the slugs of the entries", mend=mend, location=place)
    return names


def made_records(items: Iterable[object], place: Location, faults: Faults) -> Iterator[Record]:
    """Yields a record for each mapping that a function gave. Raises ContentError where they don't end."""
    for number, item in enumerate(items, 1):
        if number > MOST_ENTRIES:
            what = f"the function gave over {MOST_ENTRIES:,} entries"
            raise ContentError(what, why="it doesn't seem to end", location=place)
        with faults.collect():
            if not isinstance(item, Mapping) and hasattr(item, "model_dump"):
                item = item.model_dump()
            values = _mapping(item, place, "the function gave something that is no mapping of names to values")
            slug = next((values[name] for name in ("slug", "id") if name in values), None)
            yield Record(checked_slug(slug, place), dict(values), body=_body(values, place))


def _mapping(value: object, place: Location | Record, what: str = "") -> Mapping[str, Any]:
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return value
    what = what or "the file is no mapping of names to values"
    why = "a name is no text" if isinstance(value, Mapping) else f"it is {type(value).__name__}"
    raise ContentError(what, why=why, location=_location(place))


def _body(values: Mapping[str, Any], place: Location | Record) -> str:
    body = values.get("body")
    if body is None or isinstance(body, str):
        return body or ""
    raise ContentError('"body" is Markdown, and this is no text', location=_location(place, "body"))


def _location(place: Location | Record, *path: str) -> Location | None:
    return place.place(path) if isinstance(place, Record) else place


def checked_slug(slug: object, place: Location | Record) -> str:
    """Gives a slug as text. Raises ContentError for what can't be one, or where there is none."""
    if isinstance(slug, int) and not isinstance(slug, bool):
        slug = str(slug)
    if not isinstance(slug, str) or not slug:
        what = "an entry has no slug" if slug is None or slug == "" else f"the slug {slug!r} is no text"
        raise ContentError(what, mend="give it a slug, or an id", location=_location(place))
    slug = unicodedata.normalize("NFC", slug)
    if any(part in ("", ".", "..") for part in slug.split("/")) or CONTROL.search(slug) or "\\" in slug:
        what = f'the slug "{slug}" can stand in no path'
        raise ContentError(what, mend='write it as in "a-year-in-six-pots"', location=_location(place, "slug"))
    return slug


def path_slug(stem: str) -> str:
    """Gives the slug of a file by its path below the folder, without extension: `2026/My Post` is `2026/my-post`.

    A file called `index` has the slug of its folder.
    """
    return "/".join(_slugged(part) or part for part in stem.removesuffix("/index").split("/"))


def _slugged(name: str) -> str:
    """Gives a name in GitHub's way: lower case, spaces as hyphens, letters, digits and marks of every script kept."""
    if _SLUG.fullmatch(name):
        return name
    name = unicodedata.normalize("NFC", name).lower()
    kept = (c for c in name if c in "-_ " or c.isalnum() or unicodedata.category(c)[0] == "M")
    return re.sub(" ", "-", "".join(kept).strip())
