"""What is told of the pages of a build that has ended: rows of the table, rows of pages, and warnings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from hybridsite.build.kept import Kept
from hybridsite.build.plan import PlannedPage
from hybridsite.build.rows import PageRow, RouteRow
from hybridsite.build.store import Made, Told
from hybridsite.build.why import reason_of
from hybridsite.errors import Location, SiteError
from hybridsite.site import Site


def warnings_of(site: Site, made: Iterable[Made]) -> Iterator[SiteError]:
    """Yields what the author is warned of: once a source, however many pages it makes."""
    yield from site.settings.warnings
    places: set[Location | None] = {warning.location for warning in site.settings.warnings}
    for one in made:
        for warning in map(Told.fault, one.warnings):
            if warning.location not in places:
                places.add(warning.location)
                yield warning


def route_rows(site: Site, pages: Sequence[PlannedPage], made: Sequence[Made]) -> list[RouteRow]:
    """Gives the table of routes, with what was made for each."""
    rows = {route.source: RouteRow.of(route, site) for route in site.router.routes}
    for page, one in zip(pages, made, strict=True):
        rows[page.match.route.source].add(one.place.size, one.seconds)
    return list(rows.values())


def page_rows(
    site: Site,
    pages: Sequence[PlannedPage],
    made: Sequence[Made],
    spent: Mapping[int, Mapping[str, float]],
    kept: Kept,
    reason: str,
) -> Iterator[PageRow]:
    """Yields what is told of each page by itself. `reason` is why nothing is kept, if nothing is."""
    last_made = set(map(id, kept.made.values()))
    for number, (page, one) in enumerate(zip(pages, made, strict=True)):
        route = page.match.route
        why = ""
        if id(one) not in last_made:
            why = reason_of(site, page, kept, reason) or "its file in dist/ isn't the one that was built"
        place, templates = page.place, spent.get(number, {})
        yield PageRow(page.url, place, route.kind, route.source, one.place.size, one.seconds, why, templates)
