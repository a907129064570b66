"""The adapter for hosts that give out files and run nothing: redirects become pages that lead on."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from hybridsite.adapters.adapter import Adapter, Host, HostedBuild
from hybridsite.errors import AdapterError, SiteError
from hybridsite.settings import Settings

if TYPE_CHECKING:
    from hybridsite.routes import Route
    from hybridsite.site import Site

_PAGES = (".html", ".htm")


class StaticAdapter(Adapter):
    """A plain host of files. It can't answer on demand, guard a page, or give a status to a redirect."""

    def host(self, settings: Settings) -> Host:
        """Tells that nothing runs there."""
        return Host(answers=False, mend='use adapter = "standalone"')

    def finish(self, build: HostedBuild) -> Iterator[SiteError]:
        """Writes a page for each redirect, to another language too. Yields those that no page can stand for."""
        from hybridsite.adapters.webservers import write_web_servers
        from hybridsite.redirects import follow
        from hybridsite.routes import Match

        site: Site = build.site
        write_web_servers(build, None)
        taken = {file.file for file in build.files}
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
                build.write(f"client/{file}", _page(site, follow(site.router, Match(route, {}))))
        for wanted, found in site.languages.lacking(site.router, site.planned or ()):
            file = site.policy.output("page", wanted)
            if file not in taken:  # else it is rendered there
                build.write(f"client/{file}", _page(site, site.policy.url("page", found)))


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
