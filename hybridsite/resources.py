"""What answers a route: a page with its front matter and module, or an endpoint, loaded and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial, reduce
from pathlib import Path
from types import MappingProxyType

from hybridsite import dates, sources
from hybridsite.closures import Closure
from hybridsite.config import Settings
from hybridsite.errors import Faults, FrontMatterError, Location, ModuleError, RouteError
from hybridsite.frontmatter import FrontMatter, read_front_matter
from hybridsite.inheritance import inherited
from hybridsite.modules import METHODS, PAGE_METHODS, SiteModule, check_definitions, load_module
from hybridsite.routes import Route
from hybridsite.templating import Templates


@dataclass(frozen=True, eq=False)
class Resource:
    """What answers a route: a template with its front matter, a module, or both.

    `pieces` are the modules of the components that are rendered in place. `is_kept` where front matter has `cache`, and
    the site a cache.
    """

    route: Route
    template: str | None = None
    source: sources.Source | None = None
    front: FrontMatter | None = None
    module: SiteModule | None = None
    closure: Closure | None = None
    pieces: tuple[SiteModule, ...] = ()
    is_kept: bool = False

    @property
    def prerender(self) -> bool:
        """Whether the build renders it."""
        return self.route.prerender

    @property
    def is_shared(self) -> bool:
        """Whether all visitors get the same, so that its islands are fetched: it is a file, or kept by the cache."""
        return self.prerender or self.is_kept

    @cached_property
    def names_session(self) -> bool:
        """Whether its templates name the session: such an answer is private, whatever the code does."""
        return self.closure is not None and self.closure.uses_session

    @cached_property
    def uses_session(self) -> bool:
        """Whether its templates, or its own modules, name the session: what the route table tells."""
        modules = (self.module, *self.pieces) if self.module else self.pieces
        return self.names_session or any(module.names_session for module in modules)

    @cached_property
    def may_use_session(self) -> bool:
        """Whether a request for it has to load the session: its code, or a template that can't be followed, may ask."""
        dynamic = self.closure is not None and self.closure.dynamic
        return self.names_session or dynamic or self.module is not None or bool(self.pieces)

    @cached_property
    def may_use_content(self) -> bool:
        """Whether it may ask for a collection: by `paths`, in a template, or in a module, whatever that does."""
        return self.module is not None or bool(self.pieces) or self.asks_for_content

    @cached_property
    def asks_for_content(self) -> bool:
        """Whether it asks for a collection by `paths`, or in a template; or whether that can't be told."""
        if self.front is not None and self.front.paths is not None:
            return True
        return self.closure is not None and (self.closure.dynamic or self.closure.uses_content)

    @property
    def may_be_kept(self) -> bool:
        """Whether the cache may keep its answers: front matter says so, or its code may."""
        said = self.front is not None and self.front.cache is not None
        return said or (self.module is not None and self.module.sets_cache)

    @property
    def guard(self) -> bool:
        """Whether it says `guard: true`: it is built, and given out behind the middleware."""
        return self.front is not None and self.front.guard

    @property
    def is_draft(self) -> bool:
        """Whether it says `draft: true`."""
        return self.front is not None and self.front.draft

    @cached_property
    def page(self) -> Mapping[str, object]:
        """The front matter that is the page's own: `page` in templates."""
        return self.front.page if self.front else MappingProxyType({})


def load_resources(
    root: Path,
    settings: Settings,
    templates: Templates,
    routes: list[Route],
    components: Mapping[str, SiteModule],
    faults: Faults,
) -> list[Resource]:
    """Loads what answers each route. `components` are the modules beside components, by the names of these.

    A page at fault is left out, and its faults are added to `faults`.
    """
    resources: list[Resource] = []
    default = settings.build.output == "static"
    for route in routes:
        with faults.collect(*route.files):
            resources.append(_load_resource(root, settings, templates, route, default, components))
    return resources


def made_resources(made: Iterable[tuple[Route, SiteModule]]) -> list[Resource]:
    """Gives what answers the routes that plugins add."""
    return [Resource(replace(route, prerender=module.prerender is True), module=module) for route, module in made]


def _load_resource(
    root: Path,
    settings: Settings,
    templates: Templates,
    route: Route,
    default: bool,
    components: Mapping[str, SiteModule],
) -> Resource:
    module = load_module(root, route.module) if route.module else None
    if route.template is None:
        assert module is not None
        check_definitions(module, (*METHODS, "ALL"))
        if not module.methods((*METHODS, "ALL")):
            raise ModuleError(
                "the endpoint answers no method",
                mend="define GET(context), POST(context) … or ALL(context); a helper's name begins with _",
                location=Location(module.file),
            )
        return Resource(replace(route, prerender=module.prerender is True), module=module)
    source = sources.load(root / route.template, route.template)
    keys, zone = settings.front_matter.keys, dates.zone(settings.site.timezone)
    read = partial(read_front_matter, source, own_keys=keys, zone=zone)
    front = inherited("front matter", source.file, (source, keys, zone), read)
    if module is not None:
        check_definitions(module, ("load", "paths", *PAGE_METHODS))
    prerender = _prerender(source, front, module, default)
    if prerender and module is not None and (methods := module.methods(PAGE_METHODS)):
        raise ModuleError(
            f"{next(iter(methods))} is defined for a prerendered page, which is a file and answers GET alone",
            mend="give the page prerender: false, or let its form post to another page, an endpoint or an action",
            location=Location(module.file),
        )
    template = _template(templates, source, front)
    is_kept = not prerender and front.cache is not None and settings.cache.driver is not False and route.kind == "page"
    starts = [template] if template else []
    starts += [route.template] if route.template.endswith(".md") and front.jinja else []
    own = _closure(templates, starts, in_place=False)
    in_place = not (prerender or is_kept)
    closure = _closure(templates, starts, in_place=True) if in_place else own
    for name in closure.templates if closure else ():
        templates.check(name)
    if prerender != route.prerender:
        route = replace(route, prerender=prerender)
    pieces = [components[name] for name in closure.islands if name in components] if closure and in_place else []
    resource = Resource(route, template, source, front, module, closure, tuple(pieces), is_kept)
    _check_guard(resource)
    _check_cache_control(resource)
    _check_cache(replace(resource, closure=own, pieces=()))  # its islands are each visitor's own
    return resource


