"""The assets of a build: what pages rendered on demand will ask for, and what is written of all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress

from hybridsite.assets.calls import AssetCall
from hybridsite.assets.table import FOLDER, IMMUTABLE, RASTER, BuiltAssets
from hybridsite.assets.workshop import Progress, Workshop
from hybridsite.build.headers import sent_with
from hybridsite.build.output import Output
from hybridsite.errors import (
    AssetError,
    Faults,
    FrontMatterError,
    Location,
    RouteError,
    SourceError,
    TemplateError,
)
from hybridsite.manifest import BuiltFile, etag, server_sources
from hybridsite.site import Site

_QUOTED = re.compile(r"""(?=(["'])([^"'\n]+)\1)""")
_PICTURES = (*RASTER, ".svg")


def expect(site: Site, workshop: Workshop, faults: Faults) -> None:
    """Asks for all that the templates and modules of pages rendered on demand may ask for: a server makes nothing.

    A name that is put together there stands for all that it may mean. Adds to `faults`: widths that can't be read.
    """
    for template in on_demand_templates(site):
        found = site.templates.facts(template)
        for call in found.assets if found else ():
            with faults.collect():
                _expect_call(workshop, template, call)
    for name in named_in_python(site, workshop.names()):
        with faults.collect():
            workshop.file(name)


def ask_again(site: Site, asked: Iterable[tuple[str, tuple[int, ...] | None]]) -> None:
    """Asks for what a page asked for that was kept, or rendered by another process: pictures with their widths."""
    workshop = site.assets
    if isinstance(workshop, Workshop):
        for name, widths in asked:
            if widths is None:
                workshop.file(name)
            else:
                workshop.picture(name, widths)


def _expect_call(workshop: Workshop, template: str, call: AssetCall) -> None:
    place = Location(template, call.line)
    pictures = call.function == "image"
    names = [name for name in sorted(workshop.names()) if call.may_mean(name)]
    if not pictures:
        for name in names:
            workshop.file(name)
        return
    if call.widths is None:
        raise AssetError(
            "the widths of image() on a page rendered on demand are not known before",
            why="a server makes no pictures",
            mend="write them where they are asked for: widths=[480, 960]",
            location=place,
        )
    for name in names:
        if name.lower().endswith(_PICTURES):
            try:
                workshop.picture(name, call.widths)
            except AssetError as fault:
                raise fault.at(place) from None


def on_demand_templates(site: Site) -> list[str]:
    """Gives the templates that a server may render: all of them, where code may name one that can't be followed."""
    found: dict[str, None] = {}
    closures = []
    for resource in site.resources.values():
        if not resource.prerender:
            if resource.closure is None or resource.module is not None or site.middleware or site.actions:
                return _all_templates(site)
            closures.append(resource.closure)
        for component in resource.closure.islands if resource.closure else ():
            closures.append(site.templates.closure(component, in_place=True))
    for closure in closures:
        if closure.dynamic:
            return _all_templates(site)
        found.update(dict.fromkeys(closure.templates))
    return list(found)


def _all_templates(site: Site) -> list[str]:
    found = []
    for name in site.templates.names():
        with suppress(TemplateError, SourceError, FrontMatterError):  # nothing leads to it, or its page is at fault
            if site.templates.facts(name):
                found.append(name)
    return found


def named_in_python(site: Site, names: Iterable[str]) -> list[str]:
    """Gives the names that stand as texts in Python files that call `asset()`."""
    wanted = frozenset(names)
    if not wanted:
        return []
    words: set[str] = set()
    for file in server_sources(site.root):
        if file.endswith(".py"):
            text = (site.root / file).read_text("utf-8", errors="replace")
            words |= quoted_texts(text) if "asset(" in text else set()
    return sorted(words & wanted)


def quoted_texts(text: str) -> set[str]:
    """Gives what stands in quotes; of two quoted texts what stands between them, too."""
    return {found[2] for found in _QUOTED.finditer(text)}


def write_assets(
    site: Site, output: Output, taken: Iterable[BuiltFile], faults: Faults, progress: Progress
) -> tuple[list[BuiltFile], BuiltAssets | None]:
    """Makes and writes all assets, once every page is rendered. Gives their files, and what a server has to know."""
    workshop = site.assets
    if not isinstance(workshop, Workshop):
        return [], None
    expect(site, workshop, faults)
    workshop.make_all(faults)
    if not faults:
        workshop.encode_all(faults, progress)
    if faults:
        return [], None
    owners = {file.file.casefold() for file in taken if file.file.startswith(f"{FOLDER}/")}
    files = []
    for made in workshop.made():
        body = made.read()
        if made.file.casefold() in owners:
            raise RouteError(f"an asset and another file both write {made.file}", location=Location(FOLDER))
        output.write(f"client/{made.file}", body)
        segments = tuple(made.file.split("/"))
        kind, headers = sent_with(site, segments, made.type, body, (IMMUTABLE,))
        files.append(BuiltFile(site.file_url(made.file), made.file, kind, etag(body), headers))
    return files, workshop.built()
