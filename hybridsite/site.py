"""A site, loaded: an immutable value that holds everything known before a request, and load_site(), which makes it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from unicodedata import normalize

from markupsafe import Markup

from hybridsite.action_table import ACTIONS, Action
from hybridsite.assets.markup import image_html
from hybridsite.assets.table import FOLDER, NO_ASSETS, Assets
from hybridsite.cache.shelf import Shelf
from hybridsite.catalogues import FOLDER as LOCALES
from hybridsite.catalogues import Catalogues, load_catalogues
from hybridsite.config import Settings, load_settings
from hybridsite.content import Content
from hybridsite.csp import Policy
from hybridsite.declarations import CONTENT_FOLDER
from hybridsite.entries import Entries, Entry
from hybridsite.entry_memory import EntryMemory
from hybridsite.errors import Faults, Location
from hybridsite.files import copied_files
from hybridsite.given import ErrorFile, GivenFile
from hybridsite.headers import HeaderRules
from hybridsite.island_table import IslandTable, load_components
from hybridsite.languages import LOCALE, Alternate, Languages
from hybridsite.links import Links
from hybridsite.listings import PAGE, Listings, make_listings
from hybridsite.loading import (
    DATA_FOLDER,
    MIDDLEWARE,
    TEMPLATE_FOLDERS,
    check_driver,
    check_packages,
    drivers_of,
    load_all_actions,
    load_all_data,
    load_assets,
    load_collections,
    load_middleware,
    template_sources,
)
from hybridsite.markdown import MarkdownStyle
from hybridsite.modules import Handler, make_importable
from hybridsite.notices import MEND_PRERENDERED, SessionNotices, no_driver
from hybridsite.plugins import Plugins, plug_in
from hybridsite.redirects import make_router
from hybridsite.resources import Resource, load_resources, made_resources, refuse_guards
from hybridsite.routes import Match, Route, read_routes
from hybridsite.routing import Router
from hybridsite.security import OriginRefusals
from hybridsite.sessions.manager import SessionManager
from hybridsite.templating import Templates, make_templates, unknown_action
from hybridsite.tree import below, index_files
from hybridsite.urls import UrlPolicy
from hybridsite.used import LIST, note


@dataclass(frozen=True, slots=True)
class Mode:
    """What differs between a build and a server: whether prerendered pages are rendered now, and drafts with them.

    `serving` says whether requests are answered with it, too: then settings for that alone are read as well. `alone` is
    for a site under test, in which nothing outside of its process takes part: where other servers are isn't read then.
    """

    prerendering: bool
    drafts: bool = False
    serving: bool = False
    alone: bool = False

    @property
    def answers(self) -> bool:
        """Whether requests are answered."""
        return self.serving or not self.prerendering


BUILD = Mode(prerendering=True)


@dataclass(frozen=True, eq=False)
class Site:
    """Everything known before a request. Templates and modules see it as `site`.

    `drafts` names the files that are left out as drafts.
    `broken` names the pages that didn't load, where a build goes on to find the faults of the others.
    `planned` has the paths that a build writes, once they are known.
    A server adds what it opened (`sessions`, `cache`) and what the build wrote: the files by their URLs (`built`), the
    paths of those among them that are guarded, the error pages, and the URL of the rules of `prefetch`.
    """

    root: Path
    mode: Mode
    settings: Settings
    router: Router
    resources: Mapping[str, Resource]
    templates: Templates
    drafts: frozenset[str]
    data: Mapping[str, object]
    content: Content
    listings: Listings
    middleware: tuple[Handler, ...] = ()
    actions: Mapping[str, Action] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    islands: IslandTable = field(default_factory=IslandTable)
    assets: Assets = NO_ASSETS
    languages: Languages = field(default_factory=Languages)
    catalogues: Catalogues = field(default_factory=Catalogues)
    sessions: SessionManager | None = None
    cache: Shelf | None = None
    notices: SessionNotices = field(default_factory=SessionNotices)
    refusals: OriginRefusals = field(default_factory=OriginRefusals)
    built: Mapping[str, GivenFile] = field(default_factory=dict)
    guarded: Container[tuple[str, ...]] = frozenset()
    error_files: Mapping[int, ErrorFile] = field(default_factory=dict)
    plugins: Plugins = field(default_factory=lambda: Plugins(Path()))
    planned: frozenset[tuple[str, ...]] | None = None
    prefetch: str = ""

    @cached_property
    def links(self) -> Links:
        """Where links between the files of the site lead."""
        prerendering = self.mode.prerendering
        left_out = self.drafts | self.content.left_out
        return Links(
            self.router,
            drafts=left_out,
            broken=self.broken,
            copied=(lambda: {file.source for file in copied_files(self.root)}) if prerendering else None,
            entry_url=self.content.entry_url,
            entry_files=self.content.files,
        )

    @cached_property
    def markdown_style(self) -> MarkdownStyle:
        """[markdown]: what the site chooses of the HTML that Markdown becomes."""
        chosen = self.settings.markdown
        return MarkdownStyle(chosen.heading_links, chosen.callouts.model_dump())

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
        if said is False:
            return None
        more = dict(said) if isinstance(said, dict) else {}
        if "search" in self.settings.model_fields_set:  # it is compiled code, which no other source allows
            more["script-src"] = (*more.get("script-src", ()), "'wasm-unsafe-eval'")
        return Policy(more)

    def url_for(self, source: str, /, **params: object) -> str:
        """Gives the URL of the route that a file under pages/ makes. Raises RouteError as `Router.url_for` does."""
        if source in self.broken:
            return self.policy.url("page", ())  # its own fault is told; this would be another one for the same cause
        if PAGE in params and (listing := self.listings.by_source(source)) is not None:
            params[PAGE] = listing.page_param(params[PAGE])
        if LOCALE in params and self.languages.locales and LOCALE not in self.router.by_source(source).parameters:
            return self.languages.url_for(self.router, source, params, self.is_there, self.is_rendered)
        return self.router.url_for(source, **params)

    def is_there(self, match: Match, path: tuple[str, ...]) -> bool:
        """Tells whether a route that answers a path by its pattern has a page there, as far as that is known."""
        route = match.route
        if route.redirect is not None:
            return False
        if (listing := self.listings.of(route)) is not None:
            return listing.find(match.params) is not None
        if not route.prerender or not route.parameters:
            return True
        if self.mode.prerendering:
            return self.planned is None or path in self.planned
        return self.policy.url(route.kind, path) in self.built

    def is_rendered(self, route: Route) -> bool:
        """Tells whether pages of a route are rendered for the languages that lack them, and not led to.

        One on demand, or behind a guard, never is: middleware guards it by its path.
        """
        return self.languages.renders and route.prerender and not self.resources[route.source].guard

    def alternates(self, path: tuple[str, ...]) -> list[Alternate]:
        """Gives the page at a path in all of its languages; none where it has one alone, or there is no page."""
        for match in self.router.match(path) if self.languages.locales else ():
            if self.is_there(match, path):
                return self.languages.alternates(self.router, match.route, path, self.url, self.is_there)
        return []

    def stand_in(self, path: tuple[str, ...]) -> str | None:
        """Gives the URL of the page that stands in for one which the language of a path lacks, or None."""
        return self.languages.stand_in(self.router, path, self.is_there) if self.languages.fallback else None

    def entry_url(self, entry: Entry) -> str:
        """Gives the URL of the page that shows an entry. Raises ContentError where there is none, or several."""
        if self.broken and not self.listings.shows(entry.collection):
            return self.policy.url("page", ())  # as for url_for()
        return self.listings.url(entry)

    def collection(self, name: str) -> Entries:
        """Gives the entries of a collection: `collection()` in templates. Raises ContentError for a name of none."""
        note(f"{LIST}{name}")
        return self.content.collection(name)

    def action_url(self, name: str) -> str:
        """Gives the URL that a form posts to: `action()` in templates. Raises TemplateError for a name of no action."""
        if name not in self.actions:
            raise unknown_action(str(name), self.actions)
        return self.policy.url("action", (ACTIONS, name))

    def asset(self, name: str) -> str:
        """Gives the URL of a file in assets/, with its fingerprint. Raises AssetError and SourceError."""
        return self.file_url(self.assets.file(normalize("NFC", str(name))))

    def image(self, name: str, **options: Any) -> Markup:
        """Gives the `<picture>` of a file in assets/, as `image_html` does. Raises AssetError."""
        return image_html(self.assets, self.file_url, normalize("NFC", str(name)), **options)

    def file_url(self, file: str) -> str:
        """Gives the URL of a file by its path below the site's root."""
        return self.policy.url("file", tuple(file.split("/")))

    def resource(self, route: Route) -> Resource:
        """What answers a route that the router, or the name of an action, led to."""
        if route.kind == "action":
            return self.actions[route.segments[-1][0].text].resource
        return self.resources[route.source]

    @property
    def fetched(self) -> list[str]:
        """The components of the islands on pages that all visitors share, which a server has to answer."""
        pages = [resource.closure for resource in self.resources.values() if resource.closure and resource.is_shared]
        return sorted({component for closure in pages for component in closure.islands})

    def has_session(self, resource: Resource) -> bool:
        """Whether requests for it have a session: the site has a driver, and the page isn't rendered at build."""
        return self.settings.session.driver is not False and not resource.prerender

    @cached_property
    def _no_driver(self) -> str:
        return no_driver(drivers_of(self.settings))

    def mend(self, resource: Resource) -> str:
        """What to do where `resource` uses a session that it doesn't have."""
        return self._no_driver if self.settings.session.driver is False else MEND_PRERENDERED


