"""The waist of the house: one function turns a site and a request into a response, for build and serve alike."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hybridsite import actions, endpoints, middleware, pages
from hybridsite.action_table import ACTIONS
from hybridsite.context import Context
from hybridsite.errors import ActionError, ContextError, NotFound, SessionUnavailable, SiteError, place_of, traceback_of
from hybridsite.exchange import EarlyResponse
from hybridsite.outcomes import ActionResult
from hybridsite.redirects import follow
from hybridsite.resources import Resource
from hybridsite.routes import Match, Route
from hybridsite.security import origin_allowed
from hybridsite.sessions.outage import UnavailableSession
from hybridsite.sessions.session import Session
from hybridsite.site import Site
from hybridsite.urls import PathRefused, RequestPath

_log = logging.getLogger("hybridsite")

# OWASP HTTP Headers Cheat Sheet.
SAFE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
)
_NO_CACHE = (b"cache-control", b"no-cache")
_PRIVATE = ((b"cache-control", b"private, no-store"), (b"vary", b"Cookie"))
# A store is asked once a second whether it is back; what comes at once with all other visitors would be no help.
_UNAVAILABLE = {"Retry-After": "5", "Cache-Control": "no-store"}
_UNSENDABLE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110, 5.5
_STATUSES = frozenset(HTTPStatus)
_NO_RESOURCE = Resource(Route((), "error", template="(none)", prerender=False, status=404))


async def render(
    site: Site,
    request: Request,
    *,
    planned: Match | None = None,
    path: RequestPath | None = None,
    result: ActionResult | None = None,
) -> Response:
    """Answers a request for a page, an endpoint or an action.

    A build gives the match that it planned, with the props; a server lets the router find it, and gives the path where
    it has read it already. `result` is the outcome of an action that the page is to show.
    Raises SiteError, or whatever the site's code raised, where that code is at fault: nothing of the session is
    saved then.
    """
    if planned is None:
        try:
            path = path or site.policy.read(_raw_path(request))
        except PathRefused as refused:
            return _finished(site, request, _NO_RESOURCE, _error_answer(site, refused.status))
        found = await _find_fresh(site, request, path)
        if isinstance(found, Response):
            return _finished(site, request, _NO_RESOURCE, found)
        planned = found
    else:
        kind = planned.route.kind
        segments = () if kind == "error" else site.router.fill(planned.route, planned.params)
        path = RequestPath(segments, site.policy.has_slash(kind, segments) is not False)
    if planned is None and (fallback := site.router.errors.get(404)) and not fallback.prerender:
        planned = Match(fallback, {})
    resource = _NO_RESOURCE if planned is None else site.resource(planned.route)
    if not _origin_is_own(site, request):
        return _finished(site, request, resource, await _error_page(site, request, 403))
    session = await _open_session(site, request, resource)
    context = Context(site, planned or Match(resource.route, {}), resource, request, path, session, result)

    async def last() -> Response:
        return await _produce(context)

    try:
        response = await middleware.run(site.middleware, context, last)
    except (NotFound, ActionError, HTTPException) as error:  # raised by the middleware itself
        if site.mode.prerendering:
            raise
        response = await _answer_to(error, context)
    cookie = None
    if session is not None and site.sessions is not None:
        cookie = (await site.sessions.save(session, https=_is_https(site, request))).set_cookie
    return _finished(site, request, resource, response, context, session, cookie)


async def respond(site: Site, request: Request, path: RequestPath | None = None) -> Response:
    """Answers every request: what `render` raises is logged with its place, and shown as the site's page for 500."""
    try:
        return await render(site, request, path=path)
    except SessionUnavailable as error:
        _log.debug("%s is answered 503", request.url.path, exc_info=error)  # the outage itself is logged once
        return _finished(site, request, _NO_RESOURCE, await _failure(site, request, 503, _UNAVAILABLE))
    except Exception as error:
        place = place_of(error, str(site.root))
        if isinstance(error, SiteError):
            _log.error("%s", error if error.location else f"{place}: {error}" if place else error)
            _log.debug("how it came to this", exc_info=error)
        else:
            trace = (type(error), error, traceback_of(error, str(site.root)))
            _log.error("%s: %s: %s", place or request.url.path, type(error).__name__, error, exc_info=trace)
        return _finished(site, request, _NO_RESOURCE, await _failure(site, request, 500))


