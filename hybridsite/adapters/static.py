"""The adapter for hosts that give out files and run nothing: redirects become pages that lead on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from html import escape

from hybridsite.action_table import ACTIONS
from hybridsite.config import setting_locations
from hybridsite.errors import AdapterError, Faults, SiteError, count
from hybridsite.redirects import follow
from hybridsite.routes import Match, Route
from hybridsite.site import Site

_PAGES = (".html", ".htm")


class StaticAdapter:
    """A plain host of files. It can't answer on demand, guard a page, or give a status to a redirect."""

    def check(self, site: Site, faults: Faults) -> None:
        """Adds a fault that lists all that would have to be answered on demand, and one that lists guarded pages."""
        place = setting_locations(site.root).get(("build", "adapter"))
        asked = [
            f"{route.pattern} ({route.source})"
            for route in site.router.routes
            if not route.prerender and route.redirect is None
        ]
        asked += [f"/{ACTIONS}/{name} ({action.place.file})" for name, action in site.actions.items()]
        asked += [f"the island {component}" for component in site.fetched]
        if asked:
            what = f'the adapter "static" can\'t answer on demand, which {count(len(asked), "route")} would have to be'
            mend = 'give the pages prerender: true, take the rest out, or use adapter = "standalone"'
            faults.add(AdapterError(what, why=", ".join(asked), mend=mend, location=place))
        guarded = [resource.route.source for resource in site.resources.values() if resource.guard]
        if guarded:
            what = f'the adapter "static" guards nothing, and {count(len(guarded), "page")} would be given to everybody'
            mend = 'take guard: true out, or use adapter = "standalone"'
            faults.add(AdapterError(what, why=", ".join(guarded), mend=mend, location=place))

    def finish(self, site: Site, taken: Collection[str], write: Callable[[str, bytes], object]) -> Iterator[SiteError]:
        """Writes a page for each redirect, to another language too. Yields those that no page can stand for."""
        for route in site.router.routes:
            if route.redirect is None:
                continue
            file = None if route.parameters else _file(site, route)
            if file is None:
                why = (
                    "a page stands for one address"
                    if route.parameters
                    else "a host goes by the name, which is no page's"
                )
                mend = "write it as a rule of the host"
                what = f"{route.source} is left out of dist/client/"
                yield AdapterError(what, why=why, mend=mend, location=route.location)
            elif file in taken:
                what = f"{route.source} is never taken, since there is {file}"
                yield AdapterError(what, mend="remove the one or the other", location=route.location)
            else:
                write(f"client/{file}", _page(site, follow(site.router, Match(route, {}))).encode())
        for wanted, found in site.languages.lacking(site.router, site.planned or ()):
            file = site.policy.output("page", wanted)
            if file not in taken:  # else it is rendered there
                write(f"client/{file}", _page(site, site.policy.url("page", found)).encode())


def _file(site: Site, route: Route) -> str | None:
    """Gives the file that answers an old address; None where its name would say that it is no page."""
    segments = tuple(part.text for segment in route.segments for part in segment)
    last = segments[-1] if segments else ""
    if last.endswith(_PAGES):
        return "/".join(segments)
    return None if "." in last.strip(".") else site.policy.output("page", segments)


def _page(site: Site, target: str) -> str:
    shown = escape(target)
    whole = escape(site.url + target if target.startswith("/") else target)
    return (
        f'<!doctype html>\n<html lang="{escape(site.language)}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{shown}</title>\n'
        f'<meta name="robots" content="noindex">\n<link rel="canonical" href="{whole}">\n'
        f'<meta http-equiv="refresh" content="0; url={shown}">\n</head>\n'
        f'<body>\n<p><a href="{shown}">{shown}</a></p>\n</body>\n</html>\n'
    )
