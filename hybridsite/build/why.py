"""Why a page was made anew, or that it was kept: the chain from what has changed to the page."""

from __future__ import annotations

from collections.abc import Iterator

from hybridsite.build.kept import Kept
from hybridsite.build.making import identity
from hybridsite.build.plan import PlannedPage
from hybridsite.build.store import Made
from hybridsite.build.traces import SETTINGS
from hybridsite.errors import BuildError, count, did_you_mean
from hybridsite.site import Site
from hybridsite.used import ALL, ASSETS, BODY, DRAFT, EVERYTHING, FILE, HOME, LIST, NEAR, ROUTES, URL, WHOLE

_MOST_NAMES = 3
_MOST_PAGES = 10
_NOUNS = {
    ASSETS: "what lies in assets/",
    ROUTES: "the table of routes",
    "python": "the Python of the site",
    "data:*": "what lies in data/",
    "locales": "what lies in locales/",
}
_FIELDS = {
    WHOLE: "the data",
    FILE: "the file",
    DRAFT: "draft",
    BODY: "the body",
    URL: "the URL",
    NEAR: "the neighbours",
}


def explain(site: Site, pages: list[PlannedPage], kept: Kept, url: str, reason: str) -> str:
    """Tells of the page at `url`, or of those of a route by its pattern, why each was made anew, or that it was kept.

    `reason` says why nothing is kept, where that is so. Raises BuildError where there is no such page.
    """
    wanted = url.strip("/")
    found = [page for page in pages if page.url.strip("/") == wanted]
    found = found or [page for page in pages if page.match.route.pattern.strip("/") == wanted]
    if not found:
        raise _no_page(site, pages, url)
    more = len(found) - _MOST_PAGES
    told = [_of_page(site, page, kept, reason) for page in found[:_MOST_PAGES]]
    return "\n".join(told + ([f"{found[0].match.route.pattern} has {count(more, 'more page')}"] if more > 0 else []))


def _no_page(site: Site, pages: list[PlannedPage], url: str) -> BuildError:
    what, wanted = f"no prerendered page is at {url}", url.strip("/")
    for route in site.router.routes:
        if route.pattern.strip("/") == wanted:
            if route.redirect is not None:
                return BuildError(what, why=f"[redirects] leads on from there to {route.redirect.to}")
            if not route.prerender:
                return BuildError(what, why=f"{route.source} is rendered on demand, at each request")
            return BuildError(what, why=f"{route.source} has no pages so far")
    mend = did_you_mean(url, [page.url for page in pages]) or "`hybridsite routes` lists the routes"
    return BuildError(what, mend=mend)


def _of_page(site: Site, page: PlannedPage, kept: Kept, reason: str) -> str:
    causes = [f"{cause}{_led_to(site, page, key)}" for cause, key in _causes(site, page, kept, reason)]
    if causes:
        return "\n".join(f"{page.url} was made anew: {cause}" for cause in causes)
    sources = "; ".join(_made_from(kept.made[page.place]))
    return f"{page.url} was kept: nothing that it was made from has changed ({sources})"


def reason_of(site: Site, page: PlannedPage, kept: Kept, reason: str) -> str:
    """Says in a few words why a page was made anew; "" where nothing that it was made from has changed."""
    causes = [cause for cause, _ in _causes(site, page, kept, reason)]
    return "; ".join(causes[:_MOST_NAMES]) + (" …" if len(causes) > _MOST_NAMES else "")


def _causes(site: Site, page: PlannedPage, kept: Kept, reason: str) -> Iterator[tuple[str, str]]:
    """Yields why a page is made anew, each with the key of what has changed, if that is one."""
    made = kept.made.get(page.place)
    if reason:
        yield reason, ""
    elif made is None:
        yield "the last build had no such page", ""
    elif made.page != identity(site, page):
        yield "another file, module or middleware makes it than before", ""
    else:
        yield from ((_cause(page, kept, key), key) for key in kept.stale(made))
        yield from ((_change(kept, key, slug), "") for key, slug in kept.stale_fields(made))


