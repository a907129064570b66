"""A built site in a function: what Vercel's runtime asks, and the handler of AWS Lambda.

Mangum turns Amazon's events into requests, and answers into what Amazon takes. What it leaves out: the path as it was
sent, by which a site finds everything, and the stage in it; cookies that came in several headers; and which of the
addresses that a load balancer tells is the visitor's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

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
# The stage of those that have one alone, which is in no path.
_DEFAULT_STAGE = "$default"
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
        _check(event)
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
        site = self._app.current.site
        raw = quote(sent_path(event, site.base), safe=_AS_SENT)
        headers = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
        if cookies := _cookies(event):
            headers.append((b"cookie", "; ".join(cookies).encode("latin-1")))
        if all(name != b"host" for name, _ in headers):  # as when a load balancer asks for the function's health
            headers.append((b"host", (urlsplit(site.url or "").netloc or "localhost").encode("ascii")))
        # A load balancer puts the address that it sees behind those that it is told of; nobody else tells of several.
        address = str(scope["client"][0] or "").rpartition(",")[2].strip()
        told = {"path": unquote(raw), "raw_path": raw.encode("ascii"), "headers": headers}
        await self._app({**scope, **told, "client": (address, 0) if address else None}, receive, send)


def _check(event: Any) -> None:
    """Raises ServeError for an event that is no request, such as the one that the console's test begins with."""
    context = event.get("requestContext") if isinstance(event, dict) else None
    if context is None or not ("version" in event or "resource" in event or "elb" in context):
        why = "it has to be one of a function URL, of API Gateway's HTTP or REST API, or of a load balancer"
        raise ServeError("the event is no request", why=why, mend="call the function by one of them")


def sent_path(event: Event, base: str) -> str:
    """Gives the path of an event as visitors have it, where the event tells or the site's base does.

    An HTTP API puts its stage before the path, whatever a domain of one's own leads there, and a REST API leaves it
    out, but for its context: https://docs.aws.amazon.com/apigateway/latest/developerguide/ has it in
    http-api-develop-integrations-lambda.html and set-up-lambda-proxy-integrations.html.
    """
    path = str(event.get("rawPath") or event.get("path") or "/")
    context = event["requestContext"]
    stage = context.get("stage") or _DEFAULT_STAGE
    inner = path
    if "version" in event and stage != _DEFAULT_STAGE and _is_below(path, f"/{stage}"):
        inner = path[len(stage) + 1 :] or "/"
    if not base:
        return inner
    for found in (str(context.get("path") or ""), path, inner):
        if _is_below(found, base):
            return found
    return path if inner == path else base + inner  # behind a mapping's key, of which format 2.0 tells nothing


def _is_below(path: str, base: str) -> bool:
    return path == base or path.startswith(f"{base}/")


def _cookies(event: Event) -> list[str]:
    """Gives the cookies of an event: a list of their own, or headers, of which there may be several."""
    if event.get("cookies"):
        return list(event["cookies"])
    many = [(name, values) for name, values in (event.get("multiValueHeaders") or {}).items()]
    if many:
        return [value for name, values in many if name.lower() == "cookie" for value in values]
    return [value for name, value in (event.get("headers") or {}).items() if name.lower() == "cookie"]
