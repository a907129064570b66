"""A site, loaded: an immutable value that holds everything known before a request, and load_site(), which makes it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

from starlette.types import Receive, Scope, Send

from hybridsite.action_table import ACTIONS, Action, load_actions
from hybridsite.cache.shelf import Shelf
from hybridsite.config import Settings, load_settings, setting_locations
from hybridsite.csp import Policy
from hybridsite.data import load_data
from hybridsite.errors import (
    DriverError,
    Faults,
    FrontMatterError,
    Location,
    ModuleError,
    RouteError,
    SiteErrors,
    SourceError,
)
from hybridsite.headers import HeaderRules
from hybridsite.island_table import IslandTable, load_components
from hybridsite.modules import (
    Handler,
    load_module,
    make_importable,
    middleware_functions,
)
from hybridsite.notices import MEND_NO_DRIVER, MEND_PRERENDERED, SessionNotices
from hybridsite.redirects import check_redirects, read_redirect
from hybridsite.resources import Resource, load_resources
from hybridsite.routes import Redirect, Route, pair_modules, read_route
from hybridsite.routing import Router
from hybridsite.security import OriginRefusals
from hybridsite.sessions.drivers import find_store
from hybridsite.sessions.manager import SessionManager
from hybridsite.templating import Templates, unknown_action
from hybridsite.urls import UrlPolicy

TEMPLATE_FOLDERS = ("components", "layouts", "pages")
DATA_FOLDER = "data"
MIDDLEWARE = "middleware.py"
# What a site may hold that this version can't do: refused, since a site that ignored it would be a wrong one.
_NOT_YET = {"collections.py": "collections"}


@dataclass(frozen=True, slots=True)
class Mode:
    """What differs between a build and a server: whether prerendered pages are rendered now, and drafts with them."""

    prerendering: bool
    drafts: bool = False


BUILD = Mode(prerendering=True)


class ErrorFile(NamedTuple):
    """A prerendered error page: its HTML, and the headers that its front matter has."""

    body: bytes
    headers: tuple[tuple[str, str], ...]


class GivenFile(Protocol):
    """A built file, as the server gives it out: with conditions, ranges and codings.

    `headers` are those of the whole file. `guard` is the source of the page with `guard: true` that it is, or None.
    """

    headers: Sequence[tuple[bytes, bytes]]
    guard: str | None

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers GET and HEAD."""


@dataclass(frozen=True, eq=False)
class Site:
    """Everything known before a request. Templates and modules see it as `site`.

    `drafts` names the files that are left out as drafts.
    `broken` names the pages that didn't load, where a build goes on to find the faults of the others.
    A server adds what it opened (`sessions`, `cache`) and what the build wrote: the files by their URLs (`built`), the
    paths of those among them that are guarded, and the error pages.
    """

    root: Path
    mode: Mode
    settings: Settings
    router: Router
    resources: Mapping[str, Resource]
    templates: Templates
    drafts: frozenset[str]
    data: Mapping[str, object]
    middleware: tuple[Handler, ...] = ()
    actions: Mapping[str, Action] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    islands: IslandTable = field(default_factory=IslandTable)
    sessions: SessionManager | None = None
    cache: Shelf | None = None
    notices: SessionNotices = field(default_factory=SessionNotices)
    refusals: OriginRefusals = field(default_factory=OriginRefusals)
    built: Mapping[str, GivenFile] = field(default_factory=dict)
    guarded: frozenset[tuple[str, ...]] = frozenset()
    error_files: Mapping[int, ErrorFile] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """[site] title."""
        return self.settings.site.title

    @property
    def description(self) -> str:
        """[site] description."""
        return self.settings.site.description

    @property
    def language(self) -> str:
        """[site] language."""
        return self.settings.site.language

    @property
    def author(self) -> str:
        """[site] author."""
        return self.settings.site.author

    @property
    def url(self) -> str:
        """[site] url: the origin that the site is known by, or "" where it isn't set."""
        return self.settings.site.url

    @property
    def base(self) -> str:
        """[site] base."""
        return self.settings.site.base

    @property
    def policy(self) -> UrlPolicy:
        """The policy of the site's URLs."""
        return self.router.policy

    @cached_property
    def headers(self) -> HeaderRules:
        """The rules of [headers]."""
        return HeaderRules(self.settings.headers)

    @cached_property
    def csp(self) -> Policy | None:
        """The Content-Security-Policy of its pages, or None."""
        said = self.settings.security.csp
        return Policy() if said is True else None if said is False else Policy(said)

    def url_for(self, source: str, /, **params: object) -> str:
        """Gives the URL of the route that a file under pages/ makes. Raises RouteError as `Router.url_for` does."""
        if source in self.broken:
            return self.policy.url("page", ())  # its own fault is told; this would be another one for the same cause
        return self.router.url_for(source, **params)

    def action_url(self, name: str) -> str:
        """Gives the URL that a form posts to: `action()` in templates. Raises TemplateError for a name of no action."""
        if name not in self.actions:
            raise unknown_action(str(name), self.actions)
        return self.policy.url("action", (ACTIONS, name))

    def resource(self, route: Route) -> Resource:
        """What answers a route that the router, or the name of an action, led to."""
        if route.kind == "action":
            return self.actions[route.segments[-1][0].text].resource
        return self.resources[route.source]

    @property
    def fetched(self) -> list[str]:
        """The components of the islands on prerendered pages, which a server has to answer."""
        pages = [resource.closure for resource in self.resources.values() if resource.closure and resource.prerender]
        return sorted({component for closure in pages for component in closure.islands})

    def has_session(self, resource: Resource) -> bool:
        """Whether requests for it have a session: the site has a driver, and the page isn't rendered at build."""
        return self.settings.session.driver is not False and not resource.prerender

    def mend(self, resource: Resource) -> str:
        """What to do where `resource` uses a session that it doesn't have."""
        return MEND_NO_DRIVER if self.settings.session.driver is False else MEND_PRERENDERED


