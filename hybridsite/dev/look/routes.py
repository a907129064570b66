"""The routes of a site as /_dev/ shows them: how each is answered, how long that took last, what it is made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from hybridsite.build.rows import RouteRow
from hybridsite.build.traces import every_key
from hybridsite.config import setting_locations
from hybridsite.dev.files import LiveFiles
from hybridsite.dev.history import History, Measured
from hybridsite.errors import Location, SiteError, SiteErrors
from hybridsite.resources import Resource
from hybridsite.routes import Part, Route
from hybridsite.site import Site
from hybridsite.units import told
from hybridsite.urls import PathRefused
from hybridsite.used import ASSETS, EVERYTHING, HOME, LIST, PYTHON, ROUTES

MOST_PAGES = 200
"""How many pages of one route are listed."""
ADDED = "added by build"
_DEEPEST = 12
_MEANT = {
    ASSETS: "whatever lies in assets/",
    PYTHON: "what the site's Python files define",
    ROUTES: "all routes",
    "locales": "the catalogues in locales/",
    "data:*": "whatever lies in data/",
}


@dataclass(frozen=True)
class Line:
    """A route in the list. `url` is None where its pattern has parameters; `place` is that of what answers it."""

    route: Route
    pattern: str
    kind: str
    why: str
    place: Location
    url: str | None
    cache: str
    measured: Measured | None
    files: tuple[str, ...]

    @property
    def is_live(self) -> bool:
        """Whether the site's code or a template answers each request."""
        return not self.route.prerender and self.kind not in ("redirect", ADDED)

    @property
    def is_added(self) -> bool:
        """Whether it is no route, but a file that a plugin adds to a finished build, such as the sitemap."""
        return self.kind == ADDED

    def holds(self, words: str) -> bool:
        """Tells whether each of some words is in what is shown of it, or in the name of a file that it is made from."""
        text = " ".join((self.pattern, self.kind, self.why, str(self.place), self.cache, *self.files)).casefold()
        return all(word in text for word in words.casefold().split())


@dataclass(frozen=True)
class Branch:
    """A template that another leads to, so many steps from the page, and the place that does."""

    depth: int
    template: str
    place: Location
    is_island: bool = False


@dataclass(frozen=True)
class Origins:
    """What a page is made from besides its templates, of one kind: files, as their names, or things in words."""

    kind: str
    files: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Details:
    """All that is told of one route. `anything` has the reasons why a build can't tell what it depends on.

    `pages` are the URLs that it is known to answer, `more` tells whether there are others, and `fault` why they aren't
    known. `others` are the routes that may answer the same path.
    """

    line: Line
    facts: tuple[tuple[str, str], ...]
    pages: tuple[str, ...]
    more: bool
    fault: str
    tree: tuple[Branch, ...]
    origins: tuple[Origins, ...]
    anything: tuple[str, ...]
    others: tuple[Line, ...]


def lines(site: Site, history: History) -> list[Line]:
    """Gives every route: pages, endpoints and redirects in the order of their patterns, actions, and what is added."""
    routes = [_line(site, route, history) for route in site.router.routes]
    actions = [
        Line(
            *(action.resource.route, action.resource.route.pattern, "action", "", action.place, None, ""),
            history.of(action.resource.route),
            (action.place.file,),
        )
        for action in site.actions.values()
    ]
    return [*routes, *actions, *_added(site)]


def _added(site: Site) -> Iterator[Line]:
    """Yields the files that plugins say they add to a finished build; one that doesn't say may add any."""
    for name, file in site.plugins.additions:
        if file != "*":
            segments = tuple(file.split("/"))
            route = Route(tuple((Part(text, "text"),) for text in segments), "file", template=name, prerender=True)
            url = None if "*" in file else site.policy.url("file", segments)
            place = _place_of_plugin(site, name)
            yield Line(route, f"/{file}", ADDED, f"by {name}", place, url, "", None, (place.file,))


