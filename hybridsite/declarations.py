"""collections.py and the folders below content/, read: which collections there are, and where each comes from."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hybridsite import units
from hybridsite.collections import Collection
from hybridsite.errors import ContentError, Faults, Location, ModuleError, SiteError, did_you_mean, place_of
from hybridsite.modules import Handler, function_place, load_module
from hybridsite.records import FILE_SUFFIXES, MOST_ENTRIES, Record, file_records, folder_records, made_records

COLLECTIONS_FILE = "collections.py"
CONTENT_FOLDER = "content"
FOLDERS = (CONTENT_FOLDER, "data")


@dataclass(frozen=True, eq=False)
class Declared:
    """A collection and where its entries come from: files of a folder, one file, or a function.

    `ttl` is how many seconds the entries of a live one are kept, and None for one that is read once.
    """

    name: str
    place: Location
    root: Path
    folder: str = ""
    files: Mapping[str, Path] | None = None
    function: Handler | None = None
    schema: type[Any] | None = None
    trusted: bool = True
    ttl: float | None = None

    def has(self, file: str) -> bool:
        """Tells whether a file lies in its folder."""
        return bool(self.folder) and file.startswith(f"{self.folder}/")

    def records(self, faults: Faults) -> Iterator[Record]:
        """Reads its records: those of a function by running it to its end, on a loop of its own where it is `async`."""
        if self.function is None:
            assert self.files is not None
            if self.folder:
                return folder_records(self.folder, self.files, faults)
            ((file, path),) = self.files.items()
            return file_records(file, path, faults)
        with ThreadPoolExecutor(1) as thread:  # a build is on a loop already
            given = thread.submit(lambda: asyncio.run(self.given())).result()
        return self.made(given, faults)

    def made(self, given: Iterable[object], faults: Faults) -> Iterator[Record]:
        """Gives the records of what the function gave."""
        return made_records(given, self.place, faults)

    async def given(self) -> list[object]:
        """Gives what the function gives, all of it. One that is not `async` runs in a thread.

        Raises ModuleError for what it raises.
        """
        function = self.function
        assert function is not None
        try:
            if inspect.iscoroutinefunction(function):
                return _listed(await function(), self.place)
            if inspect.isasyncgenfunction(function):
                return await _drained(function(), self.place)
            import anyio.to_thread  # here since few sites have a function that gives entries

            return await anyio.to_thread.run_sync(partial(_called, function, self.place))
        except SiteError as error:
            raise error.at(place_of(error, str(self.root)) or self.place) from error
        except Exception as error:
            where = place_of(error, str(self.root)) or self.place
            why = f'raised while the collection "{self.name}" was read'
            raise ModuleError(f"{type(error).__name__}: {error}", why=why, location=where) from error


def _called(function: Handler, place: Location) -> list[object]:
    return _listed(function(), place)


def _listed(given: object, place: Location) -> list[object]:
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        mend = 'return a list, or yield: {"slug": "a", "title": "A"}'
        raise ContentError(f"the function gave {type(given).__name__}", mend=mend, location=place)
    items: list[object] = []
    for item in given:
        items.append(item)
        if len(items) > MOST_ENTRIES:
            break  # made_records() says so
    return items


async def _drained(given: AsyncIterator[object], place: Location) -> list[object]:
    items: list[object] = []
    async for item in given:
        items.append(item)
        if len(items) > MOST_ENTRIES:
            break
    return items


def read_declarations(
    root: Path, files: Mapping[str, Path], faults: Faults, added: Mapping[str, Collection] = MappingProxyType({})
) -> list[Declared]:
    """Gives the collections of a site, by name. `files` are those below content/ and data/, `added` what plugins add.

    Adds to `faults` what collections.py does wrong: a source that isn't there, or lies elsewhere.
    """
    found: dict[str, Declared] = {}
    claimed: set[str] = set()
    if (root / COLLECTIONS_FILE).exists():
        with faults.collect():
            module = load_module(root, COLLECTIONS_FILE)
            for name, collection in module.of_type(Collection).items():
                if isinstance(collection.source, str):
                    claimed.add(collection.source.strip("/"))
                with faults.collect():
                    found[name] = _declared(root, name, collection, files)
    for name, collection in added.items():
        with faults.collect():
            if name in found:
                what = f'a plugin adds the collection "{name}", which {COLLECTIONS_FILE} has already'
                raise ContentError(what, mend="rename one of them", location=found[name].place)
            if isinstance(collection.source, str):
                claimed.add(collection.source.strip("/"))
            found[name] = _declared(root, name, collection, files, Location("site.toml"))
    for folder in dict.fromkeys(file.split("/")[1] for file in files if file.startswith(f"{CONTENT_FOLDER}/")):
        source = f"{CONTENT_FOLDER}/{folder}"
        if source in claimed or source in files or folder.startswith("_"):
            continue
        if folder in found:
            what = f'{source}/ and the collection "{folder}" of {COLLECTIONS_FILE} have one name'
            faults.add(ContentError(what, mend="rename one of them", location=found[folder].place))
            continue
        found[folder] = Declared(folder, Location(source), root, source, _below(files, source))
    return [found[name] for name in sorted(found)]


def _below(files: Mapping[str, Path], folder: str) -> dict[str, Path]:
    return {file: path for file, path in files.items() if file.startswith(f"{folder}/")}


def _declared(
    root: Path, name: str, collection: Collection, files: Mapping[str, Path], place: Location | None = None
) -> Declared:
    place = place or Location(COLLECTIONS_FILE, collection.line)
    make = partial(Declared, name, schema=collection.schema, trusted=collection.trusted, root=root)
    source = collection.source
    if not isinstance(source, str):
        return make(function_place_of(source, place), function=source, ttl=_ttl(collection, place))
    source = source.strip("/")
    if source.partition("/")[0] not in FOLDERS:
        what = f'the collection "{name}" comes from "{collection.source}"'
        mend = f"put it below {CONTENT_FOLDER}/, or data/, and name it from the site's root"
        raise ContentError(what, why="dist/ wouldn't have it", mend=mend, location=place)
    if source in files:
        suffixes = ", ".join(FILE_SUFFIXES)
        if files[source].suffix not in FILE_SUFFIXES:
            mend = f"the files of several entries are {suffixes}"
            raise ContentError(f'"{source}" is no file of entries', mend=mend, location=place)
        return make(place, files={source: files[source]})
    inside = _below(files, source)
    if not inside and not (root / source).is_dir():
        known = {*files, *(str(parent) for file in files for parent in Path(file).parents)}
        mend = did_you_mean(source, known) or "make it, or take the collection out"
        raise ContentError(f'there is no folder and no file "{source}"', mend=mend, location=place)
    return make(place, folder=source, files=inside)


def function_place_of(function: Handler, place: Location) -> Location:
    """Gives the line of a function that lies in collections.py, else that of the declaration."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    own = code is not None and code.co_filename.endswith(f"/{COLLECTIONS_FILE}")
    return function_place(function, COLLECTIONS_FILE) if own else place


def _ttl(collection: Collection, place: Location) -> float | None:
    if collection.live is False:
        return None
    if collection.live is True:
        return 0.0
    try:
        seconds = units.duration(collection.live)
        return units.lasting(float(seconds))  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ContentError(f"`live` {error}", location=place) from None
