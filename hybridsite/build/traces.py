"""What a page is made from, as keys: read off its templates, and noted while it was rendered.

A file's key is its path below the site's root, whether it is there or not. The rule for all else is to refuse by
default: a template that names what isn't in the table here, or leads to what can't be followed, may depend on anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType

from hybridsite.closures import Closure
from hybridsite.island_tag import PLACE
from hybridsite.reads import PRIVATE, WHOLE
from hybridsite.resources import Resource
from hybridsite.routes import Route
from hybridsite.site import Site
from hybridsite.templating import CONTEXT_NAMES
from hybridsite.used import ALL, ASSETS, EVERYTHING, HOME, MOST_TOLD, PYTHON, ROUTES

SETTINGS = "site.toml"
_LOCALES = "locales"

# What these give comes from the page's own file and path, from site.toml, or from nothing at all.
_OWN = frozenset(
    {
        *("request", "params", "url", "page", "session", "flashes", "action_result", "locals", "prerendering"),
        *("redirect", "cookies", "response", "client_address", "route", "locale", "content", "headings", "toc"),
        *("range", "dict", "lipsum", "cycler", "joiner", "namespace", "render", PLACE),
    }
)
# What is read of these is told by the templates, or noted where it is read.
_NOTED = frozenset({"data", "site", "url_for", "alternates", "collection", "seo", "props"})
_CATALOGUES = frozenset({"_", "gettext", "ngettext", "pgettext", "npgettext"})
_SITE_SETTINGS = frozenset({"title", "description", "language", "author", "url", "base"})
# Of these the site notes what is asked of it.
_ASKED_OF_SITE = frozenset({"collection"})
_METHODS = frozenset(dir(MappingProxyType))


def trace(site: Site, route: Route, noted: Iterable[str] = ()) -> tuple[str, ...]:
    """Gives the keys of all that a page was made from, the same for the same site on every machine."""
    resource = site.resources[route.source]
    keys = {SETTINGS, *noted, *_static(site, resource)}
    return (EVERYTHING,) if EVERYTHING in keys else tuple(sorted(keys))


def every_key(site: Site, route: Route, noted: Iterable[str] = ()) -> frozenset[str]:
    """Gives the keys one by one, also where EVERYTHING is among them: what a page is known to be made from."""
    resource = site.resources[route.source]
    templates = _of_templates(site, resource.closure) if resource.closure is not None else ()
    return frozenset({SETTINGS, *noted, *route.files, *templates, *_static(site, resource)})


def _static(site: Site, resource: Resource) -> Iterator[str]:
    around = (site.middleware and not resource.guard) or site.settings.plugins
    if resource.module is not None or resource.source is None or around:
        yield EVERYTHING
        return
    yield resource.source.file
    if resource.closure is not None:
        yield from _of_templates(site, resource.closure)


def _of_templates(site: Site, closure: Closure) -> Iterator[str]:
    if closure.dynamic:
        yield EVERYTHING
    for template in closure.templates:
        yield template
        facts = site.templates.facts(template)
        assert facts is not None
        yield from (reference.template for reference in facts.references)
        yield from (_of_read(name, what) for name, what in facts.reads)
    for name in closure.names - _OWN:
        if name in _CATALOGUES:
            yield _LOCALES
        elif name in ("asset", "image"):
            yield ASSETS
        elif name == "action":
            yield PYTHON
        elif name not in _NOTED and (name in CONTEXT_NAMES or name in site.templates.environment.globals):
            yield EVERYTHING
        # Any other name is one that a template around has given, made of what that reads; or the entries of `paths`.


def _of_read(name: str, what: str) -> str:
    if name == "data":
        return "data:*" if what == WHOLE or what in _METHODS else f"data:{what}"
    if name == "url_for":
        return ROUTES if what == WHOLE else f"route:{what}"
    if name == PRIVATE:
        return EVERYTHING
    return SETTINGS if what in _SITE_SETTINGS | _ASKED_OF_SITE else EVERYTHING


def reads(fields: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Gives the fields of entries that a page has read, each with the slugs of the entries, a line for each."""
    return {
        key: "\n".join(["", *slugs, ""]) if len(slugs) <= MOST_TOLD else ALL for key, slugs in sorted(fields.items())
    }


def route_facts(site: Site) -> dict[str, str]:
    """Gives what the pages of a site may know of its routes, by their sources, and of where entries have pages."""
    facts = {
        route.source: f"{route.pattern} {route.kind} {route.prerender} {route.status}" for route in site.router.routes
    }
    for name in site.content.names:
        shown = [f"{listing.route.source} {listing.route.pattern}" for listing in site.listings.showing(name)]
        facts[f"{HOME}{name}"] = f"{site.content.declared(name).trusted} {shown}"
    return facts


def keys_of(changed: Iterable[str]) -> frozenset[str]:
    """Gives all keys that changed files stand for."""
    keys = set(changed)
    if not keys:
        return frozenset()
    for name in list(keys):
        path = PurePosixPath(name)
        if path.suffix == ".py":
            keys.add(PYTHON)
        if path.parts[0] == "data":
            keys |= {"data:*", f"data:{path.stem}"}
        elif path.parts[0] in (_LOCALES, ASSETS):
            keys.add(path.parts[0])
    return frozenset(keys | {EVERYTHING})


def changed_routes(then: Mapping[str, str], now: Mapping[str, str]) -> frozenset[str]:
    """Gives the keys of routes that are others than they were."""
    sources = {source for source in then.keys() | now.keys() if then.get(source) != now.get(source)}
    homes = {source for source in sources if source.startswith(HOME)}
    routes = sources - homes
    return frozenset(homes | {f"route:{source}" for source in routes} | ({ROUTES} if routes else set()))
