"""A built site in a function: what Vercel's runtime asks, and the handler of AWS Lambda.

Mangum turns Amazon's events into requests, and answers into what Amazon takes. Two things it leaves out: the path as
it was sent, by which a site finds everything, and cookies that came in several headers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hybridsite.errors import Faults, ServeError
from hybridsite.extras import install
from hybridsite.places import STATE_VARIABLE
from hybridsite.server.deployment import Deployment, create_app
from hybridsite.server.life import Life

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

Event = dict[str, Any]
Handler = Callable[[Event, Any], dict[str, Any]]
_STATE = "/tmp/hybridsite"  # all that a function may write; nothing that has to last lies there
# What API Gateway's own path may hold as it is: it gives some paths decoded, and others as they were sent.
_AS_SENT = "/%:@!$&'()*+,;=-._~"
_TEXT = ("text/", "application/json", "application/javascript", "application/xml", "image/svg+xml")


def function_app(place: Path, environ: Mapping[str, str]) -> Deployment:
    """Makes the ASGI application of a built site in a function. Raises SiteError, as `create_app` does."""
    return create_app(place, environ={STATE_VARIABLE: _STATE, **environ})


def lambda_handler(place: Path, environ: Mapping[str, str]) -> Handler:
    """Makes the handler of AWS Lambda, for function URLs, API Gateway's REST and HTTP APIs, and load balancers.

    The store is opened with the first event, and stays open as long as the function does. Raises
    SiteError, or SiteErrors for several faults.
    """
    faults = Faults()  # whatever is missing is told at once: each attempt is an upload
    with faults.collect():
        mangum = _mangum()
    with faults.collect():
        app = function_app(place, environ)
    faults.raise_any()
    answer: Any = mangum(_Events(app), lifespan="off", text_mime_types=list(_TEXT))  # its own is one for each event
    started: list[Life] = []

    def handler(event: Event, context: Any) -> dict[str, Any]:
        if not started:
            life = Life(app)
            asyncio.get_event_loop().run_until_complete(life.begin())  # Mangum's
            started.append(life)
        found: dict[str, Any] = answer(event, context)
        return found

    return handler


def _mangum() -> Any:
    try:
        from mangum import Mangum
    except ImportError as error:
        mend = install("lambda")
        raise ServeError("Mangum, which answers Lambda's events, can't be loaded", why=str(error), mend=mend) from error
    return Mangum


class _Events:
    """Adds to Mangum's requests what the event has of them."""

    def __init__(self, app: Deployment) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        event: Event = scope["aws.event"]
        path = str(event.get("rawPath") or event.get("path") or "/")
        raw = quote(path, safe=_AS_SENT).encode("ascii")
        headers = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
        if cookies := _cookies(event):
            headers.append((b"cookie", "; ".join(cookies).encode("latin-1")))
        await self._app({**scope, "raw_path": raw, "headers": headers}, receive, send)


def _cookies(event: Event) -> list[str]:
    """Gives the cookies of an event: a list of their own, or headers, of which there may be several."""
    if event.get("cookies"):
        return list(event["cookies"])
    many = [(name, values) for name, values in (event.get("multiValueHeaders") or {}).items()]
    if many:
        return [value for name, values in many if name.lower() == "cookie" for value in values]
    return [value for name, value in (event.get("headers") or {}).items() if name.lower() == "cookie"]
