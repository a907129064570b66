"""Where the links of a built site lead: to its files, to what a server answers, or to nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urljoin, urlsplit

from hybridsite.check.finding import CheckFault
from hybridsite.check.markup import Link, PageMarkup
from hybridsite.errors import did_you_mean
from hybridsite.redirects import follow
from hybridsite.routes import Match, read_route
from hybridsite.routing import Router
from hybridsite.site import Site
from hybridsite.urls import PathRefused

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_ASSET_TAGS = frozenset(
    {
        *("audio", "embed", "iframe", "image", "img", "input", "link", "object", "script", "source", "track"),
        *("use", "video"),
    }
)
_STEPS = 10


@dataclass(frozen=True, slots=True)
class BuiltPage:
    """A page that was built: its URL's path, the file that it was made from, what it holds, and its name in dist/.

    The path of an error page is that of the home page: it is shown anywhere, and no link leads to it. `entry` is the
    file of the entry that the page is for.
    """

    url: str
    source: str
    markup: PageMarkup
    file: str = ""
    is_error: bool = False
    entry: str = ""


@dataclass(slots=True)
class LinkTable:
    """What there is to link to. `urls` are the paths of all files; `led_to` fills with what links lead to."""

    site: Site
    urls: frozenset[str]
    pages: Mapping[str, BuiltPage]
    unknown: frozenset[str] = frozenset()
    broken: Router | None = None
    led_to: set[str] = field(default_factory=set)
    external: dict[str, tuple[BuiltPage, Link]] = field(default_factory=dict)

    def check(self, page: BuiltPage, link: Link) -> CheckFault | None:
        """Follows a link of a page. What is wrong has no place yet."""
        target = self._absolute(page, link)
        if target is None:
            return None
        path, fragment = target
        fault = self._path(page, path, link)
        if fault is not None or not fragment:
            return fault
        return self._anchor(self._file_of(path), fragment, link)

    def leads(self, path: str) -> str | None:
        """Gives why a path leads to nothing, or None where something answers; notes what it leads to."""
        for _ in range(_STEPS):
            known = self._file_of(path)
            if known is not None or path in self.unknown:
                self.led_to.add(known or path)
                return None
            try:
                read = self.site.policy.read(path.encode("ascii", "replace"))
            except PathRefused:
                base = self.site.base
                outside = base and not path.startswith(f"{base}/") and path != base
                return f"it lies outside of the site's base {base}" if outside else "it is no path of a site"
            if self.broken is not None and next(self.broken.match(read.segments), None) is not None:
                return None  # what that page is at fault for is told, and this would be another for the same cause
            match = self._answering(read.segments)
            if match is None:
                to = self.site.stand_in(read.segments)
                if to is None:
                    return self._no_answer(path)
                path = to
                continue
            if match.route.redirect is None:
                self.led_to.add(match.route.source)
                return None
            path = follow(self.site.router, match)
            if not path.startswith("/") or path.startswith("//"):
                return None
            path = re.split(r"[?#]", path, maxsplit=1)[0]
        return "its redirects don't end"

    def _answering(self, segments: tuple[str, ...]) -> Match | None:
        if segments[:1] == ("_actions",):
            action = self.site.actions.get(segments[1]) if len(segments) == 2 else None
            return Match(action.resource.route, {}) if action else None
        return next((match for match in self.site.router.match(segments) if not match.route.prerender), None)

    def _no_answer(self, path: str) -> str:
        last = path.strip("/").rpartition("/")[2]
        draft = next((file for file in sorted(self.site.drafts) if last and last in file), None)
        return f"{draft} is a draft" if draft else "nothing answers there"

    def _file_of(self, path: str) -> str | None:
        """Gives the URL by which a file is known that answers a path, in whichever form."""
        for form in (path, f"{path}/", path.rstrip("/")):
            if form in self.urls:
                return form
        try:
            read = self.site.policy.read(path.encode("ascii", "replace"))
        except PathRefused:
            return None
        forms = (self.site.policy.url("page", read.segments, slash=slash) for slash in (read.slash, not read.slash))
        return next((form for form in forms if form in self.urls), None)

    def _absolute(self, page: BuiltPage, link: Link) -> tuple[str, str] | None:
        """Gives the path and the fragment of a link into the site; None for one that leads elsewhere."""
        url = link.url
        own = self.site.url
        if own and (url == own or url.startswith((f"{own}/", f"{own}?", f"{own}#"))):
            url = url[len(own) :] or "/"
        if url.startswith("//") or _SCHEME.match(url):
            if url.startswith(("http://", "https://", "//")):
                self.external.setdefault(url.partition("#")[0], (page, link))
            return None
        try:
            parts = urlsplit(urljoin(urljoin(page.url, page.markup.base), url))
        except ValueError:
            return url, ""
        if parts.netloc:
            return None
        return parts.path or "/", parts.fragment

    def _path(self, page: BuiltPage, path: str, link: Link) -> CheckFault | None:
        why = self.leads(_escaped(path))
        if why is None:
            return None
        shown = f'"{link.url}"' if link.url == path else f'"{link.url}" ({path})'
        noun = "the file" if link.tag in _ASSET_TAGS else "the form's address" if link.tag == "form" else "the link"
        base = self.site.base
        if base and self.leads(_escaped(base + path)) is None:
            mend = f'write "{base}{path}", or use url_for()'
        else:
            mend = did_you_mean(path, sorted(self.urls)) or "mend it, or take it out"
        return CheckFault("broken-link", f"{noun} {shown} leads to nothing", why=why, mend=mend)

    def _anchor(self, url: str | None, fragment: str, link: Link) -> CheckFault | None:
        target = self.pages.get(url or "")
        wanted = unquote(fragment).partition(":~:")[0]
        # HTML, 7.4.6.3: "top" is the top of every page.
        if target is None or not wanted or wanted in target.markup.ids or wanted.lower() == "top":
            return None
        if fragment in target.markup.ids:
            return None
        why = f'{target.source} has no element with the id "{wanted}"'
        mend = did_you_mean(wanted, target.markup.ids) or "mend it, or give the place that id"
        return CheckFault("broken-anchor", f'the link "{link.url}" leads to no part of the page', why=why, mend=mend)


def _escaped(path: str) -> str:
    """Gives a path as a browser sends it."""
    return "".join(letter if letter.isascii() else "".join(f"%{b:02X}" for b in letter.encode()) for letter in path)


def link_table(site: Site, urls: Iterable[str], pages: Iterable[BuiltPage], unknown: Iterable[str]) -> LinkTable:
    """Makes the table of a built site. `unknown` are URLs of pages that were planned, and could not be built."""
    routes = [route for file in sorted(site.broken) if (route := read_route(file)) is not None]
    return LinkTable(
        site,
        frozenset(urls),
        {page.url: page for page in pages if not page.is_error},
        frozenset(unknown),
        Router(routes, site.policy) if routes else None,
    )
