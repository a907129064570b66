"""`paths` and `paginate` in front matter: one page for each entry, for each value of a field, or for so many entries.

A build goes through all pages of a listing; a server looks up the one that was asked for. Both give the same props.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from hybridsite.content import Content
from hybridsite.entries import Entries, Entry, field
from hybridsite.errors import ContentError, Faults, FrontMatterError, Location, RouteError, SiteErrors
from hybridsite.frontmatter import Paths
from hybridsite.resources import Resource
from hybridsite.routes import Route
from hybridsite.values import plain

PAGE = "page"
"""The parameter that holds the number of a page."""


@dataclass(frozen=True)
class Pagination:
    """Some entries of a listing: page `number` of `total`, with the URLs of its neighbours (None at either end)."""

    items: Entries
    number: int
    total: int
    size: int
    count: int
    _url: Callable[[int], str]

    def url(self, number: int) -> str:
        """The URL of a page by its number. Raises RouteError for a number that no page has."""
        if not 1 <= number <= self.total:
            raise RouteError(f"there is no page {number}", why=f"the pages are 1 to {self.total}")
        return self._url(number)

    @property
    def prev(self) -> str | None:
        """The URL of the page before, or None."""
        return self._url(self.number - 1) if self.number > 1 else None

    @property
    def next(self) -> str | None:
        """The URL of the page after, or None."""
        return self._url(self.number + 1) if self.number < self.total else None

    @property
    def first(self) -> str:
        """The URL of the first page."""
        return self._url(1)

    @property
    def last(self) -> str:
        """The URL of the last page."""
        return self._url(self.total)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


Item = tuple[Mapping[str, object], Mapping[str, object]]
"""The parameters of one page, and its props."""


class Listing:
    """The pages that a route makes of a collection."""

    def __init__(self, route: Route, paths: Paths, content: Content, url_for: Callable[..., str]) -> None:
        self.route = route
        self.paths = paths
        self._content = content
        self._url_for = url_for
        self._others = tuple(name for name in route.parameters if name != "slug")

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of an entry that its path is made of, beside the slug."""
        return self._others

    @property
    def shows_entries(self) -> bool:
        """Whether it has a page for each entry."""
        return self.paths.by is None and self.paths.paginate is None

    def items(self) -> Iterator[Item]:
        """Yields every page. Raises ContentError for values that no path can be made of."""
        entries = self._content.collection(self.paths.collection)
        if self.shows_entries:
            for entry in entries:
                yield self.params(entry), {"entry": entry}
        elif self.paths.by is None:
            yield from self._pages({}, entries)
        else:
            for value, group in entries.by(self.paths.by).items():
                params = {self.paths.by: _text(value, self.paths.by, self.paths.collection)}
                yield from self._pages(params, group) if self.paths.paginate else [(params, {"entries": group})]

    def find(self, params: Mapping[str, str]) -> Mapping[str, object] | None:
        """Gives the props of the page that parameters lead to, or None where there is none."""
        entries = self._content.collection(self.paths.collection)
        if self.shows_entries:
            entry = entries.get(params["slug"])
            fits = isinstance(entry, Entry) and all(
                params[name] == str(value) for name, value in self.params(entry).items()
            )
            return {"entry": entry} if fits else None
        if self.paths.by is not None:
            wanted, groups = params[self.paths.by], entries.by(self.paths.by)
            # The usual value is text, and found at once; a number was made text for the path.
            found = groups.get(wanted) or next((group for value, group in groups.items() if str(value) == wanted), None)
            if found is None:
                return None
            entries = found
        if self.paths.paginate is None:
            return {"entries": entries}
        number = self._number(params[PAGE])
        own = {name: value for name, value in params.items() if name != PAGE}
        return self._page(own, entries, number) if 1 <= number <= self._total(entries) else None

    def params(self, entry: Entry) -> dict[str, object]:
        """Gives the parameters of an entry's page: its slug, and fields of its data for others that the route has."""
        params: dict[str, object] = {"slug": entry.slug}
        for name in self._others:
            value = plain(field(entry, name))
            if value is None:
                what = f'the entry "{entry.slug}" has no {name}, which {self.route.source} needs for its path'
                raise ContentError(
                    what, mend=f"give it a {name}", location=Location(entry.file, 1) if entry.file else None
                )
            params[name] = _text(value, name, entry.collection)
        return params

    def url(self, entry: Entry) -> str:
        """Gives the URL of an entry's page."""
        return self._url_for(self.route.source, **self.params(entry))

    def _pages(self, params: Mapping[str, object], entries: Entries) -> Iterator[Item]:
        for number in range(1, self._total(entries) + 1):
            yield {**params, PAGE: self._page_text(number)}, self._page(params, entries, number)

    def _total(self, entries: Entries) -> int:
        return max(1, ceil(len(entries) / (self.paths.paginate or 1)))  # a list without entries has a page, too

    def _page(self, params: Mapping[str, object], entries: Entries, number: int) -> Mapping[str, object]:
        size = self.paths.paginate or 1
        some = entries[(number - 1) * size : number * size]

        def url(number: int) -> str:
            return self._url_for(self.route.source, **{**params, PAGE: self._page_text(number)})

        pagination = Pagination(some, number, self._total(entries), size, len(entries), url)
        return {"entries": entries, "pagination": pagination}

    @property
    def _has_rest(self) -> bool:
        return any(part.kind == "rest" and part.text == PAGE for segment in self.route.segments for part in segment)

    def _page_text(self, number: int) -> str:
        return "" if number == 1 and self._has_rest else str(number)

    def page_param(self, number: object) -> object:
        """Gives the parameter of a page by its number, for url_for(): the first one of a rest parameter has none."""
        return self._page_text(1) if self.paths.paginate and number in (1, "1") else number

    def _number(self, text: str) -> int:
        """Reads a page's number in the one way that it is written."""
        if not text and self._has_rest:
            return 1
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        return number if text == self._page_text(number) else 0


