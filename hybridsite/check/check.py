"""check_site(): builds a site aside, and finds what is wrong with what came out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hybridsite.assets.css import urls_in
from hybridsite.assets.references import located
from hybridsite.assets.table import FOLDER
from hybridsite.assets.workshop import Workshop
from hybridsite.build.build import BuildOptions, Built, Listener, build_site
from hybridsite.check.external import ask_all
from hybridsite.check.finding import CheckFault
from hybridsite.check.links import BuiltPage, LinkTable, link_table
from hybridsite.check.markup import Link, MarkupFault, PageMarkup, read_markup
from hybridsite.check.places import SourcePlaces
from hybridsite.check.usage import orphans, unused_files
from hybridsite.documents import place
from hybridsite.entries import Entry
from hybridsite.errors import Location, SiteError, SiteErrors
from hybridsite.redirects import follow
from hybridsite.routes import Match
from hybridsite.site import Site
from hybridsite.sources import read_text

_PUBLIC = "public"
_STRICT = frozenset({"broken-link", "broken-anchor"})


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What the command line says of a check."""

    drafts: bool = False
    external: bool = False


def check_site(
    root: Path,
    state: Path,
    *,
    environ: Mapping[str, str],
    options: CheckOptions = CheckOptions(),
    waiting: Callable[[], None] = lambda: None,
) -> tuple[SiteError, ...]:
    """Gives all that is wrong with a site, in the order of its places. Nothing of dist/ changes."""
    found: list[SiteError] = []

    def review(built: Built) -> list[SiteError]:
        found.extend(_Check(built, options).faults())
        return []

    try:
        report = build_site(
            root,
            state,
            environ=environ,
            options=BuildOptions(drafts=options.drafts, dry=True),
            listener=Listener(waiting=waiting, review=review),
        )
        found.extend(report.notices)
    except SiteErrors as several:
        found.extend(several.faults)
    except SiteError as error:
        found.append(error)
    return SiteErrors(found).faults


def broken_links(built: Built) -> list[SiteError]:
    """Gives the broken links and anchors of a built site: what `build --strict` refuses."""
    faults = _Check(built, CheckOptions()).links()
    return [fault for fault in faults if isinstance(fault, CheckFault) and fault.rule in _STRICT]