def load_site(root: Path, mode: Mode, *, environ: Mapping[str, str], faults: Faults | None = None) -> Site:
    """Reads a site folder (or the sources in dist/server/) into a Site.

    Raises SiteErrors with every fault that can be found without rendering, or the only one as itself. Where `faults` is
    given, those of single pages are added to it, and the site comes without these pages: a build renders the others,
    to tell their faults too.
    """
    root = root.resolve()
    settings = load_settings(root, environ, serving=not mode.prerendering)
    goes_on, faults = faults is not None, Faults() if faults is None else faults
    files = _index(root, (*TEMPLATE_FOLDERS, DATA_FOLDER), faults)
    _refuse_what_comes_later(root, faults)
    make_importable(root)
    data: Mapping[str, object] = MappingProxyType({})
    with faults.collect():
        data = load_data(_below(files, DATA_FOLDER))
    actions = _load_actions(root, faults)
    index = {name: path for folder in TEMPLATE_FOLDERS for name, path in _below(files, folder).items()}
    sources = {name: path for name, path in index.items() if not name.endswith(".py")}
    with_nonces = settings.security.csp is not False
    templates = Templates(root, sources, settings.templates.variable, actions, with_nonces)
    chain: tuple[Handler, ...] = ()
    with faults.collect():
        chain = _load_middleware(root)
    with faults.collect():
        _check_driver(root, settings)
    goes_on = goes_on and not faults  # what every page rests on is whole
    routes = _routes(_below(files, "pages"), faults)
    islands = IslandTable(load_components(root, index, faults))
    loaded = load_resources(root, settings, templates, routes, islands.modules, faults)
    _check_guards(root, loaded, faults)
    left_out = [resource for resource in loaded if resource.is_draft and not mode.drafts]
    drafts = frozenset(file for resource in left_out for file in resource.route.files)
    resources = [resource for resource in loaded if mode.drafts or not resource.is_draft]
    policy = UrlPolicy(settings.site.base, settings.routing.trailing_slash)
    redirects = _redirects(root, settings, faults)
    try:
        router = Router([*(resource.route for resource in resources), *redirects], policy)
        check_redirects(router)
    except (RouteError, SiteErrors) as fault:
        faults.take(fault)
        goes_on = False
    if not goes_on:
        faults.raise_any()
    by_source = {resource.route.source: resource for resource in resources}
    broken = frozenset(route.source for route in routes) - {resource.route.source for resource in loaded}
    site = Site(root, mode, settings, router, by_source, templates, drafts, data, chain, actions or {}, broken, islands)
    templates.environment.globals.update(site=site, data=data, url_for=site.url_for, action=site.action_url)
    _check_session(site)
    return site


def _refuse_what_comes_later(root: Path, faults: Faults) -> None:
    for name, noun in _NOT_YET.items():
        if (root / name).exists():
            faults.add(ModuleError(f"{noun} are not in this version of hybridsite yet", location=Location(name)))