class Listings:
    """The listings of a site, by the files of their routes."""

    def __init__(self, listings: Iterable[Listing] = ()) -> None:
        self._by_source = {listing.route.source: listing for listing in listings}
        self._pages: dict[str, list[Listing]] = {}
        for listing in self._by_source.values():
            if listing.shows_entries:
                self._pages.setdefault(listing.paths.collection, []).append(listing)

    def of(self, route: Route) -> Listing | None:
        """Gives the listing of a route, or None where it has no `paths`."""
        return self._by_source.get(route.source)

    def by_source(self, source: str) -> Listing | None:
        """Gives the listing of a route by its file, as `of` does."""
        return self._by_source.get(source)

    def showing(self, collection: str) -> Sequence[Listing]:
        """Gives the listings that have a page for each entry of a collection."""
        return self._pages.get(collection, ())

    def grouping(self, collection: str) -> set[str]:
        """Gives the fields that the entries of a collection are grouped by."""
        every = (listing.paths for listing in self._by_source.values())
        return {paths.by for paths in every if paths.by is not None and paths.collection == collection}

    def shows(self, collection: str) -> bool:
        """Tells whether a route has a page for each entry of a collection."""
        return collection in self._pages

    def url(self, entry: Entry) -> str:
        """Gives the URL of an entry's page: there has to be exactly one route with a page for each entry."""
        listings = self._pages.get(entry.collection, ())
        if len(listings) != 1:
            name = entry.collection
            what = f'the entries of "{name}" have no url'
            why = "no page says `paths: " + name + "`"
            mend = f"add one, such as pages/{name}/[slug].html, or use url_for()"
            if listings:
                why = "several pages have each entry: " + ", ".join(listing.route.source for listing in listings)
                mend = "say which by url_for()"
            raise ContentError(what, why=why, mend=mend)
        return listings[0].url(entry)


def make_listings(
    resources: Iterable[Resource], content: Content, url_for: Callable[..., str], faults: Faults, *, serving: bool
) -> Listings:
    """Makes the listings of the pages that have `paths` in front matter, and checks that they fit their routes.

    A server may not have the collection of a prerendered page: nothing is left to do there.
    """
    made = []
    for resource in resources:
        paths = resource.front.paths if resource.front else None
        if paths is None or (serving and resource.prerender and paths.collection not in content.names):
            continue
        try:
            _check(resource, paths, content)
        except (FrontMatterError, SiteErrors) as fault:
            faults.take(fault)
            continue
        made.append(Listing(resource.route, paths, content, url_for))
    return Listings(made)


def _check(resource: Resource, paths: Paths, content: Content) -> None:
    """Raises FrontMatterError where `paths` and the route's parameters don't fit each other."""
    route, source = resource.route, resource.source
    assert source is not None

    def fault(what: str, key: str = "paths", *, why: str = "", mend: str = "") -> FrontMatterError:
        return FrontMatterError(what, why=why, mend=mend, location=source.location(key))

    if resource.module is not None and resource.module.function("paths"):
        raise fault("paths are given here, and by paths() in " + resource.module.file, mend="say them in one place")
    try:
        content.declared(paths.collection)
    except ContentError as error:
        raise fault(error.what, mend=error.mend) from None
    missing = [name for name in paths.parameters if name not in route.parameters]
    if missing:
        rest = f"[...{missing[0]}]" if missing[0] in ("slug", PAGE) else f"[{missing[0]}]"
        raise fault(
            f'the route {route.pattern} has no parameter "{missing[0]}"',
            "paginate" if missing[0] == PAGE else "paths",
            why=f"`paths` fills {' and '.join(paths.parameters)}",
            mend=f"name a file or a folder {rest}",
        )
    more = [name for name in route.parameters if name not in paths.parameters]
    if more and paths.parameters != ("slug",):
        raise fault(
            f'nothing fills the parameter "{more[0]}" of {route.pattern}', mend="take it out of the file's name"
        )


def _text(value: Any, name: str, collection: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        what = f'"{name}" in the collection "{collection}" is {type(value).__name__}'
        raise ContentError(what, why="a path is made of text and whole numbers", mend="give paths(site) in Python")
    return str(value)
