"""The sitemap: every page of a finished build for search engines (sitemaps.org), from `[sitemap]`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from html import escape
from typing import Any, Final

from hybridsite.dates import moment, zone
from hybridsite.entries import Entry, field
from hybridsite.errors import ConfigError
from hybridsite.features.xml import HEAD, element
from hybridsite.plugins import BuiltPage, FinishedBuild, Plugin, Setup

# sitemaps.org: 50,000 addresses, 50 MB; some room for the head and the end.
MOST_URLS: Final = 50_000
MOST_BYTES: Final = 50 * 2**20 - 1000
_NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"


class Sitemap(Plugin):
    """Adds sitemap.xml to the finished build, split where it is too long for one file."""

    adds = ("sitemap.xml", "sitemap-*.xml")

    def load(self, setup: Setup) -> None:
        """Raises ConfigError, with its line, where [site] url isn't set."""
        if not setup.settings.site.url:
            mend, place = 'set it: url = "https://example.com"', setup.location("sitemap")
            raise ConfigError("[sitemap] needs [site] url", why="it has whole addresses", mend=mend, location=place)

    def built(self, build: FinishedBuild) -> None:
        """Writes sitemap.xml, or sitemap-1.xml and so on with sitemap.xml as their index."""
        for name, body in files(build.site, entries(build)):
            build.add(name, body)


def entries(build: FinishedBuild) -> Iterator[str]:
    """Yields the `<url>` of each page that is listed, in the order of their addresses."""
    site = build.site
    settings, times = site.settings.sitemap, zone(site.settings.site.timezone)
    listed: dict[str, datetime | None] = {}
    for page in build.pages:
        if page.kind == "page" and not (page.guarded or page.stands_in) and True not in _said(page, "noindex"):
            listed[page.url] = _changed(page, times)
    for path in settings.include:
        listed.setdefault(site.base + path, None)
    for url in sorted(listed):
        if not _fits(url.removeprefix(site.base) or "/", settings.exclude):
            changed = listed[url]
            lastmod = element("lastmod", changed.isoformat()) if changed else ""
            yield f"<url>\n{element('loc', site.url + url)}{lastmod}{_alternates(site, url)}</url>\n"


def _alternates(site: Any, url: str) -> str:
    """Gives the page in all of its languages (Google Search Central, "Localized versions")."""
    found = site.alternates(site.policy.read(url.encode("ascii")).segments) if site.languages.locales else ()
    link = '<xhtml:link rel="alternate" hreflang="{}" href="{}"/>\n'
    return "".join(link.format(each.locale, escape(each.href)) for each in found)


def _said(page: BuiltPage, name: str) -> list[Any]:
    """Gives what a page's front matter says, and the entry that it shows."""
    entry = page.props.get("entry")
    return [page.page.get(name), *([field(entry, name)] if isinstance(entry, Entry) else [])]


def _changed(page: BuiltPage, times: Any) -> datetime | None:
    """Gives when a page was changed."""
    found = (moment(value, times) for name in ("updated", "date") for value in _said(page, name))
    return next((when for when in found if when is not None), None)


def _fits(path: str, patterns: Iterable[str]) -> bool:
    return any(path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern for pattern in patterns)


def files(
    site: Any, urls: Iterable[str], *, most: int = MOST_URLS, most_bytes: int = MOST_BYTES
) -> list[tuple[str, str]]:
    """Gives the names and the contents of the files that hold these addresses."""
    parts: list[list[str]] = [[]]
    size = 0
    for url in urls:
        length = len(url.encode())
        if len(parts[-1]) == most or size + length > most_bytes:
            parts.append([])
            size = 0
        parts[-1].append(url)
        size += length
    more = ' xmlns:xhtml="http://www.w3.org/1999/xhtml"' if "<xhtml:" in "".join(map("".join, parts)) else ""
    bodies = [f'{HEAD}<urlset xmlns="{_NAMESPACE}"{more}>\n{"".join(part)}</urlset>\n' for part in parts]
    if len(bodies) == 1:
        return [("sitemap.xml", bodies[0])]
    names = [f"sitemap-{number}.xml" for number in range(1, len(bodies) + 1)]
    places = [element("loc", site.url + site.policy.url("file", (name,))) for name in names]
    index = "".join(f"<sitemap>\n{place}</sitemap>\n" for place in places)
    whole = f'{HEAD}<sitemapindex xmlns="{_NAMESPACE}">\n{index}</sitemapindex>\n'
    return [("sitemap.xml", whole), *zip(names, bodies, strict=True)]
