"""[prefetch]: the rules by which a browser fetches pages before they are asked for, never one that is a visitor's own.

The rules are a file of their own (HTML, "Speculation rules"), which each page names in a header, so no page carries
them and no policy has to allow a script. What isn't known to be the same for all visitors is not fetched ahead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from hybridsite.manifest import BuiltFile
from hybridsite.routes import PREFETCH, Part, Route, Segment
from hybridsite.site import Site

HEADER: Final = "speculation-rules"
SUFFIX: Final = ".speculationrules"
"""Ends the name of the file, so that hosts that go by names give it no other type."""

_EAGERNESS: Final = {"hover": "moderate", "visible": "eager"}
_SPECIAL = re.compile(r"[+*?:{}()\\]")  # URL Pattern, 2.2: what is no text in a pattern, but ends or opens a part
_SENT_AS_IT_IS: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@-]+")  # by browsers and by UrlPolicy.url
# An ASCII character that is escaped may be a letter of another route's text: no such address is read by a pattern.
_ESCAPED_ASCII: Final = tuple(f"/*%{digit}*" for digit in "234567")
# What a template may ask of one request. A page with `cache` that does is kept for nobody, so it is nobody's.
_OF_ONE_REQUEST: Final = frozenset(
    {
        *("action_result", "client_address", "cookies", "csp_nonce", "flashes", "locals"),
        *("redirect", "request", "response", "rewrite", "session"),
    }
)

Pattern = dict[str, str]
Condition = dict[str, object]


def told_by(url: str) -> str:
    """Gives the value of the header that names the rules: a structured field's string (RFC 9651, 3.3.3)."""
    return f'"{url}"'


def rules_url(files: Iterable[BuiltFile]) -> str:
    """Gives the URL of the rules that a build wrote, or "" where it wrote none."""
    return next((file.url for file in files if file.file.startswith(f"{PREFETCH}/")), "")


def rules(site: Site, planned: Iterable[tuple[Route, tuple[str, ...]]]) -> bytes:
    """Gives the rules of a site with [prefetch], whose build writes the paths `planned`, each by its route.

    A page without parameters is named by its path, which goes before every route. Those with parameters are given by
    patterns, less all patterns of what is no page, or a visitor's own: a path that both match is not fetched.
    """
    shared = {route for route in site.router.routes if _is_everybodys(site, route)}
    exact = {segments for route, segments in planned if route in shared and not route.parameters}
    exact |= {site.router.fill(route, {}) for route in shared if not route.parameters}
    patterns = sorted({_pattern(site, route) for route in shared if route.parameters})
    either: list[Condition] = []
    if exact:
        either.append(_matches({"pathname": _exact(site, path), "search": ""} for path in sorted(exact)))
    if patterns and not _misses_are_own(site):
        denied = sorted(set(_denied(site, shared)))
        others = _matches({"pathname": pattern} for pattern in denied)
        allowed = _matches({"pathname": pattern, "search": ""} for pattern in patterns)
        either.append({"and": [allowed, {"not": others}]})
    rule = {"where": {"or": either}, "eagerness": _EAGERNESS[site.settings.prefetch.when]}
    return json.dumps({"prefetch": [rule] if either else []}, separators=(",", ":")).encode() + b"\n"


def _is_everybodys(site: Site, route: Route) -> bool:
    """Tells whether a route answers all visitors alike: by files, or by answers that are kept for all of them."""
    if route.kind != "page" or route.redirect is not None:
        return False
    resource = site.resources[route.source]
    if resource.prerender:
        return not resource.guard
    asks = resource.closure is not None and not resource.closure.names.isdisjoint(_OF_ONE_REQUEST)
    return resource.is_kept and not (site.middleware or resource.may_use_session or asks)


def _misses_are_own(site: Site) -> bool:
    """Tells whether the page for what isn't there may use the session: a pattern matches such paths, too."""
    errors = [own[404] for own in site.router.errors_in.values() if 404 in own]
    return any(not error.prerender and site.resources[error.source].may_use_session for error in errors)


def _denied(site: Site, shared: Iterable[Route]) -> Iterator[str]:
    """Yields the patterns of what is never fetched ahead, in both forms of their paths."""
    yield f"{_plain(site.base)}/_*"
    yield from _ESCAPED_ASCII
    if site.policy.trailing_slash != "always":
        yield "/*.*"  # a file, which may be large
    known = set(shared)
    for route in site.router.routes:
        if route in known or route.kind == "error":
            continue
        for segments in {route.segments, *_in_other_languages(site, route.segments)}:
            path = _widened(site, segments)
            yield path if path.endswith("{/*}?") else f"{path.rstrip('/')}{{/}}?"


def _in_other_languages(site: Site, segments: tuple[Segment, ...]) -> Iterator[tuple[Segment, ...]]:
    """Yields where a path may lead to a route because a language lacks the page."""
    if site.languages.fallback:
        first = segments[0] if segments else ()
        is_locale = len(first) == 1 and (first[0].kind == "param" or first[0].text in site.languages.locales)
        for rest in (segments, segments[1:]) if is_locale else (segments,):
            yield rest
            yield from (((Part(locale, "text"),), *rest) for locale in site.languages.locales)


def _pattern(site: Site, route: Route) -> str:
    """Gives the pattern of a route's addresses, in the form that doesn't redirect."""
    path = _widened(site, route.segments)
    slash = site.policy.has_slash(route.kind, ("a",))
    return f"{path}/" if slash is not False else path


def _widened(site: Site, segments: Sequence[Segment]) -> str:
    """Gives a pattern that matches all addresses of a route, however they are spelt, and may match more.

    A segment of text and parameters is any segment. So is text that a browser and a server escape each in its own way;
    text beyond ASCII is any segment with an escape, which each of its spellings has.
    """
    path = _plain(site.base)
    for number, segment in enumerate(segments):
        if any(part.kind == "rest" for part in segment):
            return f"{path}{{/*}}?"
        text = "".join(part.text for part in segment) if all(part.kind == "text" for part in segment) else ""
        if _SENT_AS_IT_IS.fullmatch(text):
            path += f"/{_plain(text)}"
        elif not text.isascii():
            path += f"/{{:a{number}}}?%{{:b{number}}}?"
        else:
            path += f"/:p{number}"
    return path or "/"


def _exact(site: Site, path: tuple[str, ...]) -> str:
    return _plain(site.policy.url("page", path))


def _plain(text: str) -> str:
    """Gives text as a pattern that matches it alone."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def _matches(patterns: Iterable[Pattern]) -> Condition:
    return {"href_matches": list(patterns)}
