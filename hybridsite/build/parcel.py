"""A site as it travels to another machine: its files, and what else a build knows, packed into one value."""

from __future__ import annotations

import hashlib
import os
import pickle
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hybridsite.build.snapshot import snapshot, variables
from hybridsite.build.versions import versions
from hybridsite.config import load_settings
from hybridsite.dates import EPOCH_VARIABLE
from hybridsite.errors import BuildError, Location
from hybridsite.site import Site

_OWN = "HYBRIDSITE_"
"""How the names of the variables begin that are hybridsite's own: the secret among them. They never travel."""


class PackedFile(NamedTuple):
    """A file with what code may ask of it. For a link inside of the site `body` is where it leads."""

    body: bytes
    mode: int
    time: int
    is_link: bool = False


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a site is loaded with on another machine.

    `root` is its folder here. `settings` are the variables that site.toml reads, with the moment of the build;
    `environ` those that its Python names: `unset` are the ones among them that aren't there.
    """

    root: str
    drafts: bool
    settings: Mapping[str, str]
    environ: Mapping[str, str]
    unset: tuple[str, ...]
    island_key: bytes | None
    profile: bool


@dataclass(frozen=True, slots=True)
class Parcel:
    """A site and its surroundings, compressed. `key` is a digest of all of it, `versions` what made it."""

    key: str
    body: bytes
    versions: Mapping[str, str]


def pack(site: Site, environ: Mapping[str, str], moment: int, *, profile: bool = False) -> Parcel:
    """Packs a site that is loaded. `moment` is the time of the build, in seconds. Raises BuildError."""
    names = list(snapshot(site.root))
    asked = variables(site.root, (name for name in names if name.endswith(".py")), environ)
    named = [name for name in asked if not name.startswith(_OWN)]
    read = _Read(environ)
    load_settings(site.root, read)
    settings = {name: environ[name] for name in sorted(read.names) if name in environ and not name.startswith(_OWN)}
    assert site.islands.key is not None
    surroundings = Surroundings(
        str(site.root),
        site.mode.drafts,
        {EPOCH_VARIABLE: str(moment)} | settings | _only((EPOCH_VARIABLE,), environ),
        _only(named, environ),
        tuple(name for name in named if name not in environ),
        site.islands.key() if site.templates.has_islands() else None,
        profile,
    )
    body = zlib.compress(pickle.dumps((surroundings, dict(_packed(site.root, names)))), 1)
    return Parcel(hashlib.sha256(body).hexdigest(), body, versions())


def unpack(parcel: Parcel, folder: Path) -> Surroundings:
    """Writes the files of a parcel below an empty folder."""
    surroundings, files = pickle.loads(zlib.decompress(parcel.body))
    assert isinstance(surroundings, Surroundings)
    for name, file in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.is_link:
            path.symlink_to(os.fsdecode(file.body))
            continue
        path.write_bytes(file.body)
        path.chmod(stat.S_IMODE(file.mode) | stat.S_IRUSR | stat.S_IWUSR)
        os.utime(path, ns=(file.time, file.time))
    return surroundings


class _Read(dict[str, str]):
    """An environment that notes which variables are asked for."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return super().__getitem__(name)


def _only(names: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    return {name: environ[name] for name in names if name in environ}


def _packed(root: Path, names: Iterable[str]) -> Iterator[tuple[str, PackedFile]]:
    for name in names:
        path = root / name
        try:
            if path.is_symlink() and (target := path.resolve()).is_relative_to(root):
                inner = os.path.relpath(target, path.parent.resolve())
                yield name, PackedFile(os.fsencode(inner), 0, 0, is_link=True)
            elif path.is_dir():  # a link that leads out of the site
                inside = sorted(each for each in path.rglob("*") if "__pycache__" not in each.parts)
                yield from _packed(root, (each.relative_to(root).as_posix() for each in inside if each.is_file()))
            elif stat.S_ISREG((status := path.stat()).st_mode):
                yield name, PackedFile(path.read_bytes(), status.st_mode, status.st_mtime_ns)
        except OSError as error:
            why = error.strerror or str(error)
            raise BuildError("the file can't be read", why=why, location=Location(name)) from error
