"""The site as an ASGI application for any server: `hybridsite.asgi:app`, its folder taken from HYBRIDSITE_SITE."""

from __future__ import annotations

import os

from starlette.types import Receive, Scope, Send

from hybridsite.errors import SiteError, SiteErrors
from hybridsite.server.deployment import Deployment, create_app

SITE_VARIABLE = "HYBRIDSITE_SITE"


class _AppOfEnvironment:
    """Loads the site when the server first calls, so that importing this module does no work."""

    def __init__(self) -> None:
        self._app: Deployment | None = None

    def loaded(self) -> Deployment:
        """Gives the site, loaded. Raises SiteError where that can't be served."""
        if self._app is None:
            self._app = create_app(os.environ.get(SITE_VARIABLE, "."))
        return self._app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            app = self._app or self.loaded()
        except (SiteError, SiteErrors) as error:
            if scope["type"] != "lifespan":
                raise
            await receive()  # or the server would think that the application knows no lifespan, and go on
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await app(scope, receive, send)


app = _AppOfEnvironment()

__all__ = ["app", "create_app"]