class _Check:
    """One check of a site that was built aside."""

    def __init__(self, built: Built, options: CheckOptions) -> None:
        self._built = built
        self._site: Site = built.site
        self._options = options
        self._places = SourcePlaces(built.site)
        self._lines: dict[str, list[str]] = {}
        self._pages = list(self._read_pages())
        broken = {page.url for page in built.pages} - {file.url for file in built.files}
        self._is_whole = not broken and not built.site.broken
        if isinstance(built.site.assets, Workshop):  # which writes none where a page is broken
            broken |= {built.site.file_url(file) for file in built.site.assets.files()}
        self._led_to: set[str] = set()
        shown = {page.output for page in built.pages if page.match.route.kind == "error"}
        forms = [url for file in built.files for url in (file.url, file.alias) if url and file.file not in shown]
        self._table: LinkTable = link_table(built.site, forms, self._pages, broken)

    def faults(self) -> Iterator[SiteError]:
        """Yields all faults."""
        yield from self.links()
        for page in self._pages:
            yield from self._markup(page)
        if self._is_whole:  # what a broken page needs, or leads to, isn't known
            yield from unused_files(self._site)
            yield from self._orphans()
        if self._options.external:
            yield from self._external()

    def links(self) -> Iterator[SiteError]:
        """Yields the links that lead to nothing: on pages, in templates rendered on demand, in [redirects]."""
        for page in self._pages:
            counts: dict[tuple[str, str], int] = {}
            for link in page.markup.links:
                number = counts[link.attribute, link.url] = counts.get((link.attribute, link.url), -1) + 1
                fault = self._table.check(page, link)
                if fault is not None:
                    yield self._placed(fault, page, link, number)
            self._led_to |= self._table.led_to - {page.url}  # a page that only links to itself is no less alone
            self._table.led_to.clear()
        yield from self._style_sheets()
        yield from self._on_demand()
        yield from self._redirects()

    def _read_pages(self) -> Iterator[BuiltPage]:
        planned = {page.output: page.match for page in self._built.pages}
        for file in self._built.files:
            if file.type.startswith("text/html"):
                text = (self._built.folder / file.place).read_text("utf-8", errors="replace")
                match = planned.get(file.file)
                route = match.route if match else None
                entry = match.props.get("entry") if match else None
                text_of = entry.file if isinstance(entry, Entry) else ""
                source = route.source if route else f"{_PUBLIC}/{file.file}"
                markup = read_markup(text)
                if markup.faults:
                    self._lines[file.file] = text.split("\n")
                is_error = route is not None and route.kind == "error"
                yield BuiltPage(file.url, source, markup, file.file, is_error, text_of)

    def _placed(self, fault: CheckFault, page: BuiltPage, link: Link, number: int) -> CheckFault:
        if page.source.startswith(f"{_PUBLIC}/"):
            fault.location = Location(page.source, link.line, link.column)
        else:
            fault.location = self._places.of_attribute(page.source, link.attribute, link.url, number, entry=page.entry)
        return _met(fault, page.source)

    def _markup(self, page: BuiltPage) -> Iterator[CheckFault]:
        for fault in page.markup.faults:
            found = CheckFault(fault.rule, fault.what, why=fault.why, mend=fault.mend)
            found.location = self._tag_place(page, fault)
            yield _met(found, page.source)
        for name, places in page.markup.ids.items():
            for number, (line, column) in enumerate(places[1:], 1):
                why = f"a link to #{name} leads to the first of them"
                what = f'the id "{name}" stands on the page twice' if name else "an id is empty"
                found = CheckFault("duplicate-id", what, why=why, mend="give the second one another id")
                if page.source.startswith(f"{_PUBLIC}/"):
                    found.location = Location(page.source, line, column)
                else:
                    found.location = self._places.of_attribute(page.source, "id", name, number, entry=page.entry)
                yield _met(found, page.source)

    def _tag_place(self, page: BuiltPage, fault: MarkupFault) -> Location:
        if page.source.startswith(f"{_PUBLIC}/"):
            return Location(page.source, fault.line, fault.column)
        return self._places.of_tag(
            page.source, fault.text, self._lines[page.file][fault.line - 1], fault.column, entry=page.entry
        )

    def _style_sheets(self) -> Iterator[CheckFault]:
        """Follows what style sheets lead to: paths from the root in assets, for a build looks up the others."""
        for file in self._built.files:
            if not file.type.startswith("text/css"):
                continue
            page = BuiltPage(file.url, file.file, PageMarkup())
            text = (self._built.folder / file.place).read_text("utf-8", errors="replace")
            for url, at in urls_in(text):
                fault = self._table.check(page, Link("link", "href", url, 0, 0))
                if fault is not None:
                    own = (self._site.root / _PUBLIC / file.file).is_file()
                    public = Location(f"{_PUBLIC}/{file.file}", *place(text, at))
                    fault.location = public if own else self._in_assets(url)
                    yield fault

    def _in_assets(self, url: str) -> Location:
        """Gives the place in assets/ where a style sheet names a URL."""
        assert isinstance(self._site.assets, Workshop)
        for name in sorted(self._site.assets.known()):
            if name.endswith(".css"):
                text = read_text(self._site.root / FOLDER / name, f"{FOLDER}/{name}")
                for found, at in urls_in(text):
                    if found == url:
                        return located(name, text, at)
        return Location(FOLDER)

    def _on_demand(self) -> Iterator[CheckFault]:
        """Follows the links that stand as they are in pages rendered on demand: those leave no file to be read."""
        for resource in self._site.resources.values():
            route = resource.route
            if resource.prerender or resource.closure is None or route.kind not in ("page", "error"):
                continue
            url = route.pattern if not route.parameters else "/"
            page = BuiltPage(self._site.base + url, route.source, read_markup(""))
            for attribute, value in self._places.links_in(route.source):
                link = Link("a" if attribute == "href" else "img", attribute, value, 0, 0)
                relative = not value.startswith(("/", "#", "http:", "https:")) and ":" not in value
                if value.startswith("#") or (relative and route.parameters):
                    continue
                fault = self._table.check(page, link)
                if fault is not None:
                    yield self._placed(fault, page, link, 0)

    def _redirects(self) -> Iterator[CheckFault]:
        for route in self._site.router.routes:
            if route.redirect is None or route.parameters:
                continue
            to = re.split(r"[?#]", follow(self._site.router, Match(route, {})), maxsplit=1)[0]
            if to.startswith("/") and not to.startswith("//") and (why := self._table.leads(to)):
                what = f'the redirect "{route.pattern}" leads to nothing'
                yield CheckFault("broken-link", what, why=f"{to}: {why}", location=route.location)

    def _orphans(self) -> Iterator[CheckFault]:
        pages = {(page.url, page.match.route.source) for page in self._built.pages if page.match.route.kind == "page"}
        for resource in self._site.resources.values():
            route = resource.route
            if not resource.prerender and route.kind == "page" and not route.parameters:
                pages.add((self._site.url_for(route.source), route.source))
        yield from orphans(self._site, self._led_to | self._table.led_to, pages)

    def _external(self) -> Iterator[CheckFault]:
        for url, why in ask_all(self._table.external).items():
            page, link = self._table.external[url]
            fault = CheckFault("external-link", f'the link "{link.url}" leads to no page', why=why)
            fault.mend = "mend it, or take it out"
            yield self._placed(fault, page, link, 0)


def _met(fault: CheckFault, source: str) -> CheckFault:
    if fault.location is not None and fault.location.file != source:
        fault.pages = (source,)
    return fault
