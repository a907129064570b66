"""What a build would write, without a build: pages, copies and assets by their URLs, made when they are asked for."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from hybridsite.answers import SAFE_HEADERS
from hybridsite.assets.table import FOLDER, IMMUTABLE
from hybridsite.assets.workshop import Workshop
from hybridsite.build.headers import sent_with
from hybridsite.build.making import rendered
from hybridsite.build.plan import PlannedPage, matches
from hybridsite.errors import SiteError, SiteErrors
from hybridsite.files import copied_files
from hybridsite.given import ErrorFile, GivenFile
from hybridsite.island_client import HEADERS, script, script_path
from hybridsite.media import media_type
from hybridsite.rendering import Failed
from hybridsite.resources import check_paths
from hybridsite.routes import Match, Route
from hybridsite.site import Site
from hybridsite.urls import PathRefused, UrlPolicy

Header = tuple[bytes, bytes]
Segments = tuple[str, ...]
Paths = Mapping[Segments, Match]

# An author's browser asks each time; what it may keep is what has its hash in its name.
_NO_STORE = ("cache-control", "no-store")
_HASHED = re.compile(r"(.+)\.[0-9a-f]{16}(\.[^.]+(?:\.map)?)?")


class Content:
    """A body with its headers: one that was made, or a file of the disk. Anybody may have it, unless it has a guard."""

    guard: str | None = None
    is_streamed = False

    def __init__(self, body: bytes | Path, kind: str, headers: Sequence[tuple[str, str]]) -> None:
        names = {name.lower() for name, _ in headers}
        own = [*headers, *([] if "cache-control" in names else [_NO_STORE])]
        pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in own]
        safe = [pair for pair in SAFE_HEADERS if pair[0].decode() not in names]
        self.headers: Sequence[Header] = ((b"content-type", kind.encode("latin-1")), *pairs, *safe)
        self.body = body

    async def opened(self) -> GivenFile:
        """Gives itself: it is there."""
        return self

    async def is_replaced(self) -> bool:
        """Tells that it isn't: it was made just now."""
        return False

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers GET and HEAD, and ranges of what lies on the disk."""
        response: Response
        if isinstance(self.body, Path):
            response = FileResponse(self.body)
        else:
            response = Response(b"" if scope["method"] == "HEAD" else self.body)
            response.headers["content-length"] = str(len(self.body))
        names = {name for name, _ in self.headers}
        response.raw_headers = [*(pair for pair in response.raw_headers if pair[0] not in names), *self.headers]
        await response(scope, receive, send)


class Made:
    """A file that is made when it is asked for; what goes wrong is told where the file would stand."""

    headers: Sequence[Header] = ()
    is_streamed = False

    def __init__(self, site: Site, make: Callable[[], Awaitable[Content]], failed: Failed, guard: str | None) -> None:
        self.guard = guard
        self._site = site
        self._make = make
        self._failed = failed

    async def opened(self) -> GivenFile:
        """Makes it. Raises SiteError, or whatever the site's code raised."""
        return await self._make()

    async def is_replaced(self) -> bool:
        """Tells that it isn't: it is made of what is there."""
        return False

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers GET and HEAD."""
        try:
            file: GivenFile = await self._make()
        except Exception as error:
            await self._failed(self._site, Request(scope), error)(scope, receive, send)
            return
        await file.send(scope, receive, send)


async def _raise(error: Exception) -> Content:
    raise error


class LiveFiles(Mapping[str, GivenFile]):
    """The files of the site by their URLs, as an index of built ones has them. `site` renders as a build does."""

    def __init__(self, site: Site, paths: Mapping[str, Paths | Exception], failed: Failed) -> None:
        self._site = site
        self._paths = paths
        self._failed = failed
        self._copies = _copies(site)
        self._client = site.policy.url("file", script_path())
        self.added: dict[str, GivenFile] = {}

    def __getitem__(self, url: str) -> GivenFile:
        """Finds the file of a URL. Raises KeyError."""
        found = self._page(url) or self._copy(url) or self._asset(url) or self.added.get(url)
        if found is None and url == self._client:
            found = Content(script(), media_type(url), HEADERS)
        if found is None:
            raise KeyError(url)
        return found

    def __iter__(self) -> Iterator[str]:
        """Yields nothing: what there is, is found by asking for it."""
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True

    def _page(self, url: str) -> GivenFile | None:
        try:
            segments = self._site.policy.read(url.encode("ascii")).segments
        except (PathRefused, UnicodeEncodeError):
            return None
        try:
            match = self._match(segments) or self._standing_in(segments)
        except Exception as error:  # of paths(), say: told to whoever asks for a page that it may have given
            return Made(self._site, partial(_raise, error), self._failed, None)
        if match is None:
            return None
        kind, policy = match.route.kind, self._site.policy
        both = policy.has_slash(kind, segments) is None
        if url not in (policy.url(kind, segments, slash=slash) for slash in ((True, False) if both else (None,))):
            return None
        guard = match.route.source if self._site.resources[match.route.source].guard else None
        return Made(self._site, lambda: self.rendered(match, segments), self._failed, guard)

    def route_of(self, segments: Segments) -> Route | None:
        """Gives the route of the prerendered page that has a path, or None. Raises what its `paths` raised."""
        match = self._match(segments)
        return match.route if match else None

    def pages(self, route: Route) -> Iterator[str]:
        """Yields the URLs of a prerendered route's pages. Raises SiteError, and what its `paths` raised."""
        policy, listing = self._site.policy, self._site.listings.of(route)
        given = self._paths.get(route.source, {})
        if isinstance(given, Exception):
            raise given
        if not route.parameters:
            yield policy.url(route.kind, self._site.router.fill(route, {}))
        elif listing is not None:
            yield from (self._site.router.url_for(route.source, **params) for params, _ in listing.items())
        else:
            yield from (policy.url(route.kind, segments) for segments in given)

    def _match(self, segments: Segments) -> Match | None:
        """Finds the prerendered page that has a path: the first route that gave it."""
        fault: Exception | None = None
        for match in self._site.router.match(segments):
            if not match.route.prerender:
                continue
            if not match.route.parameters:
                return match
            if listing := self._site.listings.of(match.route):
                props = listing.find(match.params)
                if props is not None:
                    return replace(match, props=props)
                continue
            given = self._paths.get(match.route.source, {})
            if isinstance(given, Exception):
                fault = fault or given
            elif segments in given:
                return given[segments]
        if fault is not None:
            raise fault
        return None

    def _standing_in(self, segments: Segments) -> Match | None:
        """Finds the page that is rendered for a language which lacks it, where nothing else answers at the path."""
        languages, router = self._site.languages, self._site.router
        if not (languages.renders and segments and segments[0] in languages.fallback):
            return None
        if next(router.match(segments), None) is not None:
            return None
        found = (match for path in languages.stand_ins(segments) if (match := self._match(path)) is not None)
        match = next((match for match in found if match.route.kind == "page"), None)
        return match if match is not None and self._site.is_rendered(match.route) else None

    def add_fault(self, url: str, error: Exception) -> None:
        """Lets a URL tell what keeps its file from being made."""
        self.added[url] = Made(self._site, partial(_raise, error), self._failed, None)

    def forget_fault(self, url: str) -> None:
        """Forgets what was wrong with a file that is added."""
        if isinstance(self.added.get(url), Made):
            del self.added[url]

    async def rendered(self, match: Match, segments: Segments) -> Content:
        """Renders a page as a build does, with its checks and headers. Raises SiteError and SiteErrors."""
        given = await rendered(self._site, PlannedPage.of(self._site, match, segments))
        return Content(given.body, given.type, [pair for pair in given.headers if pair[0].lower() != "cache-control"])

    async def error_page(self, match: Match) -> ErrorFile:
        """Renders an error page that is the same for all visitors. Raises SiteError and SiteErrors."""
        content = await self.rendered(match, ())
        assert isinstance(content.body, bytes)
        kept = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in content.headers]
        safe = {name.decode() for name, _ in SAFE_HEADERS}
        own = tuple(pair for pair in kept if pair[0] not in safe | {"content-type", "cache-control"})
        return ErrorFile(content.body, own)

    def _copy(self, url: str) -> GivenFile | None:
        found = self._copies.get(url)
        if found is None:
            return None
        segments, path = found
        kind = media_type(path.name)
        body = path.read_bytes() if kind.startswith("text/html") and path.is_file() else b""
        kind, headers = sent_with(self._site, segments, kind, body)
        return Content(body or path, kind, headers) if path.is_file() else None

    def _asset(self, url: str) -> GivenFile | None:
        """Finds an asset by the name that has its hash; another hash gives what the asset is now."""
        workshop, place = self._site.assets, self._site.policy.url("page", (FOLDER,), slash=True)
        if not isinstance(workshop, Workshop) or not url.startswith(place):
            return None
        segments = self._site.policy.read(url.encode("ascii")).segments
        hashed = _HASHED.fullmatch("/".join(segments[1:]))
        if hashed is None or workshop.source_of(hashed[1], hashed[2] or "") is None:
            return None

        async def make() -> Content:
            made = await asyncio.to_thread(workshop.make, hashed[1], hashed[2] or "")
            is_same = made.file == "/".join(segments)
            own = (IMMUTABLE,) if is_same else (_NO_STORE,)
            body = made.content if isinstance(made.content, bytes) else b""
            kind, headers = sent_with(self._site, segments, made.type, body, own)
            return Content(made.content, kind, headers)

        return Made(self._site, make, self._failed, None)


