"""What a build copies: public/ as it is, and the sources that the server needs."""

from __future__ import annotations

import errno
import os
import unicodedata
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from hybridsite import csp
from hybridsite.build.kept import Kept
from hybridsite.build.output import Output
from hybridsite.build.plan import PlannedPage
from hybridsite.build.store import Made
from hybridsite.build.traces import SETTINGS
from hybridsite.errors import BuildError, Faults, Location, RouteError, SourceError
from hybridsite.manifest import BuiltFile, etag, with_header
from hybridsite.media import media_type
from hybridsite.routes import ISLANDS
from hybridsite.site import Site
from hybridsite.urls import PathRefused

Sent = Callable[[bytes], tuple[str, tuple[tuple[str, str], ...]]]
"""Gives the type of a body, and the headers that it is sent with."""


def _not_sent(_: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
    return "", ()


def copy_public(
    site: Site, pages: list[PlannedPage], output: Output, kept: Kept, faults: Faults
) -> tuple[list[BuiltFile], dict[str, Made]]:
    """Copies public/. A file that a page writes too is a fault."""
    owners = {unicodedata.normalize("NFC", page.output).casefold(): page.match.route.source for page in pages}
    folder = site.root / "public"
    files: list[BuiltFile] = []
    copies: dict[str, Made] = {}
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        shown = Location(f"public/{name}")
        with faults.collect():
            if not name.isprintable() and any("\ud800" <= character <= "\udfff" for character in name):
                raise SourceError("the file's name isn't text in UTF-8", mend="rename it", location=shown)
            if not path.resolve().is_relative_to(site.root):
                raise SourceError("the link leads out of the site", mend="copy the file into the site", location=shown)
            key = unicodedata.normalize("NFC", name).casefold()
            if key.startswith(f"{ISLANDS}/"):
                mend = "rename the folder"
                raise RouteError(f"names below /{ISLANDS}/ belong to islands", mend=mend, location=shown)
            try:
                site.policy.read(site.policy.url("file", tuple(name.split("/"))).encode("ascii"))
            except PathRefused:
                why = "no request can ask for it"
                raise SourceError("the file's name is no path", why=why, mend="rename it", location=shown) from None
            if key in owners:
                raise RouteError(
                    f"public/{name} and {owners[key]} both write {name}", mend="rename one", location=shown
                )
            owners[key] = f"public/{name}"
            place = f"client/{name}"
            copies[place] = _copied(path, f"public/{name}", place, output, kept, partial(_sent, site, name))
            files.extend(_public_file(site, name, copies[place]))
    return files, copies


def copy_sources(site: Site, names: list[str], output: Output, kept: Kept) -> tuple[dict[str, str], dict[str, Made]]:
    """Copies what rendering on demand needs into dist/server/, and gives each file with its hash."""
    copies: dict[str, Made] = {}
    hashes: dict[str, str] = {}
    for name in names:
        if name in site.drafts:
            continue
        path = site.root / name
        if path.is_symlink() and not path.resolve().is_relative_to(site.root):
            raise SourceError(
                "the link leads out of the site", mend="copy the file into the site", location=Location(name)
            )
        place = f"server/{name}"
        copies[place] = _copied(path, name, place, output, kept)
        hashes[name] = copies[place].etag.strip('"')
    return hashes, copies


def _copied(path: Path, name: str, place: str, output: Output, kept: Kept, sent: Sent = _not_sent) -> Made:
    """Copies one file, unless the last build did, and it is what it was. Raises SourceError, BuildError."""
    known = kept.copy(place, name)
    if known is not None and output.keep(place, known.place):
        return known
    shown = Location(name)
    try:
        if not path.is_file():  # a pipe would be waited for
            if path.exists():
                raise SourceError("this is no file", location=shown)
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        body = path.read_bytes()
    except OSError as error:  # it was there when the site was loaded
        raise BuildError("the file can't be read", why=error.strerror or "", location=shown) from error
    kind, headers = sent(body)
    trace = (name, SETTINGS)  # which have the headers
    return Made(page=name, trace=trace, place=output.write(place, body), etag=etag(body), type=kind, headers=headers)


def _public_file(site: Site, name: str, made: Made) -> Iterator[BuiltFile]:
    """Yields how the server gives a public file out: index.html as its folder, no dot files but RFC 8615's."""
    segments = _segments(name)
    if any(part.startswith(".") for part in segments) and segments[0] != ".well-known":
        return
    url = site.policy.url("page", segments[:-1]) if segments[-1] == "index.html" else site.policy.url("file", segments)
    yield BuiltFile(url, name, made.type, made.etag, made.headers)


def _segments(name: str) -> tuple[str, ...]:
    return tuple(unicodedata.normalize("NFC", part) for part in name.split("/"))


def _sent(site: Site, name: str, body: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Gives the type of a public file, and the headers that it is sent with."""
    segments, kind = _segments(name), media_type(name)
    headers: tuple[tuple[str, str], ...] = ()
    for header, value in site.headers.of(segments[:-1] if segments[-1] == "index.html" else segments).items():
        if header.casefold() == "content-type":
            kind = value
        else:
            headers = (*headers, (header, value))
    if kind.startswith("image/svg+xml"):
        headers = with_header(headers, "content-security-policy", csp.SVG)
    elif site.csp is not None and kind.startswith("text/html"):
        policy = site.csp.header_for_html(body.decode("utf-8", "replace"))
        headers = with_header(headers, "content-security-policy", policy)
    return kind, headers


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if not path.is_dir() or path.is_symlink())
