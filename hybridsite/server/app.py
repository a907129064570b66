"""create_app(): a built site as an ASGI application."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Awaitable, Container, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from hybridsite.answers import FileAnswer
from hybridsite.assets.previous import kept_assets
from hybridsite.caching import answered
from hybridsite.given import GivenFile
from hybridsite.island_table import kept_uses
from hybridsite.manifest import read_manifest
from hybridsite.places import is_dist, state_folder
from hybridsite.rendering import respond
from hybridsite.security import forwarded
from hybridsite.server.door import host_name, is_refused
from hybridsite.server.islands import answered_islands
from hybridsite.server.state import make_cache, make_sessions, own_memory
from hybridsite.server.static import FileIndex
from hybridsite.site import Mode, Site, load_site, named
from hybridsite.urls import PathRefused, RequestPath, UrlPolicy

_log = logging.getLogger("hybridsite")

HEALTH = b"/healthz"
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


class App:
    """A site with its files. These are answered from the index alone; all else goes through render()."""

    def __init__(self, site: Site, index: Index) -> None:
        self._site = site
        self._cache = site.cache
        self._files = index.files
        self._segments = index.segments(site.policy)
        self._hosts = frozenset(name.casefold() for name in site.settings.server.allowed_hosts)
        self._read = lru_cache(maxsize=1024)(site.policy.read)  # most requests are for the same paths

    @property
    def site(self) -> Site:
        """The site that is answered from."""
        return self._site

    @property
    def keeps_pages(self) -> bool:
        """Whether a page of the site may be kept by the cache."""
        return self._cache is not None and any(found.may_be_kept for found in self._site.resources.values())

    @property
    def remembers_islands(self) -> bool:
        """Whether a page that is kept has an island whose props only the process knows that rendered it."""
        uses = kept_uses(self._site.templates, self._site.resources.values())
        return self._cache is not None and any(use.constants is None for use in uses)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speaks ASGI 3."""
        if scope["type"] == "http":
            if is_refused(scope) or (self._hosts and host_name(scope) not in self._hosts):
                await _BAD_REQUEST(scope, receive, send)
                return
            raw = scope.get("raw_path") or scope["path"].encode()
            file = self._files.get(raw)
            if file is not None and scope["method"] in ("GET", "HEAD"):
                await file.send(scope, receive, send)
            elif self._cache is None or not await answered(self._cache, raw, scope, send):
                await self._respond(raw, scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            if self._site.sessions is not None:
                await self._site.sessions.start()
            if self._site.cache is not None:
                await self._site.cache.start()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        self._site.notices.listen(lambda fault: _log.error("%s", fault))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._site.cache is not None:
            await self._site.cache.stop()
        if self._site.sessions is not None:
            await self._site.sessions.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _respond(self, raw: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers what no URL of a file matched as it was sent: another spelling or form of one, or no file at all."""
        if raw == HEALTH and next(self._site.router.match(("healthz",)), None) is None:
            await PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})(scope, receive, send)
            return
        try:
            path = self._read(raw)
        except PathRefused:
            path = None
        if path is not None and path.segments in self._segments and scope["method"] in ("GET", "HEAD"):
            for slash in (path.slash, not path.slash):
                url = self._site.policy.url("page", path.segments, slash=slash)
                file = self._files.get(url.encode("ascii"))
                if file is not None and slash == path.slash:
                    await file.send(scope, receive, send)
                    return
                if file is not None:
                    query = scope.get("query_string", b"").decode("latin-1")
                    to = url + (f"?{query}" if query else "")
                    await Response(status_code=308, headers={"Location": to})(scope, receive, send)
                    return
        await self._render(path, scope, receive, send)

    async def _render(self, path: RequestPath | None, scope: Scope, receive: Receive, send: Send) -> None:
        server = self._site.settings.server
        peer = scope["client"][0] if scope.get("client") else None
        scheme, client = forwarded(scope["headers"], peer, server.proxies)
        if scheme or client:
            scope = {**scope, "scheme": scheme or scope["scheme"], "client": (client, 0) if client else scope["client"]}
        request = Request(scope, _limited(receive, scope, self._site.settings.security.max_body))
        try:
            response = await self._answer(request, path)
            if scope["method"] == "HEAD" and not isinstance(response, FileAnswer):
                response = _without_body(response)
            await response(scope, receive, send)
        finally:
            if scope["method"] not in ("GET", "HEAD"):
                await request.close()

    def _answer(self, request: Request, path: RequestPath | None) -> Awaitable[Response]:
        return respond(self._site, request, path)


def _without_body(response: Response) -> Response:
    bare = Response(status_code=response.status_code, background=response.background)
    bare.raw_headers = response.raw_headers
    return bare


def _limited(receive: Receive, scope: Scope, limit: int) -> Receive:
    """Counts a body as it arrives, chunked ones too; over the limit the request is answered 413."""
    received = 0

    async def counting() -> Message:
        nonlocal received
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        declared = int(length) if length.isdigit() and len(length) < 20 else limit + 1
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit or declared > limit:
            raise HTTPException(413)
        return message

    return counting


def create_app(place: str | Path, *, environ: Mapping[str, str] | None = None, alone: bool = False) -> App:
    """Makes the ASGI application of a built site. `place` is the site's folder, or its dist/.

    With `alone`, sessions and kept answers are in the memory of this process, whatever drivers the settings name.
    Its store is opened by the server's lifespan. Raises SiteError where the site isn't built, its settings don't
    hold, or its secret is none.
    """
    import os

    environ = os.environ if environ is None else environ
    place = Path(place)
    dist = place if is_dist(place) else place / "dist"
    manifest = read_manifest(dist)
    mode = Mode(prerendering=False, drafts=manifest.drafts, alone=alone)
    site = load_site(dist / "server", mode, environ=environ, assets=manifest.assets)
    if alone:
        site = replace(site, settings=own_memory(site.settings))
    index = FileIndex.load(manifest, dist, kept_assets(state_folder(place, environ), site.policy, time.time()))
    guarded = frozenset(
        site.policy.read(url.encode()).segments for url, file in index.built.items() if file.guard is not None
    )
    state = state_folder(place, environ)
    sessions = make_sessions(site.settings, state, environ)
    cache = make_cache(site.settings, hashlib.sha256(manifest.to_json()).hexdigest()[:32], environ)
    site = replace(site, built=index.built, guarded=guarded, error_files=index.errors, sessions=sessions, cache=cache)
    return App(named(replace(site, islands=answered_islands(site, manifest, state, environ))), index)