def _made_from(made: Made) -> Iterator[str]:
    """Tells what a page was made from, in an author's words: files, what the site tells, and what entries have."""
    if files := [key for key in made.trace if _noun(key) == key]:
        yield ", ".join(files)
    yield from (_noun(key) for key in made.trace if _noun(key) != key)
    read: dict[str, list[str]] = {}
    for key, slugs in made.reads.items():
        collection, what = _named(key)
        read.setdefault(_entries(collection, slugs), []).append(what)
    for entries, several in read.items():
        fields = [what for what in several if what not in _FIELDS.values()]
        told = [f"the {'field' if len(fields) == 1 else 'fields'} {_listed(fields)}"] if fields else []
        yield f"{_listed(told + [what for what in several if what in _FIELDS.values()])} of {entries}"


def _listed(names: list[str]) -> str:
    """Gives names as a text does: `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _noun(key: str) -> str:
    """Says what a key stands for; that of a file is its name."""
    kind, _, name = key.partition(":")
    match kind:
        case "everything":
            return "any file of the site, since Python makes it, or what no build can follow"
        case "data" if key not in _NOUNS:
            return f"data.{name}"
        case "list":
            return f"which entries {name} has, in which order"
        case "home":
            return f"where the entries of {name} have their pages"
        case "route":
            return f"the URL of {name}"
    return _NOUNS.get(key, key)


def _entries(collection: str, slugs: str) -> str:
    """Names entries: `blog/first`, `12 entries of blog`."""
    number = slugs.count("\n") - 1
    if slugs == ALL or number > 1:
        return f"{'many' if slugs == ALL else number} entries of {collection}"
    return f"{collection}/{slugs.strip()}"


def _change(kept: Kept, key: str, slug: str) -> str:
    collection, what = _named(key)
    file = kept.file_of(collection, slug)
    return f"{what} of {collection}/{slug} changed" + (f", by {file}" if file in kept.names else "")


def _named(key: str) -> tuple[str, str]:
    """Takes a collection and the name of a field apart, and says the name in words."""
    end = key.rfind("@")
    if end < 0:
        collection, _, name = key.partition(".")
        return collection, name
    return key[:end], _FIELDS[key[end:]]


def _cause(page: PlannedPage, kept: Kept, key: str) -> str:
    source = page.match.route.source
    if key == EVERYTHING:
        named = ", ".join(kept.names[:_MOST_NAMES]) + (" …" if len(kept.names) > _MOST_NAMES else "") or "entries"
        return f"{named} changed, and {source} runs Python of the site, or reads what no build can follow"
    if key in (source, SETTINGS):
        return f"{key} changed"
    if key.startswith("data:") and key not in _NOUNS:
        return f"data.{key[5:]} changed"
    if key.startswith(LIST):
        return f"the entries of {key[len(LIST) :]}, or their order, changed"
    if key.startswith(HOME):
        return f"the page that shows the entries of {key[len(HOME) :]} changed, or whether they are trusted"
    if key.startswith("route:"):
        return f"the route of {key[6:]} changed, whose URL the page asks for"
    return f"{_NOUNS.get(key, key)} changed"


def _led_to(site: Site, page: PlannedPage, key: str) -> str:
    """Says which way a page's template leads to another one; nothing for what is no template, or the page's own."""
    source = page.match.route.source
    way = _way(site, site.resources[source].template or source, key) if key not in ("", source) else []
    return f", which {' → '.join([source, *way])} leads to" if way else ""


def _way(site: Site, start: str, target: str) -> list[str]:
    """Gives the steps from a page's template to another one, the shortest way, each with the line that leads on."""
    ways: list[tuple[str, list[str]]] = [(start, [])]
    seen = {start}
    for name, way in ways:
        facts = site.templates.facts(name)
        for reference in facts.references if facts else ():
            step = [*way, f"{name}:{reference.line}"]
            if reference.template == target:
                return step
            if reference.template not in seen:
                seen.add(reference.template)
                ways.append((reference.template, step))
    return []
