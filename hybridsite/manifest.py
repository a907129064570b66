"""dist/server/manifest.json: what a build wrote, for the server that gives it out, and which sources go with it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from hybridsite.assets.table import NO_ASSETS, BuiltAssets
from hybridsite.errors import ServeError
from hybridsite.files import copied_name
from hybridsite.previous import Islands

FORMAT = 2
MANIFEST = "server/manifest.json"
CLIENT = "client"
# No host gives out what lies here. A folder of the site whose name begins with _ is never copied, so nothing meets it.
GUARDED = "server/_guarded"

SHOWN = 12
"""How many letters of a build's name are shown."""

_FOLDERS = ("components", "content", "data", "layouts", "locales", "pages")
_NOT_CODE = ("assets", "dist", "public", "tests")


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """One file below dist/client/: its URL (escaped, with the base), type, ETag (quoted) and headers of its own.

    `guard` is the source of a page with `guard: true`, whose file lies below dist/server/_guarded/ instead.
    """

    url: str
    file: str
    type: str
    etag: str
    headers: tuple[tuple[str, str], ...] = ()
    alias: str | None = None
    guard: str | None = None

    @property
    def place(self) -> str:
        """Its path below dist/."""
        return place_below_dist(self.file, self.guard)


def place_below_dist(file: str, guard: str | None) -> str:
    """Gives the path below dist/ of a file that is given out, by its name: one behind a guard lies elsewhere."""
    return f"{GUARDED if guard else CLIENT}/{file}"


@dataclass(frozen=True)
class Manifest:
    """What a build wrote. `islands` has component and props for each digest that its pages refer to."""

    version: str
    drafts: bool
    files: tuple[BuiltFile, ...]
    errors: Mapping[int, str]
    sources: Mapping[str, str]
    islands: Islands = field(default_factory=dict)
    assets: BuiltAssets = NO_ASSETS

    @cached_property
    def name(self) -> str:
        """The name of the build: a hash of all that it consists of."""
        return hashlib.sha256(self.to_json()).hexdigest()[:32]

    def to_json(self) -> bytes:
        """Gives the manifest's bytes, the same for the same site on every machine."""
        content = {
            "format": FORMAT,
            "hybridsite": self.version,
            "drafts": self.drafts,
            "files": [],
            "errors": {str(status): file for status, file in sorted(self.errors.items())},
            "sources": dict(sorted(self.sources.items())),
            "islands": {digest: list(island) for digest, island in sorted(self.islands.items())},
            "assets": self.assets.to_plain(),
        }
        text = json.dumps(content, ensure_ascii=False, indent=1)
        files = "[\n  " + ",\n  ".join(map(_written, self.files)) + "\n ]" if self.files else "[]"
        return text.replace('"files": []', f'"files": {files}', 1).encode() + b"\n"


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",\n   ", ": ")).encode


def _written(file: BuiltFile) -> str:
    """Gives one file as json.dumps() indents it, which has no encoder in C for that: a site may have ten thousand."""
    entry = {"url": file.url, "file": file.file, "type": file.type, "etag": file.etag}
    more: dict[str, object] = {
        **({"headers": list(map(list, file.headers))} if file.headers else {}),
        **({"alias": file.alias} if file.alias else {}),
        **({"guard": file.guard} if file.guard else {}),
    }
    if more:
        return json.dumps({**entry, **more}, ensure_ascii=False, indent=1).replace("\n", "\n  ")
    return f"{{\n   {_encode(entry)[1:-1]}\n  }}"


class _Form(msgspec.Struct):
    format: int


class _Islands(msgspec.Struct):
    format: int
    islands: dict[str, tuple[str, dict[str, Any]]] = {}


class _Content(msgspec.Struct):
    """What a manifest holds, as to_json() writes it."""

    hybridsite: str
    drafts: bool
    files: tuple[BuiltFile, ...]
    errors: dict[int, str]
    sources: dict[str, str]
    assets: dict[str, Any]
    islands: dict[str, tuple[str, dict[str, Any]]] = {}


def read_manifest(dist: Path) -> Manifest:
    """Reads what a build wrote into `dist`. Raises ServeError where it is missing, broken or of another version."""
    path = dist / MANIFEST
    mend = "build the site anew: hybridsite build"
    try:
        data = path.read_bytes()
        if msgspec.json.decode(data, type=_Form).format != FORMAT:
            raise ServeError(f"{path} was written by another version of hybridsite", mend=mend)
        read = msgspec.json.decode(data, type=_Content)
        assets = BuiltAssets.from_plain(read.assets)
    except FileNotFoundError:
        raise ServeError(f"{dist} holds no built site", why="server/manifest.json is missing", mend=mend) from None
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ServeError(f"{path} is damaged", mend=mend) from None
    return Manifest(read.hybridsite, read.drafts, read.files, read.errors, read.sources, read.islands, assets)


def read_islands(dist: Path) -> Islands:
    """Gives the islands of what a build wrote into `dist`; none where nothing is there that can be read."""
    try:
        read = msgspec.json.decode((dist / MANIFEST).read_bytes(), type=_Islands)
    except (OSError, msgspec.MsgspecError):
        return {}
    return read.islands if read.format == FORMAT else {}


def etag(body: bytes) -> str:
    """Gives the strong ETag of a body (RFC 9110, 8.8.3): 128 bits of its SHA-256."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def server_sources(root: Path) -> Iterator[str]:
    """Names the files that rendering on demand needs: settings, templates, data and Python, and no others."""
    yield "site.toml"
    yield from sorted(path.name for path in root.glob("[!.]*.py") if path.is_file())
    for folder in sorted(entry.name for entry in root.iterdir() if entry.is_dir()):
        if folder in _FOLDERS:
            yield from _below(root, folder, "")
        elif not folder.startswith((".", "_")) and folder not in _NOT_CODE and any((root / folder).glob("[!.]*.py")):
            yield from _below(root, folder, ".py")


def _below(root: Path, folder: str, suffix: str) -> Iterator[str]:
    top = f"{root}{os.sep}"
    for place, folders, files in os.walk(f"{top}{folder}"):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        inner = place[len(top) :].replace(os.sep, "/")
        for name in sorted(files):
            if not name.startswith(".") and name.endswith(suffix) and not name.endswith(".pyc"):
                source = f"{inner}/{name}"
                if copied_name(source) is None:  # what is copied is a file of its own
                    yield source