def _index(root: Path, folders: tuple[str, ...], faults: Faults) -> dict[str, Path]:
    """Lists the files below some folders, in one order on every machine. A link that leaves the site is a fault."""
    found: dict[str, Path] = {}
    for folder in folders:
        with faults.collect():
            for name, is_link in _walk(root / folder, folder):
                path = root / name
                if is_link and not path.resolve().is_relative_to(root):
                    mend = "copy the file into the site"
                    faults.add(SourceError("the link leads out of the site", mend=mend, location=Location(name)))
                else:
                    found[name] = path
    return found


def _walk(folder: Path, name: str) -> Iterator[tuple[str, bool]]:
    """Yields the files below a folder and whether each is a link, links to folders among them, which aren't followed.

    The folder itself may be a link: then all that is in it counts as one.
    """
    if not folder.is_dir():
        return
    is_link = folder.is_symlink()
    try:
        with os.scandir(folder) as entries:
            every = sorted((entry for entry in entries if entry.name[0] != "."), key=lambda entry: entry.name)
    except OSError as error:
        why = (error.strerror or "").lower()
        raise SourceError("the folder can't be read", why=why, location=Location(name)) from None
    folders = []
    for entry in every:
        if not entry.is_dir(follow_symlinks=False):
            yield f"{name}/{entry.name}", is_link or entry.is_symlink()
        elif entry.name != "__pycache__":
            folders.append(entry.name)
    for child in folders:
        for found, linked in _walk(folder / child, f"{name}/{child}"):
            yield found, is_link or linked


def _below(files: Mapping[str, Path], folder: str) -> dict[str, Path]:
    return {name: path for name, path in files.items() if name.startswith(f"{folder}/")}


def _routes(files: Mapping[str, Path], faults: Faults) -> list[Route]:
    routes: list[Route] = []
    for file in files:
        with faults.collect():
            route = read_route(file)
            if route is not None:
                routes.append(route)
    return pair_modules(routes)


def _redirects(root: Path, settings: Settings, faults: Faults) -> list[Route]:
    routes: list[Route] = []
    places = setting_locations(root) if settings.redirects else {}
    for path, entry in settings.redirects.items():
        with faults.collect():
            routes.append(read_redirect(path, Redirect(entry.to, entry.status, places["redirects", path])))
    return routes


def _check_guards(root: Path, resources: Iterable[Resource], faults: Faults) -> None:
    """Adds a fault for each guarded page of a site without middleware, which would keep it from nobody."""
    if (root / MIDDLEWARE).exists():
        return
    for resource in resources:
        if resource.guard and resource.source is not None:
            what = "guard: true guards nothing: the site has no middleware"
            mend = f"write {MIDDLEWARE}, which refuses whom the page is not for, or take the line out"
            faults.add(FrontMatterError(what, mend=mend, location=resource.source.location("guard")))


def _load_middleware(root: Path) -> tuple[Handler, ...]:
    return middleware_functions(load_module(root, MIDDLEWARE)) if (root / MIDDLEWARE).exists() else ()


def _load_actions(root: Path, faults: Faults) -> Mapping[str, Action] | None:
    """Gives the actions, or None where they are at fault: nobody is told then that a form asks for one in vain."""
    actions: Mapping[str, Action] | None = None
    with faults.collect():
        actions = load_actions(root)
    return actions


def _check_driver(root: Path, settings: Settings) -> None:
    """Raises DriverError for a name that is no driver. A stranger's class is imported when a server starts."""
    driver = settings.session.driver
    if driver is not False and ":" not in driver:
        try:
            find_store(driver)
        except DriverError as error:
            raise error.at(setting_locations(root)["session", "driver"]) from None


def _check_session(site: Site) -> None:
    """Notes every place where a template uses the session of a page that has none."""
    fetched = (site.islands.resource(site.templates, [component]) for component in site.fetched)
    for resource in (*site.resources.values(), *fetched):
        rendered_now = site.mode.prerendering or not resource.prerender
        if resource.closure is None or site.has_session(resource) or not rendered_now:
            continue
        for way in resource.closure.unguarded:
            *steps, place = way
            if not resource.prerender and site.templates.only_asks_for_result(place):
                continue  # without a driver the page that a form stands on shows the outcome in the same answer
            site.notices.add(
                Location(place.template, place.line),
                resource.route.source,
                way=_way(resource, [f"{step.template}:{step.line}" for step in steps]),
                mend=site.mend(resource),
            )


def _way(resource: Resource, steps: list[str]) -> list[str]:
    if resource.source is not None and resource.template != resource.source.file and resource.template is not None:
        return [str(resource.source.location("layout")), *steps]
    return steps