class ByBytes(Mapping[bytes, GivenFile]):
    """The files that everybody may have, by their URLs as they are sent."""

    def __init__(self, files: LiveFiles) -> None:
        self._files = files

    def __getitem__(self, raw: bytes) -> GivenFile:
        """Finds the file of a URL. Raises KeyError."""
        file = self._files.get(raw.decode("ascii")) if raw.isascii() else None
        if file is None or file.guard is not None:
            raise KeyError(raw)
        return file

    def __iter__(self) -> Iterator[bytes]:
        return iter(())

    def __len__(self) -> int:
        return 0


class LiveIndex:
    """The files as an App looks them up."""

    def __init__(self, files: LiveFiles) -> None:
        self.files: Mapping[bytes, GivenFile] = ByBytes(files)
        self._files = files

    def segments(self, policy: UrlPolicy) -> _Segments:
        """Gives what tells whether a path, in one form or the other, is that of a file."""
        return _Segments(self._files, policy, guarded=False)


class _Segments:
    """The paths of the files: those with a guard, or those without."""

    def __init__(self, files: LiveFiles, policy: UrlPolicy, *, guarded: bool) -> None:
        self._files = files
        self._policy = policy
        self._guarded = guarded

    def __contains__(self, segments: object) -> bool:
        assert isinstance(segments, tuple)
        urls = (self._policy.url("page", segments, slash=slash) for slash in (True, False))
        found = [file for url in urls if (file := self._files.get(url)) is not None]
        return any((file.guard is not None) is self._guarded for file in found)


