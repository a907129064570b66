"""What a build renders: every prerendered path with its route, its props and its file."""

from __future__ import annotations

import inspect
import unicodedata
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hybridsite.action_table import ACTIONS
from hybridsite.errors import Faults, Location, ModuleError, RouteError, SiteError, did_you_mean, place_of
from hybridsite.listings import Item, Listing
from hybridsite.manifest import place_below_dist
from hybridsite.modules import Handler, call
from hybridsite.resources import Resource, check_paths
from hybridsite.routes import ISLANDS, PREFETCH, Match
from hybridsite.site import Site

# A generator that never ends is a mistake; a real site of this size would be split.
MOST_PATHS = 1_000_000


@dataclass(frozen=True, slots=True)
class PlannedPage:
    """One file to be written: the URL it answers, its name below dist/client/, and its place, the path below dist/.

    `guard` is the source of a page that is given out only behind the middleware, None for all others. `stands_in` is
    true where it is there for a page that the language of its path lacks.
    """

    match: Match
    segments: tuple[str, ...]
    url: str
    output: str
    place: str
    guard: str | None = None
    stands_in: bool = False

    @classmethod
    def of(cls, site: Site, match: Match, segments: tuple[str, ...], *, stands_in: bool = False) -> PlannedPage:
        """Plans one page."""
        route, policy = match.route, site.policy
        guard = route.source if site.resources[route.source].guard else None
        url, output = policy.url(route.kind, segments), policy.output(route.kind, segments, route.status)
        return cls(match, segments, url, output, place_below_dist(output, guard), guard, stands_in)


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
            for match, segments in await matches(site, resource):
                if segments[:1] in ((ACTIONS,), (ISLANDS,), (PREFETCH,)):
                    what = f"{route.pattern} gives a path below /{segments[0]}/, which belongs to {segments[0][1:]}"
                    raise RouteError(what, mend="give it another one", location=Location(route.source, 1))
                pages.append(PlannedPage.of(site, match, segments))
    pages += _standing_in(site, pages)
    with faults.collect():
        _check_outputs(pages)
    # Of two that write one file, which is told, one is rendered: its own faults are told as well.
    return list({page.output: page for page in pages}.values())


def rendered_now(site: Site) -> Iterator[str]:
    """Yields the templates that the pages of a build are made from."""
    for resource in site.resources.values():
        if resource.prerender and resource.closure is not None:
            yield from sorted(resource.closure.templates)


def _standing_in(site: Site, pages: Iterable[PlannedPage]) -> Iterator[PlannedPage]:
    """Yields the pages that are rendered for the languages that lack them."""
    by_path = {page.segments: page for page in pages if page.match.route.kind == "page"}
    for wanted, found in site.languages.lacking(site.router, by_path) if site.languages.renders else ():
        match = by_path[found].match
        if site.is_rendered(match.route):
            yield PlannedPage.of(site, match, wanted, stands_in=True)


async def matches(site: Site, resource: Resource) -> list[tuple[Match, tuple[str, ...]]]:
    """Gives every page of a route, with the segments of its path.

    Raises SiteError for paths that don't fit, and for what paths() raises.
    """
    route = resource.route
    if not route.parameters:
        return [(Match(route, {}), site.router.fill(route, {}))]
    listing = site.listings.of(route)
    if listing is None and resource.front is not None and resource.front.paths is not None:
        return []  # its paths are at fault, which is told
    place, found = _paths_place(resource), list[tuple[Match, tuple[str, ...]]]()
    fill, match_own = site.router.fill, site.router.match_own
    for params, props in _listed(listing, place) if listing is not None else await _given(site, resource, place):
        if len(found) == MOST_PATHS:
            raise _endless("paths", place)
        try:
            segments = fill(route, params)
        except RouteError as fault:
            raise fault.at(place) from None
        # The values are read off the path, so that they are what a server would read.
        found.append((match_own(route, segments, props), segments))
    return found


def _paths_place(resource: Resource) -> Location:
    if resource.front is not None and resource.front.paths is not None and resource.source is not None:
        return resource.source.location("paths")
    function = resource.module.function("paths") if resource.module else None
    assert resource.module is not None
    assert function is not None
    return resource.module.place(function)


def _listed(listing: Listing, place: Location) -> Iterator[Item]:
    """Yields params and props of each path of a collection."""
    try:
        yield from listing.items()
    except SiteError as error:
        raise error.at(place) from error


async def _given(site: Site, resource: Resource, place: Location) -> list[Item]:
    """Gives params and props of each path that paths() gives. Raises RouteError for one that is none."""
    assert resource.module is not None
    function = resource.module.function("paths")
    assert function is not None
    items: list[Item] = []
    async for item in _each(function, site, place):
        if len(items) == MOST_PATHS:
            raise _endless("paths()", place)
        try:
            items.append(_read_item(item))
        except RouteError as fault:
            raise fault.at(place) from None
    return items


def _endless(what: str, place: Location) -> RouteError:
    return RouteError(f"{what} gave over {MOST_PATHS:,} paths", why="it doesn't seem to end", location=place)


async def _each(paths: Handler, site: Site, place: Location) -> AsyncIterator[Any]:
    """Yields what `paths` gives, at once or step by step. Raises ModuleError for what it raises."""
    try:
        given = paths(site) if inspect.isasyncgenfunction(paths) else await call(paths, site)
        if hasattr(given, "__aiter__"):
            async for item in given:
                yield item
            return
        if hasattr(given, "__iter__") and not isinstance(given, str | bytes | Mapping):
            for item in given:
                yield item
            return
    except SiteError as error:
        raise error.at(place_of(error, str(site.root)) or place) from error
    except Exception as error:
        where = place_of(error, str(site.root)) or place
        raise ModuleError(f"{type(error).__name__}: {error}", why="raised by paths()", location=where) from error
    mend = 'return a list, or yield: {"params": {"slug": "a"}, "props": {}}'
    raise RouteError(f"paths() gave {type(given).__name__}", mend=mend, location=place)


def _read_item(item: Any) -> Item:
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
        output = page.output
        key = (output if output.isascii() else unicodedata.normalize("NFC", output)).casefold()
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
