"""The adapter for Netlify: its CDN gives out the files, and passes on to the origin what is answered on demand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import unquote

from hybridsite.adapters.adapter import SERVER, Adapter, Host, HostedBuild
from hybridsite.errors import SiteError
from hybridsite.settings import Settings

if TYPE_CHECKING:
    from hybridsite.adapters.rules import Rules
    from hybridsite.site import Site

_FILES = Host(
    answers=False, mend='set [build] origin to where `hybridsite serve` answers, such as "https://app.example.com"'
)


def behind(settings: Settings) -> Host:
    """Gives what a CDN offers: the server at the origin, or files alone."""
    return SERVER if settings.build.origin else _FILES


class NetlifyAdapter(Adapter):
    """Netlify reads `_redirects` and `_headers` in the published folder."""

    claims = ("_redirects", "_headers")

    def host(self, settings: Settings) -> Host:
        """Tells what the server at the origin offers; without one, there are files alone."""
        return behind(settings)

    def finish(self, build: HostedBuild) -> Iterator[SiteError]:
        """Writes the rules. Yields the redirects that are never taken, and those that no rule can say."""
        from hybridsite.adapters import underscore
        from hybridsite.adapters.rules import header_rules, rules_of, warnings

        site: Site = build.site
        rules = rules_of(site)
        origin = site.settings.build.origin
        yield from warnings(rules, build.files, has_origin=origin is not None)
        underscore.write_files(build)
        if site.base and "404.html" in {file.file for file in build.files}:
            build.write("cdn/404.html", build.read("client/404.html"))
        underscore.write_redirects(build, _lines(rules, origin), underscore.NETLIFY)
        underscore.write_headers(build, header_rules(build.files, lambda file: file.url), underscore.NETLIFY)


def _spellings(path: str) -> list[str]:
    """Gives a path as it is sent and, where that is another and a line can hold it, as Netlify's own tools read it."""
    plain = unquote(path)
    return [path, plain] if plain != path and not re.search(r"[\s#%]", plain) else [path]


def _lines(rules: Rules, origin: str | None) -> Iterator[str]:
    """Yields the lines of `_redirects`. Netlify takes both forms of a path for one, and a file goes before a rule."""
    from hybridsite.adapters import underscore

    for rule in rules.rules:
        if rule.target is not None and rule.is_sayable:
            yield from underscore.lines(rule, _spellings(underscore.source(rule, rules.base)), underscore.target(rule))
        elif origin is not None:
            # A redirect that no rule can say is the origin's to answer, too.
            wide = rule.widened()
            path = underscore.source(wide, rules.base)
            to = underscore.source(wide, rules.base, slash=rule.slash is not False).replace("/*", "/:splat")
            yield from (f"{spelt} {origin}{to} 200" for spelt in _spellings(path))
    if rules.unknown_to_origin and origin is not None:
        yield f"/* {origin}/:splat 200"