def guarded_paths(files: LiveFiles, policy: UrlPolicy) -> _Segments:
    """Gives what tells whether a path is that of a guarded page."""
    return _Segments(files, policy, guarded=True)


async def given_paths(site: Site) -> dict[str, Paths | Exception]:
    """Calls paths() of every prerendered route that has one, and gives what it gave by path, or what it raised."""
    given: dict[str, Paths | Exception] = {}
    for route in site.router.routes:
        if not route.prerender or not route.parameters or site.listings.of(route) is not None:
            continue
        resource = site.resources[route.source]
        try:
            check_paths(resource)
            given[route.source] = {segments: match for match, segments in await matches(site, resource)}
        except (SiteError, SiteErrors) as error:
            given[route.source] = error
    return given


def _copies(site: Site) -> dict[str, tuple[Segments, Path]]:
    """Gives the files that a build copies, by their URLs: index.html as its folder, no dot files but RFC 8615's."""
    found: dict[str, tuple[Segments, Path]] = {}
    for source, name in copied_files(site.root):
        segments = tuple(unicodedata.normalize("NFC", part) for part in name.split("/"))
        hidden = any(part.startswith(".") for part in segments) and segments[0] != ".well-known"
        path = site.root / source
        if hidden or not name.isprintable() or not path.resolve().is_relative_to(site.root):
            continue
        is_page = segments[-1] == "index.html"
        shown = segments[:-1] if is_page else segments
        found[site.policy.url("page" if is_page else "file", shown)] = (shown, path)
    return found