def _place_of_plugin(site: Site, name: str) -> Location:
    """Gives the line of site.toml that switches a plugin on: a feature's table, or the list of plugins."""
    places = setting_locations(site.root)
    return places.get((name,)) or places.get(("plugins",)) or Location("site.toml")


def _line(site: Site, route: Route, history: History) -> Line:
    row = RouteRow.of(route, site)
    kind = {"endpoint": "endpoint", "error": "error page"}.get(route.kind, row.kind)
    if route.redirect is not None:
        return Line(route, route.pattern, row.kind, row.reason, route.location, None, "", None, ("site.toml",))
    resource = site.resources[route.source]
    reason = ", ".join([row.reason, *(["draft"] if resource.is_draft else [])])
    url = None
    if not route.parameters and route.kind != "error":
        url = site.policy.url(route.kind, site.router.fill(route, {}))
    return Line(
        *(route, route.pattern, kind, reason, Location(route.source), url, _cache(site, resource)),
        history.of(route),
        _files(resource),
    )


def _cache(site: Site, resource: Resource) -> str:
    """Tells how a server keeps its answers."""
    if site.settings.cache.driver is False or resource.prerender:
        return ""
    policy = resource.front.cache if resource.front else None
    if policy is None:
        return "as its code says" if resource.may_be_kept else ""
    parts = [told(policy.max_age), *([f"stale for {told(policy.swr)} more"] if policy.swr else [])]
    named = (("tags", policy.tags), ("by header", policy.vary), ("by query", policy.query))
    return ", ".join([*parts, *(f"{name} {' '.join(words)}" for name, words in named if words)])


def _files(resource: Resource) -> tuple[str, ...]:
    closure = resource.closure
    return (*resource.route.files, *((*closure.templates, *closure.islands) if closure else ()))


def details(site: Site, history: History, asked: str, source: str = "") -> Details | None:
    """Finds a route by its pattern, or by a path that it answers, and its file where several do; None for none."""
    known = [line for line in lines(site, history) if not line.is_added]
    found = [line for line in known if line.pattern == asked] or (_answering(site, known, asked) if asked else [])
    line = next((each for each in found if each.route.source == source), next(iter(found), None))
    if line is None:
        return None
    others = tuple(each for each in found if each is not line)
    if line.kind in ("redirect", "action"):
        return Details(line, (), (), False, "", (), (), (), others)
    resource = site.resources[line.route.source]
    pages, more, fault = _pages(site, line)
    keys = every_key(site, line.route, line.measured.keys if line.measured else ())
    tree = tuple(_tree(site, resource))
    shown = {*line.route.files, *(branch.template for branch in tree), EVERYTHING}
    python = Origins("Python", tuple(module.file for module in (resource.module, *resource.pieces) if module))
    origins = (python, *_origins(site, keys - shown, line.measured))
    reasons = tuple(_reasons(site, resource)) if EVERYTHING in keys else ()
    return Details(line, tuple(_facts(site, resource)), pages, more, fault, tree, _some(origins), reasons, others)


def _some(origins: Iterable[Origins]) -> tuple[Origins, ...]:
    return tuple(each for each in origins if each.files or each.words)


def _answering(site: Site, known: list[Line], path: str) -> list[Line]:
    try:
        segments = site.policy.read(path.partition("?")[0].encode()).segments
    except PathRefused:
        return []
    routes = [match.route for match in site.router.match(segments)]
    return [line for route in routes for line in known if line.route is route]


def _pages(site: Site, line: Line) -> tuple[tuple[str, ...], bool, str]:
    route = line.route
    if route.kind == "error":
        return (), False, ""
    if not route.prerender or not isinstance(site.built, LiveFiles):
        asked = tuple(line.measured.by_url) if line.measured else ()
        return tuple(dict.fromkeys([*([line.url] if line.url else []), *asked])), False, ""
    try:
        found = tuple(islice(site.built.pages(route), MOST_PAGES + 1))
    except (SiteError, SiteErrors) as error:
        return (), False, str(error)
    return found[:MOST_PAGES], len(found) > MOST_PAGES, ""


