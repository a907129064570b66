"""Answers: those that need none of the site's code, and what every answer carries, which decides who may keep it."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from hybridsite.context import Context
from hybridsite.errors import ContextError, SessionUnavailable, SiteError, place_of, traceback_of
from hybridsite.given import GivenFile
from hybridsite.prefetch import HEADER, told_by
from hybridsite.resources import Resource
from hybridsite.sessions.session import Session
from hybridsite.site import Site
from hybridsite.urls import PathRefused, RequestPath

_log = logging.getLogger("hybridsite")

NOTES = "hybridsite.notes"
"""Where a request's scope has what a server notes of it while it is answered, if it does."""

# OWASP HTTP Headers Cheat Sheet.
SAFE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
)
_SAFE_NAMES = frozenset(name for name, _ in SAFE_HEADERS)
_NO_CACHE = (b"cache-control", b"no-cache")
# A browser may keep a member's page, and asks the guard before each use of it; nobody else may.
_GUARDED = (b"cache-control", b"private, no-cache")
_PRIVATE = ((b"cache-control", b"private, no-store"), (b"vary", b"Cookie"))
_UNSENDABLE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110, 5.5
_STATUSES = frozenset(HTTPStatus)


def redirect(to: str, status: int) -> Response:
    """Gives an answer that leads to a URL as it is."""
    # RedirectResponse would escape the query anew, which is kept as it was sent.
    return Response(status_code=status, headers={"Location": to})


def error_answer(
    site: Site, status: int, headers: Mapping[str, str] | None = None, path: tuple[str, ...] = ()
) -> Response:
    """Gives the file that the build wrote for a status, in the language of a path, or a plain page."""
    file = site.languages.error(site.error_files, status, path)
    if file is None:
        return plain_error(status, headers)
    response = Response(file.body, status, media_type="text/html")
    response.headers.update(dict(file.headers))
    response.headers.update(headers or {})
    return response


def log_failure(site: Site, request: Request, error: Exception) -> None:
    """Logs with its place what was raised while a request was answered."""
    if isinstance(error, SessionUnavailable):
        _log.debug("%s is answered 503", request.url.path, exc_info=error)  # the outage itself is logged once
        return
    place = place_of(error, str(site.root))
    if isinstance(error, SiteError):
        _log.error("%s%s", error if error.location else f"{place}: {error}" if place else error, _named(request))
        _log.debug("how it came to this", exc_info=error)
    else:
        trace = (type(error), error, traceback_of(error, str(site.root)))
        told = f"{place or request.url.path}: {type(error).__name__}: {error}{_named(request)}"
        _log.error("%s", told, exc_info=trace)


def _named(request: Request) -> str:
    """Gives what tells a request from others in the log, where that is kept."""
    notes = request.scope.get(NOTES)
    return f" (request {notes['id']})" if notes and "id" in notes else ""


# RFC 9110, 8 and 14: what tells of the bytes that are sent, which the file alone knows.
_OF_THE_BYTES = frozenset(
    {
        *(b"content-type", b"content-length", b"content-encoding", b"content-range"),
        *(b"etag", b"last-modified", b"accept-ranges"),
    }
)


class FileAnswer(Response):
    """A built file as an answer: to a rewrite, or behind a guard. Middleware may change its headers and its status.

    What led to it was asked of one visitor, so it is kept no longer than an answer on demand, whatever the file says.
    """

    def __init__(self, file: GivenFile) -> None:
        super().__init__()
        self._file = file
        self.raw_headers = [pair for pair in file.headers if pair[0] != b"cache-control" or b"no-store" in pair[1]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the file: 304 and 206 where the request asks for that, and the status is none of another kind."""
        others = [pair for pair in self.raw_headers if pair[0] not in _OF_THE_BYTES]

        async def send_as_answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [pair for pair in message["headers"] if pair[0] in _OF_THE_BYTES]
                status = message["status"] if self.status_code == 200 else self.status_code
                message = {**message, "status": status, "headers": [*own, *others]}
            await send(message)

        if self.status_code != 200 or scope["method"] not in ("GET", "HEAD"):
            method = "HEAD" if scope["method"] == "HEAD" else "GET"
            kept = [pair for pair in scope["headers"] if not pair[0].startswith(b"if-") and pair[0] != b"range"]
            scope = {**scope, "method": method, "headers": kept}
        await self._file.send(scope, receive, send_as_answer)
        if self.background is not None:
            await self.background()


def phrase(status: int) -> str:
    """Gives the name of a status: `Not Found`."""
    return HTTPStatus(status).phrase if status in _STATUSES else "Error"


def plain_error(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Gives a page for a status that tells nothing else."""
    told = phrase(status)
    body = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{told}</title>\n</head>\n'
        f"<body>\n<h1>{status} {told}</h1>\n</body>\n</html>\n"
    )
    return Response(body, status, dict(headers or {}), media_type="text/html")


