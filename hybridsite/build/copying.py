"""What a build copies: public/ as it is, and the sources that the server needs."""

from __future__ import annotations

import errno
import os
import unicodedata
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from hybridsite.build.finishing import public_file
from hybridsite.build.kept import Kept
from hybridsite.build.needs import needed_sources
from hybridsite.build.output import Output
from hybridsite.build.plan import PlannedPage
from hybridsite.build.store import Made
from hybridsite.build.traces import SETTINGS
from hybridsite.errors import BuildError, Faults, Location, RouteError, SourceError
from hybridsite.files import copied_files
from hybridsite.manifest import BuiltFile, etag
from hybridsite.routes import ISLANDS
from hybridsite.site import Site
from hybridsite.urls import PathRefused

Sent = Callable[[bytes], BuiltFile | None]
"""Tells how the server gives a body out."""


def _not_sent(_: bytes) -> None:
    return None


def copy_files(
    site: Site, pages: list[PlannedPage], output: Output, kept: Kept, faults: Faults, claimed: Collection[str] = ()
) -> tuple[list[BuiltFile], dict[str, Made]]:
    """Copies public/, and what lies beside pages and entries and is no text. A file that a page writes is a fault.

    What is `claimed` is left to the adapter.
    """
    owners = {unicodedata.normalize("NFC", page.output).casefold(): page.match.route.source for page in pages}
    files: list[BuiltFile] = []
    copies: dict[str, Made] = {}
    for source, name in copied_files(site.root):
        if name in claimed:
            continue
        path, shown = site.root / source, Location(source)
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
                raise RouteError(f"{source} and {owners[key]} both write {name}", mend="rename one", location=shown)
            owners[key] = source
            place = f"client/{name}"
            copies[place] = _copied(path, source, place, output, kept, partial(_sent, site, name))
            if copies[place].given:
                url, made = copies[place].given, copies[place]
                files.append(BuiltFile(url, name, made.type, made.etag, made.headers))
    return files, copies


def copy_sources(site: Site, names: list[str], output: Output, kept: Kept) -> tuple[dict[str, str], dict[str, Made]]:
    """Copies what rendering on demand needs into dist/server/, and gives each file with its hash."""
    copies: dict[str, Made] = {}
    hashes: dict[str, str] = {}
    for name in needed_sources(site, names):
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
    if known is not None and path.is_file() and output.keep(place, known.place):
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
    file = sent(body)
    return Made(
        page=name,
        trace=(name, SETTINGS),  # which have the headers
        place=output.write(place, body),
        etag=etag(body),
        type=file.type if file else "",
        headers=file.headers if file else (),
        given=file.url if file else "",
    )


def _sent(site: Site, name: str, body: bytes) -> BuiltFile | None:
    """Gives how the server gives a file out; None for one that it doesn't."""
    return next(public_file(site, name, body), None)
