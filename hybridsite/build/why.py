"""Why a page was made anew, or that it was kept: the chain from what has changed to the page."""

from __future__ import annotations

from hybridsite.build.kept import Kept
from hybridsite.build.making import identity, place_of_page
from hybridsite.build.plan import PlannedPage
from hybridsite.build.traces import SETTINGS
from hybridsite.errors import BuildError, did_you_mean
from hybridsite.site import Site
from hybridsite.used import ASSETS, EVERYTHING, ROUTES

_MOST_NAMES = 3
_NOUNS = {
    ASSETS: "what lies in assets/",
    ROUTES: "the table of routes",
    "python": "the Python of the site",
    "data:*": "what lies in data/",
}


def explain(site: Site, pages: list[PlannedPage], kept: Kept, url: str, reason: str) -> str:
    """Tells of the page at `url` why it was made anew. `reason` says why nothing is kept, where that is so.

    Raises BuildError where there is no such page.
    """
    wanted = url.strip("/")
    page = next((page for page in pages if page.url.strip("/") == wanted), None)
    if page is None:
        mend = did_you_mean(url, [page.url for page in pages]) or "`hybridsite routes` lists them"
        raise BuildError(f"no prerendered page is at {url}", mend=mend)
    if reason:
        return f"{page.url} was made anew: {reason}"
    made = kept.made.get(place_of_page(site, page))
    if made is None:
        return f"{page.url} was made anew: the last build had no such page"
    if made.page != identity(site, page):
        return f"{page.url} was made anew: another file, module or middleware makes it than before"
    stale = kept.stale(made)
    if not stale:
        return f"{page.url} was kept: nothing that it was made from has changed ({', '.join(made.trace)})"
    return "\n".join(f"{page.url} was made anew: {_cause(site, page, kept, key)}" for key in stale)


def reason_of(site: Site, page: PlannedPage, kept: Kept, reason: str) -> str:
    """Says in a few words why a page was made anew; "" where nothing that it was made from has changed."""
    if reason:
        return reason
    made = kept.made.get(place_of_page(site, page))
    if made is None:
        return "the last build had no such page"
    if made.page != identity(site, page):
        return "another file, module or middleware makes it"
    stale = [name for key in kept.stale(made) for name in (kept.names if key == EVERYTHING else (key,))]
    return f"{', '.join(stale[:_MOST_NAMES])}{' …' if len(stale) > _MOST_NAMES else ''} changed" if stale else ""


def _cause(site: Site, page: PlannedPage, kept: Kept, key: str) -> str:
    source = page.match.route.source
    if key == EVERYTHING:
        named = ", ".join(kept.names[:_MOST_NAMES]) + (" …" if len(kept.names) > _MOST_NAMES else "")
        return f"{named} changed, and {source} runs Python of the site, or reads what no build can follow"
    if key in (source, SETTINGS):
        return f"{key} changed"
    if key.startswith("data:") and key not in _NOUNS:
        return f"data.{key[5:]} changed"
    if key.startswith("route:"):
        return f"the route of {key[6:]} changed, whose URL the page asks for"
    way = _way(site, site.resources[source].template or source, key)
    return f"{_NOUNS.get(key, key)} changed" + (f", which {' → '.join([source, *way])} leads to" if way else "")


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