def _closure(templates: Templates, starts: list[str], *, in_place: bool) -> Closure | None:
    closures = [templates.closure(name, in_place=in_place) for name in starts]
    return reduce(joined, closures) if closures else None


def _prerender(source: sources.Source, front: FrontMatter, module: SiteModule | None, default: bool) -> bool:
    said = module.prerender if module else None
    if said is not None and front.prerender is not None and said != front.prerender:
        assert module is not None
        raise FrontMatterError(
            f"prerender is {str(front.prerender).lower()} here, and {said} in {module.file}",
            mend="say it in one place",
            location=source.location("prerender"),
        )
    if front.prerender is not None:
        return front.prerender
    return default if said is None else said


def _template(templates: Templates, source: sources.Source, front: FrontMatter) -> str | None:
    """Gives the template that is rendered: the page itself, or a Markdown page's layout (None without one)."""
    if not source.file.endswith(".md"):
        return source.file
    if front.layout is not None:
        templates.get(front.layout, source.location("layout"))
    return front.layout


def joined(one: Closure, other: Closure) -> Closure:
    """Gives what is known of two templates together."""
    return Closure(
        one.names | other.names,
        (*one.templates, *other.templates),
        one.uses_session or other.uses_session,
        one.dynamic or other.dynamic,
        (*one.unguarded, *other.unguarded),
        one.uses_content or other.uses_content,
        tuple(dict.fromkeys((*one.islands, *other.islands))),
    )


def _check_guard(resource: Resource) -> None:
    """Only a page that is built can be given out behind a guard: any other is asked for through the middleware."""
    assert resource.source is not None
    if resource.guard and not resource.prerender:
        why = "the middleware runs before it at each request as it is"
        mend = "take the line out, or give the page prerender: true"
        what = "guard: true stands on a page that is rendered on demand"
        raise FrontMatterError(what, why=why, mend=mend, location=resource.source.location("guard"))
    if resource.guard and resource.route.kind == "error":
        mend = "take the line out"
        raise FrontMatterError("an error page can't be guarded", mend=mend, location=resource.source.location("guard"))


def _check_cache_control(resource: Resource) -> None:
    """A page that uses a session, or is guarded, can't have a Cache-Control that lets others keep it."""
    assert resource.front is not None
    assert resource.source is not None
    if not resource.guard and (not resource.uses_session or resource.prerender):
        return
    for name, value in resource.front.headers.items():
        if name.casefold() == "cache-control" and "no-store" not in value.casefold():
            sent, kind = ("no-cache", "is guarded") if resource.guard else ("no-store", "uses the session")
            raise FrontMatterError(
                f"a Cache-Control of its own stands on a page that {kind}",
                why="such a page is one visitor's, and no cache may keep it",
                mend=f"take it out: the page is sent with private, {sent}",
                location=resource.source.location("headers"),
            )


def _check_cache(resource: Resource) -> None:
    """A page that is built needs no cache, and one that uses a session can't have one."""
    assert resource.front is not None
    assert resource.source is not None
    if resource.front.cache is None:
        return
    if resource.prerender:
        raise FrontMatterError(
            '"cache" stands on a page that is rendered at build',
            why="it is a file, the same until the next build",
            mend="take it out, or give the page prerender: false",
            location=resource.source.location("cache"),
        )
    if resource.uses_session:
        raise FrontMatterError(
            '"cache" stands on a page that uses the session',
            why="such a page is one visitor's, and no cache may keep it",
            mend="take it out, or put the piece into an island, which is fetched for each visitor",
            location=resource.source.location("cache"),
        )


def check_paths(resource: Resource) -> None:
    """Raises RouteError for a prerendered route with parameters whose module doesn't say which paths there are."""
    route = resource.route
    if resource.front is not None and resource.front.paths is not None:
        return
    if route.prerender and route.parameters and not (resource.module and resource.module.function("paths")):
        module = route.module or f"{route.source.rpartition('.')[0]}.py"
        raise RouteError(
            f"{route.pattern} is prerendered, and nothing says which paths there are",
            mend=f"name a collection (paths: blog), define paths(site) in {module}, or give the page prerender: false",
            location=Location(route.source, 1),
        )


def refuse_guards(resources: Iterable[Resource], faults: Faults) -> None:
    """Adds a fault for each guarded page of a site without middleware, which would keep it from nobody."""
    for resource in resources:
        if resource.guard and resource.source is not None:
            what = "guard: true guards nothing: the site has no middleware"
            mend = "write middleware.py, which refuses whom the page is not for, or take the line out"
            faults.add(FrontMatterError(what, mend=mend, location=resource.source.location("guard")))
