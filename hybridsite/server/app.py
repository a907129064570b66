"""App: one build of a site, and what answers with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container, Mapping
from functools import lru_cache, partial
from typing import Protocol

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from hybridsite.answers import FileAnswer, error_answer
from hybridsite.assets.table import FOLDER
from hybridsite.caching import answered
from hybridsite.given import GivenFile
from hybridsite.island_table import kept_uses
from hybridsite.rendering import respond
from hybridsite.routes import ISLANDS
from hybridsite.security import Proxies, forwarded
from hybridsite.server.door import host_name, is_refused
from hybridsite.server.gate import BUSY, LATE, Gate, Work
from hybridsite.site import Site
from hybridsite.urls import PathRefused, RequestPath, UrlPolicy

HEALTH, READY = b"/healthz", b"/readyz"
PROBES = (HEALTH, READY)
FILE = "(file)"
"""Stands for a pattern where a file is no page."""
HEALTHY = PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})
UNREADY = PlainTextResponse("not ready\n", 503, {"Cache-Control": "no-store", "Retry-After": "1"})
_BAD_REQUEST = PlainTextResponse("Bad Request\n", 400, {"Connection": "close", "X-Content-Type-Options": "nosniff"})


class Index(Protocol):
    """The files that everybody may have, by the raw paths of their URLs."""

    @property
    def files(self) -> Mapping[bytes, GivenFile]:
        """The files."""
        ...

    def segments(self, policy: UrlPolicy) -> Container[tuple[str, ...]]:
        """Gives their paths."""
        ...


Newer = Callable[[], Awaitable["App | None"]]


async def _no_newer() -> App | None:
    return None


class App:
    """One build of a site with its files. These are answered from the index alone; all else goes through render().

    `under_way` is the number of requests whose answers are made, or sent.
    """

    def __init__(self, site: Site, index: Index) -> None:
        self.site = site
        self.under_way = 0
        self._newer: Newer = _no_newer
        # What lies there has a name of its own for ever: one that isn't known may be a newer build's.
        self._lasting = tuple(site.policy.url("page", (name,), slash=True).encode() for name in (FOLDER, ISLANDS))
        self._gate: Gate | None = None
        self._cache = site.cache
        self._files = index.files
        self._segments = index.segments(site.policy)
        self._proxies = Proxies(site.settings.server.proxies)
        self._hosts = frozenset(name.casefold() for name in site.settings.server.allowed_hosts)
        self._read = lru_cache(maxsize=1024)(site.policy.read)  # most requests are for the same paths
        self.pattern = lru_cache(maxsize=4096)(self._pattern)

    def join(self, gate: Gate, newer: Newer) -> None:
        """Stands behind a gate from now on, and in front of what may be newer: `newer` gives that, or None."""
        self._gate, self._newer = gate, newer

    @property
    def keeps_pages(self) -> bool:
        """Whether a page of the site may be kept by the cache."""
        return self._cache is not None and any(found.may_be_kept for found in self.site.resources.values())

    @property
    def remembers_islands(self) -> bool:
        """Whether a page that is kept has an island whose props only the process knows that rendered it."""
        uses = kept_uses(self.site.templates, self.site.resources.values())
        return self._cache is not None and any(use.constants is None for use in uses)

    def has_file(self, raw: bytes) -> bool:
        """Tells whether a path as it was sent is that of a file that everybody may have."""
        return raw in self._files

    def _pattern(self, raw: bytes) -> str:
        """Gives the pattern of the route whose page the build, or the cache, has under a path; else FILE."""
        for match in self.site.router.match(self._read(raw).segments):
            route = match.route
            if route.redirect is None and self.site.resource(route).prerender == self.has_file(raw):
                return route.pattern
        return FILE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if is_refused(scope) or (self._hosts and host_name(scope) not in self._hosts):
            await _BAD_REQUEST(scope, receive, send)
            return
        raw = scope.get("raw_path") or scope["path"].encode()
        file = self._files.get(raw)
        if file is not None and scope["method"] in ("GET", "HEAD"):
            await (file.send if not file.is_streamed else partial(self._send, file))(scope, receive, send)
        elif self._cache is None or not await answered(self._cache, raw, scope, send):
            await self._respond(raw, scope, receive, send)

    async def _send(self, file: GivenFile, scope: Scope, receive: Receive, send: Send) -> None:
        """Gives out a built file; one that is streamed, and is another by now, by the build that it is of."""
        if file.is_streamed and await file.is_replaced() and (newer := await self._newer()) is not None:
            await newer(scope, receive, send)
        else:
            await file.send(scope, receive, send)

    async def _respond(self, raw: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers what no URL of a file matched as it was sent: another spelling or form of one, or no file at all."""
        if raw in PROBES and next(self.site.router.match((raw[1:].decode(),)), None) is None:
            await (HEALTHY if raw == HEALTH or await self._is_ready() else UNREADY)(scope, receive, send)
            return
        if raw.startswith(self._lasting) and (newer := await self._newer()) is not None:
            await newer(scope, receive, send)
            return
        try:
            path = self._read(raw)
        except PathRefused:
            path = None
        if path is not None and path.segments in self._segments and scope["method"] in ("GET", "HEAD"):
            for slash in (path.slash, not path.slash):
                url = self.site.policy.url("page", path.segments, slash=slash)
                file = self._files.get(url.encode("ascii"))
                if file is not None and slash == path.slash:
                    await self._send(file, scope, receive, send)
                    return
                if file is not None:
                    query = scope.get("query_string", b"").decode("latin-1")
                    to = url + (f"?{query}" if query else "")
                    await Response(status_code=308, headers={"Location": to})(scope, receive, send)
                    return
        await self._render(path, scope, receive, send)

    async def _render(self, path: RequestPath | None, scope: Scope, receive: Receive, send: Send) -> None:
        peer = scope["client"][0] if scope.get("client") else None
        scheme, client = forwarded(scope["headers"], peer, self._proxies)
        if scheme or client:
            scope = {**scope, "scheme": scheme or scope["scheme"], "client": (client, 0) if client else scope["client"]}
        work = None
        if self._gate is not None:
            # A proxy that doesn't say whom it asks for stands for all of them.
            address = client or (None if peer in self._proxies else peer)
            work = self._gate.enter(address, scope, receive, send)
            if work is None:
                await error_answer(self.site, 503, BUSY)(scope, receive, send)
                return
        self.under_way += 1
        request = Request(scope, _limited(receive, scope, self.site.settings.most_body, work))
        try:
            response = await self._worked(request, path, work)
            if response is None:
                return
            is_plain_get = scope["method"] in ("GET", "HEAD")
            if response.status_code == 404 and is_plain_get and (newer := await self._newer()) is not None:
                await newer(scope, receive, send)  # what another process with the new build has shown already
                return
            if scope["method"] == "HEAD" and not isinstance(response, FileAnswer):
                response = _without_body(response)
            await response(scope, receive, send)
        finally:
            self.under_way -= 1
            if scope["method"] not in ("GET", "HEAD"):
                await request.close()

    async def _worked(self, request: Request, path: RequestPath | None, work: Work | None) -> Response | None:
        """Makes the answer to a request; None where it was given up, and is answered already."""
        if work is None or self._gate is None:
            return await self._answer(request, path)
        try:
            response = await self._answer(request, path)
        except asyncio.CancelledError:
            if not work.is_late or work.task is None:
                raise
            work.task.uncancel()
            response = error_answer(self.site, 503, LATE)
        finally:
            self._gate.leave(work)
        return None if work.is_answered else response

    async def _is_ready(self) -> bool:
        """Tells whether what on-demand pages need answers: the store of the sessions."""
        return self.site.sessions is None or await self.site.sessions.answers()

    async def start(self) -> None:
        """Opens what it was made with. Raises what a store says that never can be."""
        if self.site.sessions is not None:
            await self.site.sessions.start()
        if self.site.cache is not None:
            await self.site.cache.start()

    def _answer(self, request: Request, path: RequestPath | None) -> Awaitable[Response]:
        return respond(self.site, request, path)


def _without_body(response: Response) -> Response:
    bare = Response(status_code=response.status_code, background=response.background)
    bare.raw_headers = response.raw_headers
    return bare


def _limited(receive: Receive, scope: Scope, limit: int, work: Work | None) -> Receive:
    """Counts a body as it arrives, chunked ones too; over the limit the request is answered 413."""
    received = 0

    async def counting() -> Message:
        nonlocal received
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        declared = int(length) if length.isdigit() and len(length) < 20 else limit + 1
        message = await (receive() if work is None else work.received(receive))
        received += len(message.get("body", b""))
        if received > limit or declared > limit:
            raise HTTPException(413)
        return message

    return counting