async def _failure(
    site: Site, request: Request, status: int, headers: Mapping[str, str] | None = None, context: Context | None = None
) -> Response:
    """Gives the site's page for a status, or a plain one where that page fails itself."""
    try:
        return await _error_page(site, request, status, headers, context)
    except Exception as second:
        _log.error("the page for %s fails itself: %s", status, second)
        return _plain_error(status, headers)


def _raw_path(request: Request) -> bytes:
    raw = request.scope.get("raw_path") or request.scope["path"].encode("utf-8", "surrogateescape")
    path: bytes = raw.partition(b"?")[0]
    return path


async def _find_fresh(site: Site, request: Request, path: RequestPath) -> Match | Response | None:
    """Finds what answers a path once the live collections are fresh, where what may answer could show one."""
    if site.content.is_live:
        routes = [match.route for match in site.router.match(path.segments) if match.route.redirect is None]
        resources = [site.resource(route) for route in routes if not route.prerender]
        if site.middleware or path.segments[:1] == (ACTIONS,) or any(each.may_use_content for each in resources):
            await site.content.refresh()
    return _find(site, request, path)


def _find(site: Site, request: Request, path: RequestPath) -> Match | Response | None:
    """Finds what answers a path now: None for nothing, a redirect where the path is another form of a canonical one."""
    if path.segments[:1] == (ACTIONS,):
        action = site.actions.get(path.segments[1]) if len(path.segments) == 2 and not path.slash else None
        return Match(action.resource.route, {}) if action else None
    if request.method not in ("GET", "HEAD") and site.policy.url("page", path.segments, slash=path.slash) in site.built:
        allow = {"Allow": "GET, HEAD, OPTIONS"}
        return (
            Response(status_code=204, headers=allow) if request.method == "OPTIONS" else _error_answer(site, 405, allow)
        )
    for match in site.router.match(path.segments):
        if match.route.prerender:
            continue  # its paths are files, which the server looked up before
        if listing := site.listings.of(match.route):
            props = listing.find(match.params)
            if props is None:
                continue
            match = replace(match, props=props)
        query = request.scope.get("query_string", b"").decode("latin-1")
        if match.route.redirect is not None:
            usual = 301 if request.method in ("GET", "HEAD") else 308
            return _redirect(follow(site.router, match, query), match.route.redirect.status or usual)
        to = site.policy.redirect(match.route.kind, path, query)
        return match if to is None else _redirect(to, 308)
    return None


def _redirect(to: str, status: int) -> Response:
    # RedirectResponse would escape the query anew, which is kept as it was sent.
    return Response(status_code=status, headers={"Location": to})


def _origin_is_own(site: Site, request: Request) -> bool:
    security = site.settings.security
    if not security.check_origin or request.method in ("GET", "HEAD"):
        return True
    scope = request.scope
    host = request.headers.get("host", "")
    own = {f"{scope.get('scheme', 'http')}://{host}", *security.origins, *([site.url] if site.url else [])}
    return origin_allowed(request.method, scope["headers"], own, site.settings.session.cookie.name)


async def _open_session(site: Site, request: Request, resource: Resource) -> Session | None:
    if site.sessions is None or resource.prerender:
        return None
    if not resource.may_use_session and not site.middleware:
        return None
    headers = [value for name, value in request.scope["headers"] if name == b"cookie"]
    return await site.sessions.open(site.sessions.identifier(headers) if headers else None)


def _is_https(site: Site, request: Request) -> bool:
    if request.scope.get("scheme") == "https" or not site.url.startswith("https:"):
        return request.scope.get("scheme") == "https"
    host = re.sub(r":[0-9]+$", "", request.headers.get("host", ""))
    return host not in ("localhost", "127.0.0.1", "[::1]")


async def _produce(context: Context) -> Response:
    """Calls what the route leads to; what it raises as an answer becomes one, so that middleware sees every answer."""
    resource = context.resource
    try:
        if resource is _NO_RESOURCE:
            raise NotFound
        if resource.route.kind == "action":
            given = await actions.respond(context, context._request.method)
            return given if isinstance(given, Response) else await _shown_here(context.site, context._request, given)
        if resource.route.kind == "endpoint":
            return await endpoints.respond(context, context._request.method)
        # The page for 404 answers every method: what isn't there can't be changed either.
        return await pages.respond(context, "GET" if resource.route.kind == "error" else context._request.method)
    except EarlyResponse as early:
        return early.response
    except SessionUnavailable:
        return await _failure(context.site, context._request, 503, _UNAVAILABLE, context)
    except (NotFound, ActionError, HTTPException) as error:
        if context.site.mode.prerendering:
            raise
        return await _answer_to(error, context)


