"""The site as an ASGI application for any server: `hybridsite.asgi:app`, its folder taken from HYBRIDSITE_SITE.

It has what `hybridsite serve` needs none of: it starts by itself where nobody runs its lifespan, as in a mount of
Starlette's or FastAPI's, and takes servers that give no raw path.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from starlette.types import Receive, Scope, Send

from hybridsite.errors import SiteError, SiteErrors
from hybridsite.server import deployment
from hybridsite.server.deployment import Deployment
from hybridsite.server.life import Life

_log = logging.getLogger("hybridsite")

SITE_VARIABLE = "HYBRIDSITE_SITE"


class Application:
    """A built site for any ASGI server, loaded when it is first asked for.

    `base` where it is mounted under a path is the site's own: [site] base = "/shop" for `Mount("/shop", site)`.
    """

    def __init__(self, load: Callable[[], Deployment]) -> None:
        self._load = load
        self._app: Deployment | None = None
        self._is_started = False
        self._lock = asyncio.Lock()
        self._life: Life | None = None

    def loaded(self) -> Deployment:
        """Gives the site, loaded. Raises SiteError where that can't be served."""
        if self._app is None:
            self._app = self._load()
        return self._app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speaks ASGI 3."""
        if scope["type"] == "lifespan":
            await self._run_lifespan(scope, receive, send)
            return
        if not self._is_started:
            await self._start_late()
        if not scope.get("raw_path") and scope["type"] == "http":
            scope = {**scope, "raw_path": quote(scope["path"]).encode("ascii")}
        await (self._app or self.loaded())(scope, receive, send)

    @asynccontextmanager
    async def lifespan(self, outer: object = None) -> AsyncIterator[None]:
        """Opens the site and closes it again: the `lifespan` of an application in which the site is mounted.

        `outer` is that application, which isn't needed.
        """
        life = Life(self.loaded())
        await life.begin()
        self._is_started = True
        try:
            yield
        finally:
            self._is_started = False
            await life.end()

    async def _run_lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            app = self.loaded()
        except (SiteError, SiteErrors) as error:
            await receive()  # or the server would think that the application knows no lifespan, and go on
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        self._is_started = True
        await app(scope, receive, send)

    async def _start_late(self) -> None:
        """Starts at the first request what no lifespan has started. It is closed when the loop ends."""
        async with self._lock:
            if not self._is_started:
                life = Life(self.loaded())
                await life.begin()
                self._life, self._is_started = life, True
                _log.info("nobody runs the site's lifespan, so it has started by itself")


def create_app(place: str | Path) -> Application:
    """Makes the ASGI application of a built site. `place` is the site's folder, or its dist/.

    Raises SiteError where the site isn't built, its settings don't hold, or its secret is none.
    """
    loaded = deployment.create_app(place)
    made = Application(lambda: loaded)
    made.loaded()
    return made


app = Application(lambda: deployment.create_app(os.environ.get(SITE_VARIABLE, ".")))

__all__ = ["Application", "app", "create_app"]
