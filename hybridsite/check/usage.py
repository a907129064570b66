"""What nobody needs: templates and assets that nothing refers to, and pages that no other page leads to."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from hybridsite.assets.table import FOLDER
from hybridsite.assets.workshop import Workshop
from hybridsite.build.assets import on_demand_templates, quoted_texts
from hybridsite.check.finding import CheckFault
from hybridsite.closures import Closure
from hybridsite.errors import Location
from hybridsite.manifest import server_sources
from hybridsite.site import Site

_PARTS = ("components/", "layouts/")


def unused_files(site: Site) -> Iterator[CheckFault]:
    """Yields the components, layouts and assets that nothing refers to."""
    closures = _closures(site)
    used = {name for closure in closures for name in closure.templates}
    dynamic = any(closure.dynamic for closure in closures)
    words = _words(site, templates=dynamic)
    for name in sorted(site.templates.names()):
        if not name.startswith(_PARTS) or name in used or name in words or name.rpartition("/")[2] in words:
            continue
        noun = "component" if name.startswith("components/") else "layout"
        yield CheckFault("unused-file", f"no page uses this {noun}", mend="delete it", location=Location(name))
    if isinstance(site.assets, Workshop):
        wanted = _assets_of_pages(site)
        for name in sorted(set(site.assets.known()) - site.assets.asked - wanted - words):
            place = Location(f"{FOLDER}/{name}")
            yield CheckFault("unused-file", "nothing refers to this asset", mend="delete it", location=place)


def _closures(site: Site) -> list[Closure]:
    """Gives what every page leads to, and every island on one."""
    closures = [resource.closure for resource in site.resources.values() if resource.closure]
    islands = sorted({component for closure in closures for component in closure.islands})
    return [*closures, *(site.templates.closure(component, in_place=True) for component in islands)]


def _assets_of_pages(site: Site) -> set[str]:
    """Gives the assets that templates name, also on ways that were not taken."""
    templates = {name for closure in _closures(site) for name in closure.templates}
    calls = [
        call
        for name in templates.union(on_demand_templates(site))
        if (found := site.templates.facts(name))
        for call in found.assets
        if call.exact or call.name
    ]
    return {name for name in site.assets.names() if any(call.may_mean(name) for call in calls)}


def _words(site: Site, *, templates: bool) -> set[str]:
    """Gives the texts in the site's Python files, and in its templates where one names another by a variable."""
    words: set[str] = set()
    for file in server_sources(site.root):
        if file.endswith(".py") or (templates and file in site.templates.names()):
            text = (site.root / file).read_text("utf-8", errors="replace")
            words |= quoted_texts(text)
    return words


def orphans(site: Site, led_to: Collection[str], pages: Collection[tuple[str, str]]) -> Iterator[CheckFault]:
    """Yields the pages that nothing leads to. `pages` are URLs with their files, `led_to` URLs, or files on demand."""
    known = set(led_to)
    words = _words(site, templates=True)
    home = site.policy.url("page", ())
    for url, source in sorted(pages):
        if url in known or source in known or url == home or source in words or url in words:
            continue
        yield CheckFault(
            "orphan-page",
            f"no page leads to {url}",
            why="a visitor can't find it",
            mend="link to it, or delete it",
            location=Location(source),
        )