def finished(
    site: Site,
    request: Request,
    resource: Resource,
    response: Response,
    context: Context | None = None,
    session: Session | None = None,
    cookie: str | None = None,
) -> Response:
    """Adds what every answer carries. Raises ContextError for a header that can't be sent."""
    private = session is not None and (session.touched or resource.names_session)
    if context is not None:
        if context.touched("response"):
            for name, value in context.response.headers.items():
                response.headers.setdefault(name, value)
        if context.touched("cookies"):
            private = private or context.cookies.touched
            for value in context.cookies.outgoing:
                response.headers.append("set-cookie", value)
    if resource.front is not None and resource.front.headers:
        for name, value in resource.front.headers.items():
            # How long it may be kept is said of the page, not of what it answers when something is wrong.
            if response.status_code < 400 or name.casefold() != "cache-control":
                response.headers[name] = value
    if cookie is not None:
        response.raw_headers.append((b"set-cookie", cookie.encode("latin-1")))
    if private:
        make_private(response)
    if site.headers and not (site.mode.prerendering and resource.route.kind == "error"):
        _add_site_headers(site, request, resource, response, context)
    add_policy(site, response, context)
    _add_prefetch(site, resource, response)
    known = {name for name, _ in response.raw_headers}
    if not site.mode.prerendering and b"cache-control" not in known:
        response.raw_headers.append(_GUARDED if resource.guard else _NO_CACHE)
    response.raw_headers.extend(
        SAFE_HEADERS if _SAFE_NAMES.isdisjoint(known) else [pair for pair in SAFE_HEADERS if pair[0] not in known]
    )
    if _UNSENDABLE.search(b"".join([value for _, value in response.raw_headers])):
        raise ContextError("a header of the answer holds what no header can carry (CR, LF or NUL)")
    return response


def _add_site_headers(
    site: Site, request: Request, resource: Resource, response: Response, context: Context | None
) -> None:
    """Adds what [headers] says of the path, where the answer doesn't say it itself."""
    path: RequestPath | None = None
    with suppress(PathRefused):
        path = context._path if context else site.policy.read(raw_path(request))
    known = {name for name, _ in response.raw_headers}
    nonce = context is not None and context.touched("csp_nonce") and context.csp_nonce is not None
    is_of_one_request = nonce or isinstance(response, FileAnswer) or resource.guard or b"set-cookie" in known
    if response.status_code >= 300 or is_of_one_request:
        known.add(b"cache-control")  # what is not the page, or is one request's, is kept as long as it says itself
    for name, value in site.headers.of(path.segments if path else None).items():
        pair = (name.lower().encode("latin-1"), value.encode("latin-1"))
        if pair[0] not in known:
            response.raw_headers.append(pair)


def add_policy(site: Site, response: Response, context: Context | None) -> None:
    """Gives a page on demand its Content-Security-Policy; a built one has had it from the build."""
    if site.csp is None or site.mode.prerendering:
        return
    headers = dict(response.raw_headers)
    if b"content-security-policy" not in headers and headers.get(b"content-type", b"").startswith(b"text/html"):
        nonce = context.csp_nonce if context is not None and context.touched("csp_nonce") else None
        response.raw_headers.append((b"content-security-policy", site.csp.header(nonce=nonce).encode()))


def _add_prefetch(site: Site, resource: Resource, response: Response) -> None:
    """Tells a page on demand where the rules of [prefetch] are; a built one has been told by the build."""
    if not site.prefetch or resource.route.kind == "island":
        return
    headers = dict(response.raw_headers)
    if HEADER.encode() not in headers and headers.get(b"content-type", b"").startswith(b"text/html"):
        response.raw_headers.append((HEADER.encode(), told_by(site.prefetch).encode()))


def raw_path(request: Request) -> bytes:
    """Gives the path of a request as it was sent."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode("utf-8", "surrogateescape")
    path: bytes = raw.partition(b"?")[0]
    return path


def make_private(response: Response) -> None:
    """Keeps an answer that is one visitor's out of every cache (OWASP Session Management, Web Content Caching)."""
    names = {name for name, _ in response.raw_headers}
    if b"cache-control" not in names and b"vary" not in names:
        response.raw_headers.extend(_PRIVATE)
        return
    own = response.headers.get("cache-control")
    if own is not None and "no-store" not in own.casefold():
        raise ContextError(
            f'an answer that used the session has a Cache-Control of its own: "{own}"',
            why="no cache may keep one visitor's page",
            mend="don't set the header: private, no-store is sent",
        )
    response.headers["cache-control"] = "private, no-store"
    response.headers.add_vary_header("Cookie")