def load_site(
    root: Path,
    mode: Mode,
    *,
    environ: Mapping[str, str],
    faults: Faults | None = None,
    assets: Assets | None = None,
    cache: Path | None = None,
    memory: EntryMemory | None = None,
) -> Site:
    """Reads a site folder (or the sources in dist/server/) into a Site.

    Raises SiteErrors with every fault that can be found without rendering, or the only one as itself. Where `faults` is
    given, those of single pages are added to it, and the site comes without them: a build renders the others, to tell
    their faults too. `assets` are a build's, else made here, and remembered in `cache`; `memory` is of its entries.
    """
    make_importable(root := root.resolve())
    settings, plugins, setup = plug_in(root, load_settings(root, environ, serving=mode.answers and not mode.alone))
    goes_on, faults = faults is not None, Faults() if faults is None else faults
    files = index_files(root, (*TEMPLATE_FOLDERS, DATA_FOLDER, CONTENT_FOLDER, FOLDER, LOCALES), faults)
    data = load_all_data(files, faults)
    content = load_collections(setup, not mode.prerendering, mode.drafts, environ, files, faults, memory)
    actions = load_all_actions(root, faults)
    assets = load_assets(below(files, FOLDER), cache) if assets is None else assets
    languages = Languages.of(settings)
    catalogues = load_catalogues(below(files, LOCALES), languages.locales, languages.chain, faults)
    templates = make_templates(setup, template_sources(files), actions, assets.names())
    chain = load_middleware(root, faults)
    check_driver(root, settings, faults)
    is_whole = not faults  # what every page rests on
    routes = read_routes(below(files, "pages"), faults)
    islands = IslandTable(load_components(root, below(files, "components"), faults))
    loaded = load_resources(root, settings, templates, routes, islands.modules, faults)
    loaded += made_resources(setup.routes.values())
    check_packages(root, settings, templates, loaded if goes_on else None, faults)
    refuse_guards(() if (root / MIDDLEWARE).exists() else loaded, faults)
    drafts = frozenset(file for each in loaded if each.is_draft and not mode.drafts for file in each.route.files)
    resources = [resource for resource in loaded if mode.drafts or not resource.is_draft]
    routed = _routed(root, settings, mode, resources, content, faults)
    if routed is None or not (goes_on and is_whole):
        faults.raise_any()
    assert routed is not None
    by_source = {resource.route.source: resource for resource in resources}
    broken = frozenset(route.source for route in routes) - {resource.route.source for resource in loaded}
    site = Site(
        *(root, mode, settings, routed[0], by_source, templates, drafts, data, content, routed[1]),
        *(chain, actions or {}, broken, islands, assets, languages, catalogues),
        plugins=plugins,
    )
    return _join(site)


def with_plan(site: Site, paths: Iterable[tuple[str, ...]]) -> Site:
    """Gives the site of a build that knows the paths of its pages."""
    return named(replace(site, planned=frozenset(paths)))


def _routed(
    root: Path, settings: Settings, mode: Mode, resources: list[Resource], content: Content, faults: Faults
) -> tuple[Router, Listings] | None:
    """Gives the router, and what front matter lists, or None where routes contradict each other."""
    router = make_router(root, settings, [resource.route for resource in resources], faults)
    with faults.collect():
        if router is not None:
            Languages.of(settings).check(router, faults)
            return router, make_listings(resources, content, router.url_for, faults, serving=not mode.prerendering)
    return None


def _join(site: Site) -> Site:
    """Gives templates and entries what they ask of the site, now that there is one."""
    site.content.publish(site.entry_url, site.links.resolver, site.markdown_style)
    _check_session(named(site))
    return site


def named(site: Site) -> Site:
    """Gives templates the names that are the site's: of a site that a build or a server has completed, too."""
    names = {"site": site, "data": site.data, "collection": site.collection, "url_for": site.url_for}
    site.templates.environment.globals.update(names, action=site.action_url, asset=site.asset, image=site.image)
    return site


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