async def _answer_to(error: NotFound | ActionError | HTTPException, context: Context) -> Response:
    """Gives the page for what was raised as an answer."""
    status = 404
    headers: dict[str, str] = {}
    if isinstance(error, ActionError):
        status = error.status
    elif isinstance(error, HTTPException):
        status, headers = error.status_code, dict(error.headers or {})
        if _is_script_at_action(context.site, context._request):
            return actions.refusal_as_json(status, error.detail, headers)
    return await _error_page(context.site, context._request, status, headers, context)


async def _shown_here(site: Site, request: Request, shown: actions.Shown) -> Response:
    """Renders the page that a form stands on with the outcome, as a GET of its own: middleware and all."""
    scope = {**request.scope, "method": "GET"}
    scope["raw_path"], _, scope["query_string"] = shown.url.encode("ascii").partition(b"?")
    scope["path"] = site.policy.path(shown.path)
    scope["headers"] = [pair for pair in scope["headers"] if not pair[0].startswith(b"content-")]
    page = Request(scope)
    found = None if shown.url.partition("?")[0] in site.built else _find(site, page, shown.path)
    if not isinstance(found, Match) or found.route.kind != "page":
        return actions.plain_page(shown, site.language)
    response = await render(site, page, path=shown.path, result=shown.result)
    if response.status_code == 200:
        response.status_code = shown.status
    response.headers["cache-control"] = "private, no-store"
    return response


def _is_script_at_action(site: Site, request: Request) -> bool:
    """Tells whether JSON is asked of an action: its errors, too, are told in JSON."""
    place = site.policy.path(RequestPath((ACTIONS,), slash=True))
    return request.scope["path"].startswith(place) and actions.speaks_json(request)


async def _error_page(
    site: Site, request: Request, status: int, headers: Mapping[str, str] | None = None, context: Context | None = None
) -> Response:
    """Gives the site's own page for a status: its file, or rendered now; a plain one where the site has none.

    A script that asks an action gets JSON.
    """
    if _is_script_at_action(site, request):
        return actions.refusal_as_json(status, _phrase(status), headers)
    route = site.router.errors.get(status)
    if route is None or route.prerender:
        return _error_answer(site, status, headers)
    resource = site.resources[route.source]
    session = context._session if context else None
    if isinstance(session, UnavailableSession):
        session = None  # so that a layout which asks for the session can show the error
    path = context._path if context else RequestPath((), True)
    own = Context(site, Match(route, {}), resource, request, path, session)
    if context is not None:
        own.__dict__.update(locals=context.locals, cookies=context.cookies)
    page = await pages.respond(own, "GET")
    if own.touched("response"):
        page.headers.update(own.response.headers)
    if resource.front is not None:
        page.headers.update(resource.front.headers)
    page.headers.update(headers or {})
    if context is None and own.touched("cookies"):  # nobody else adds them
        for value in own.cookies.outgoing:
            page.headers.append("set-cookie", value)
        if own.cookies.touched:
            _make_private(page)
    if session is not None and resource.names_session:
        _make_private(page)
    return page


def _error_answer(site: Site, status: int, headers: Mapping[str, str] | None = None) -> Response:
    file = site.error_files.get(status)
    if file is None:
        return _plain_error(status, headers)
    response = Response(file.body, status, media_type="text/html")
    response.headers.update(dict(file.headers))
    response.headers.update(headers or {})
    return response


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in _STATUSES else "Error"


def _plain_error(status: int, headers: Mapping[str, str] | None = None) -> Response:
    phrase = _phrase(status)
    body = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{phrase}</title>\n</head>\n'
        f"<body>\n<h1>{status} {phrase}</h1>\n</body>\n</html>\n"
    )
    return Response(body, status, dict(headers or {}), media_type="text/html")


def _finished(
    site: Site,
    request: Request,
    resource: Resource,
    response: Response,
    context: Context | None = None,
    session: Session | None = None,
    cookie: str | None = None,
) -> Response:
    """Adds what every answer carries, in the one place that decides who may keep it."""
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
        _make_private(response)
    known = {name for name, _ in response.raw_headers}
    if not site.mode.prerendering and b"cache-control" not in known:
        response.raw_headers.append(_NO_CACHE)
    response.raw_headers.extend(pair for pair in SAFE_HEADERS if pair[0] not in known)
    if _UNSENDABLE.search(b"".join([value for _, value in response.raw_headers])):
        raise ContextError("a header of the answer holds what no header can carry (CR, LF or NUL)")
    return response


def _make_private(response: Response) -> None:
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