def _facts(site: Site, resource: Resource) -> Iterator[tuple[str, str]]:
    if resource.route.kind == "endpoint" and resource.module is not None:
        methods = [name for name in ("GET", "POST", "PUT", "PATCH", "DELETE", "ALL") if resource.module.function(name)]
        yield "methods", ", ".join(methods)
    if site.has_session(resource):
        yield "session", "its templates or modules name it" if resource.uses_session else "its code may ask for it"
    elif resource.uses_session:
        yield "session", "none: it is rendered at build" if resource.prerender else "none: the site has no driver"
    if resource.guard:
        yield "guard", "given out behind the middleware alone"
    if resource.front is not None and (paths := resource.front.paths) is not None:
        each = f"one page for each {paths.by} of the collection" if paths.by else "made of the collection"
        yield "paths", f"{each} {paths.collection}" + (f", {paths.paginate} entries a page" if paths.paginate else "")


def _tree(site: Site, resource: Resource) -> Iterator[Branch]:
    """Yields the templates that lead on from a page, each where it is named first."""
    start = resource.template or (resource.route.template if resource.closure else None)
    if start is None:
        return
    seen = {start}
    if resource.source is not None and resource.source.file != start:
        yield Branch(1, start, resource.source.location("layout"))

    def below(name: str, depth: int) -> Iterator[Branch]:
        facts = site.templates.facts(name)
        steps = [(one.template, one.line, False) for one in facts.references] if facts else []
        steps += [(one.component, one.line, True) for one in facts.islands] if facts else []
        for template, line, is_island in sorted(steps, key=lambda step: step[1]):
            if template in seen or depth > _DEEPEST:
                continue
            seen.add(template)
            yield Branch(depth, template, Location(name, line), is_island)
            yield from below(template, depth + 1)

    yield from below(start, 1 if resource.source is None or resource.source.file == start else 2)


def _origins(site: Site, keys: frozenset[str], measured: Measured | None) -> Iterator[Origins]:
    """Tells in words what keys of the build stand for; assets by the names that were asked for."""
    asked = measured.assets if measured else ()
    data = sorted(key.removeprefix("data:") for key in keys if key.startswith("data:") and key not in _MEANT)
    found = [path.relative_to(site.root).as_posix() for name in data for path in (site.root / "data").glob(f"{name}.*")]
    yield Origins("data", tuple(found), tuple(_MEANT[key] for key in ("data:*",) if key in keys))
    if ASSETS in keys:
        yield Origins("assets", tuple(f"assets/{name}" for name in asked), () if asked else (_MEANT[ASSETS],))
    routes = sorted(key.removeprefix("route:") for key in keys if key.startswith("route:"))
    yield Origins("addresses of", tuple(routes), tuple(_MEANT[key] for key in (ROUTES,) if key in keys))
    collections = {key.removeprefix(kind) for kind in (LIST, HOME) for key in keys if key.startswith(kind)}
    yield Origins("collections", (), tuple(sorted(collections)))
    told = ("data:", "route:", LIST, HOME)
    rest = sorted(key for key in keys if not key.startswith(told) and key not in (ASSETS, ROUTES))
    files = tuple(key for key in rest if key not in _MEANT)
    yield Origins("and", files, tuple(_MEANT[key] for key in rest if key in _MEANT))


def _reasons(site: Site, resource: Resource) -> Iterator[str]:
    """Says why a build takes a page to depend on anything."""
    known = {
        f"{resource.module.file if resource.module else ''} is Python, which may read any file": resource.module,
        "a plugin may change it": site.settings.plugins,
        "middleware.py runs around it": site.middleware and not resource.guard,
        "a template names another by a variable": resource.closure is not None and resource.closure.dynamic,
    }
    reasons = [reason for reason, holds in known.items() if holds]
    yield from reasons or ["a template asks for what can't be followed"]
