"""What a build renders: every prerendered path with its route, its props and its file."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from hybridsite.errors import Faults, Location, RouteError, did_you_mean
from hybridsite.modules import call
from hybridsite.resources import Resource, check_paths
from hybridsite.routing import Match
from hybridsite.site import Site

# A generator that never ends is a mistake; a real site of this size would be split.
MOST_PATHS = 1_000_000


@dataclass(frozen=True, slots=True)
class PlannedPage:
    """One file to be written: the URL it answers, and its name below dist/client/."""

    match: Match
    segments: tuple[str, ...]
    url: str
    output: str


async def plan(site: Site, faults: Faults) -> list[PlannedPage]:
    """Lists the pages to render, in the order of their routes.

    Adds to `faults`: routes without `paths`, paths that don't fit, two files of one name.
    """
    pages: list[PlannedPage] = []
    for route in site.router.routes:
        if not route.prerender:
            continue
        resource = site.resources[route.source]
        with faults.collect():
            check_paths(resource)
            async for match, segments in _matches(site, resource):
                url = site.policy.url(route.kind, segments)
                pages.append(PlannedPage(match, segments, url, site.policy.output(route.kind, segments, route.status)))
    with faults.collect():
        _check_outputs(pages)
    return pages


async def _matches(site: Site, resource: Resource) -> AsyncIterator[tuple[Match, tuple[str, ...]]]:
    route = resource.route
    if not route.parameters:
        yield Match(route, {}), site.router.fill(route, {})
        return
    assert resource.module is not None
    function = resource.module.function("paths")
    assert function is not None
    place = Location(resource.module.file, function.__code__.co_firstlineno)
    number = 0
    async for item in _each(await call(function, site) if not _is_async_generator(function) else function(site), place):
        number += 1
        if number > MOST_PATHS:
            raise RouteError(f"paths() gave over {MOST_PATHS:,} paths", why="it doesn't seem to end", location=place)
        try:
            params, props = _read_item(item)
            segments = site.router.fill(route, params)
        except RouteError as fault:
            raise fault.at(place) from None
        yield Match(route, {name: _text(params.get(name)) for name in route.parameters}, props), segments


def _text(value: object) -> str:
    return "" if value is None else unicodedata.normalize("NFC", str(value))


def _is_async_generator(function: Any) -> bool:
    import inspect

    return inspect.isasyncgenfunction(function)


async def _each(given: Any, place: Location) -> AsyncIterator[Any]:
    if hasattr(given, "__aiter__"):
        async for item in given:
            yield item
    elif hasattr(given, "__iter__") and not isinstance(given, str | bytes | Mapping):
        for item in given:
            yield item
    else:
        mend = 'return a list, or yield: {"params": {"slug": "a"}, "props": {}}'
        raise RouteError(f"paths() gave {type(given).__name__}", mend=mend, location=place)


def _read_item(item: Any) -> tuple[Mapping[str, object], Mapping[str, object]]:
    mend = 'give {"params": {"slug": "a"}, "props": {}}'
    if not isinstance(item, Mapping):
        raise RouteError(f"paths() gave {item!r}, which is no mapping", mend=mend)
    for key in item:
        if key not in ("params", "props"):
            raise RouteError(f"paths() gave the key {key!r}", mend=did_you_mean(str(key), ("params", "props")) or mend)
    params, props = item.get("params"), item.get("props", {})
    if not isinstance(params, Mapping) or not isinstance(props, Mapping):
        raise RouteError("paths() gave params or props that are no mapping", mend=mend)
    return params, props


def _check_outputs(pages: list[PlannedPage]) -> None:
    """Raises RouteError for two pages whose files are the same, on a disk that knows no case either."""
    faults = Faults()
    owners: dict[str, PlannedPage] = {}
    for page in pages:
        key = unicodedata.normalize("NFC", page.output).casefold()
        other = owners.setdefault(key, page)
        if other is not page:
            source, known = page.match.route.source, other.match.route.source
            what = (
                f"{known} and {source} both write {page.output}"
                if source != known
                else f"{source} writes {page.output} twice"
            )
            why = "" if other.output == page.output else f"{other.output} and {page.output} are one file on many disks"
            mend = "rename one of them, or leave one of the paths out"
            faults.add(RouteError(what, why=why, mend=mend, location=page.match.route.location))
    faults.raise_any()
