"""The waist of the house: one function turns a site and a request into a response, for build and serve alike."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hybridsite import actions, caching, endpoints, islands, middleware, pages
from hybridsite.action_table import ACTIONS
from hybridsite.answers import (
    NOTES,
    FileAnswer,
    add_policy,
    error_answer,
    finished,
    log_failure,
    make_private,
    phrase,
    plain_error,
    raw_path,
)
from hybridsite.cache.watching import WatchedRequest
from hybridsite.context import Context
from hybridsite.errors import ActionError, ContextError, NotFound, SessionUnavailable
from hybridsite.exchange import EarlyResponse, Rewrite
from hybridsite.finding import NO_RESOURCE, Found, as_get, find, freshen, not_for_files
from hybridsite.given import GivenFile
from hybridsite.island_table import IslandMatch
from hybridsite.outcomes import ActionResult
from hybridsite.resources import Resource
from hybridsite.routes import Match
from hybridsite.security import origin_allowed
from hybridsite.sessions.outage import UnavailableSession
from hybridsite.sessions.session import Session
from hybridsite.site import Site
from hybridsite.urls import PathRefused, RequestPath

_log = logging.getLogger("hybridsite")

# A store is asked once a second whether it is back; what comes at once with all other visitors would be no help.
_UNAVAILABLE = {"Retry-After": "5", "Cache-Control": "no-store"}
# More than a handful lead in a circle, or might as well.
MOST_REWRITES = 5


async def render(
    site: Site,
    request: Request,
    *,
    planned: Match | None = None,
    path: RequestPath | None = None,
    result: ActionResult | None = None,
    fresh: bool = False,
) -> Response:
    """Answers a request for a page, an endpoint, an action or islands.

    A build gives the match that it planned, with the props; a server lets the router find it, and gives the path where
    it has read it already. `result` is the outcome of an action that the page is to show.
    `fresh` has a kept answer made anew.
    Raises SiteError, or whatever the site's code raised, where that code is at fault: nothing of the session is
    saved then.
    """
    if planned is None:
        try:
            path = path or site.policy.read(raw_path(request))
        except PathRefused as refused:
            return finished(site, request, NO_RESOURCE, error_answer(site, refused.status))
        if site.content.is_live:
            await freshen(site, path)
        found = await find(site, request, path)
        if isinstance(found, Response):
            return finished(site, request, NO_RESOURCE, found)
        match, resource, file = found.match, found.resource, found.file
    else:
        match, resource, file = planned, site.resource(planned.route), None
        kind = match.route.kind
        if path is None:
            segments = site.router.fill(match.route, match.params)
            path = RequestPath(segments, site.policy.has_slash(kind, segments) is not False)
    if not _origin_is_own(site, request):
        return finished(site, request, resource, await _error_page(site, request, 403))
    _note_route(request, resource)
    watched = None if result or file else caching.watched(site.cache, request, site.policy.path(path), resource)
    session = await _open_session(site, request, resource) if watched is None or site.middleware else None
    context = Context(site, match, resource, watched or request, path, session, result, pieces=islands.Pieces)
    steps = [context]
    response = await _answer(steps, file, fresh)
    context, cookie = steps[-1], None
    session = context._session
    if session is not None and session.touched and NOTES in request.scope:
        request.scope[NOTES]["session"] = True
    if session is not None and site.sessions is not None:
        cookie = (await site.sessions.save(session, https=_is_https(site, request))).set_cookie
    response = finished(site, request, context.resource, response, context, session, cookie)
    return caching.concluded(context, request, response)


def _note_route(request: Request, resource: Resource) -> None:
    """Tells which route answers, where that is noted: the first one, whatever is rendered for it besides."""
    if NOTES in request.scope and resource.route.kind != "error":
        request.scope[NOTES].setdefault("route", resource.route.pattern)


async def _from_cache(context: Context, fresh: bool) -> Response:
    """Gives the kept answer, or produces one; without middleware the session is opened only for that."""
    site, request = context.site, context._request

    async def produce() -> Response:
        if isinstance(request, WatchedRequest) and not site.middleware:
            context._session = await _open_session(site, request.unwatched, context.resource)
        return await _produce(context)

    async def again(request: Request) -> Response:
        return await render(site, request, path=context._path, fresh=True)

    try:
        return await caching.respond(context, produce, again, fresh=fresh)
    except caching.SharedFailure:
        return await _failure(site, request, 500, context=context)


Failed = Callable[[Site, Request, Exception], Response]
"""Gives the answer where the site's code is at fault, in place of the site's own page."""


async def respond(
    site: Site, request: Request, path: RequestPath | None = None, *, failed: Failed | None = None
) -> Response:
    """Answers every request: what `render` raises is logged with its place, and shown as the site's page for 500.

    Where `failed` is given, it is told instead, and what it gives is the answer.
    """
    try:
        return await render(site, request, path=path)
    except SessionUnavailable as error:
        log_failure(site, request, error)
        return finished(site, request, NO_RESOURCE, await _failure(site, request, 503, _UNAVAILABLE))
    except ClientDisconnect:
        _log.debug("the visitor of %s left before all of the request had come", request.url.path)
        return plain_error(400)  # for nobody
    except ErrorPageFailed as error:
        if failed is not None:
            return failed(site, request, error.cause)
        log_failure(site, request, error.cause)
        return finished(site, request, NO_RESOURCE, plain_error(error.status, error.headers))
    except Exception as error:
        if failed is not None:
            return failed(site, request, error)
        log_failure(site, request, error)
        return finished(site, request, NO_RESOURCE, await _failure(site, request, 500))


class ErrorPageFailed(Exception):
    """The site's own page for a status failed: the status is answered plainly, and nothing of the session is saved."""

    def __init__(self, status: int, headers: Mapping[str, str] | None, cause: Exception) -> None:
        super().__init__(f"the page for {status} fails itself: {cause}")
        self.status = status
        self.headers = headers
        self.cause = cause


async def _failure(
    site: Site, request: Request, status: int, headers: Mapping[str, str] | None = None, context: Context | None = None
) -> Response:
    """Gives the site's page for a status, or a plain one where that page fails itself."""
    try:
        return await _error_page(site, request, status, headers, context)
    except ErrorPageFailed as failed:
        _log.error("%s", failed)
        return plain_error(status, headers)


async def _answer(steps: list[Context], file: GivenFile | None, fresh: bool = False) -> Response:
    """Takes the last of the steps, each the context of a path that the request went on for, through the middleware."""
    context = steps[-1]
    site = context.site

    def last() -> Awaitable[Response]:
        if file is not None:
            return _given(file, context)
        return _produce(context) if site.cache is None else _from_cache(context, fresh)

    def onward(rewrite: Rewrite) -> Awaitable[Response]:
        return _rewritten(steps, context, rewrite)

    # A guarded page is built for nobody: the middleware is asked when somebody comes.
    chain = () if site.mode.prerendering and context.resource.guard else site.middleware
    try:
        return await middleware.run(chain, context, last, onward)
    except (NotFound, ActionError, HTTPException) as error:  # raised by the middleware itself
        if site.mode.prerendering:
            raise
        return await _answer_to(error, context)


async def _rewritten(steps: list[Context], context: Context, rewrite: Rewrite) -> Response:
    """Answers what a rewrite leads to, as a GET of the same visit: through the middleware, as any other path."""
    site = context.site
    if len(steps) > MOST_REWRITES:
        way = " → ".join([*(step.url.path for step in steps), rewrite.path])
        raise ContextError(f"a request was rewritten over {MOST_REWRITES} times", why=way)
    try:
        path = site.policy.read(rewrite.path.encode("ascii"))
    except PathRefused:
        return await _answer_to(NotFound(), context)
    if site.content.is_live:
        await freshen(site, path)
    found = await find(site, as_get(site, context._request, path, rewrite.query), path, rewritten=True)
    if isinstance(found, Response):
        return found
    match, resource, file = found.match, found.resource, found.file
    path = RequestPath(path.segments, found.slash)  # the canonical form, which is what a guard looks for
    page = as_get(site, context._request, path, rewrite.query)
    if context._session is None:
        context._session = await _open_session(site, context._request, resource)
    steps.append(context._onward(match, resource, page, path))
    return await _answer(steps, file)


async def _given(file: GivenFile, context: Context) -> Response:
    """Gives a built file out."""
    method = context._request.method
    if method in ("GET", "HEAD"):
        return FileAnswer(await file.opened())
    return not_for_files(context.site, method)


def _origin_is_own(site: Site, request: Request) -> bool:
    security = site.settings.security
    if not security.check_origin or request.method in ("GET", "HEAD"):
        return True
    scope = request.scope
    asked = f"{scope.get('scheme', 'http')}://{request.headers.get('host', '')}"
    # Of the site's own host [site] url says the scheme; another host is one that the site is tried under.
    known = site.url if site.url.partition("://")[2] == asked.partition("://")[2] else asked
    own = {known, *security.origins, *([site.url] if site.url else [])}
    if origin_allowed(request.method, scope["headers"], own, site.settings.session.cookie.name):
        return True
    if told := site.refusals.sentence(request.headers.get("origin"), known, site.url):
        _log.warning("%s", told)
    return False


# Some of these functions give a coroutine and are none, since each that a request goes through costs it its time.


def _open_session(site: Site, request: Request, resource: Resource) -> Awaitable[Session | None]:
    if site.sessions is None or resource.prerender or not (resource.may_use_session or site.middleware):
        return _no_session()
    headers = [value for name, value in request.scope["headers"] if name == b"cookie"]
    return site.sessions.open(site.sessions.identifier(headers) if headers else None)


async def _no_session() -> None:
    return None


def _is_https(site: Site, request: Request) -> bool:
    if request.scope.get("scheme") == "https" or not site.url.startswith("https:"):
        return request.scope.get("scheme") == "https"
    host = re.sub(r":[0-9]+$", "", request.headers.get("host", ""))
    return host not in ("localhost", "127.0.0.1", "[::1]")


async def _produce(context: Context) -> Response:
    """Calls what the route leads to; what it raises as an answer becomes one, so that middleware sees every answer."""
    try:
        return await islands.filled(context, await _made(context))
    except EarlyResponse as early:
        return early.response
    except SessionUnavailable:
        return await _failure(context.site, context._request, 503, _UNAVAILABLE, context)
    except (NotFound, ActionError, HTTPException) as error:
        if context.site.mode.prerendering:
            raise
        return await _answer_to(error, context)


async def _made(context: Context) -> Response:
    """Calls the function of the kind of route that answers."""
    resource, method = context.resource, context._request.method
    if resource is NO_RESOURCE:
        raise NotFound
    if isinstance(context._match, IslandMatch):
        return await islands.respond(context, context._match, method)
    if resource.route.kind == "action":
        given = await actions.respond(context, method)
        return given if isinstance(given, Response) else await _shown_here(context.site, context._request, given)
    if resource.route.kind == "endpoint":
        return await endpoints.respond(context, method)
    if resource.route.kind == "error" and not context.prerendering:
        # The page for 404 answers every method: what isn't there can't be changed either.
        return await _page_for(context, 404)
    return await pages.respond(context, "GET" if resource.route.kind == "error" else method)


async def _page_for(context: Context, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Renders an error page. Raises ErrorPageFailed, and SessionUnavailable."""
    try:
        page = await islands.filled(context, await pages.respond(context, "GET"))
        if isinstance(page, Rewrite):
            raise ContextError(f"the page for {status} is rewritten", mend="use render(), or an include")
        return page
    except SessionUnavailable:
        raise
    except Exception as error:
        raise ErrorPageFailed(status, headers, error) from error


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
    """Renders the page that a form stands on with the outcome, as a GET of its own: middleware and all.

    A page that all visitors share shows nothing of one visitor: a plain one tells it.
    """
    page = as_get(site, request, shown.path, shown.url.partition("?")[2])
    found = None if shown.url.partition("?")[0] in site.built else await find(site, page, shown.path)
    if not isinstance(found, Found) or found.match.route.kind != "page" or found.resource.is_shared:
        return actions.plain_page(shown, site.language)
    response = await render(site, page, path=shown.path, result=shown.result)
    if response.status_code == 200:
        response.status_code = shown.status
    response.headers["cache-control"] = "private, no-store"
    return response


def _path_of(site: Site, request: Request) -> RequestPath:
    """Gives the path of a request; the root's for one that is none."""
    with suppress(PathRefused):
        return site.policy.read(raw_path(request))
    return RequestPath((), True)


def _is_script_at_action(site: Site, request: Request) -> bool:
    """Tells whether JSON is asked of an action: its errors, too, are told in JSON."""
    place = site.policy.path(RequestPath((ACTIONS,), slash=True))
    request = request.unwatched if isinstance(request, WatchedRequest) else request
    return request.scope["path"].startswith(place) and actions.speaks_json(request)


async def _error_page(
    site: Site, request: Request, status: int, headers: Mapping[str, str] | None = None, context: Context | None = None
) -> Response:
    """Gives the site's own page for a status: its file, or rendered now; a plain one where the site has none.

    A script that asks an action gets JSON.
    """
    if _is_script_at_action(site, request):
        return actions.refusal_as_json(status, phrase(status), headers)
    path = context._path if context else _path_of(site, request)
    route = site.languages.error(site.router.errors_in, status, path.segments)
    if route is None or route.prerender:
        return error_answer(site, status, headers, path.segments)
    resource = site.resources[route.source]
    session = context._session if context else None
    if isinstance(session, UnavailableSession):
        session = None  # so that a layout which asks for the session can show the error
    own = Context(site, Match(route, {}), resource, request, path, session, pieces=islands.Pieces)
    if context is not None:
        own.__dict__.update(locals=context.locals, cookies=context.cookies)
    page = await _page_for(own, status, headers)
    if own.touched("response"):
        page.headers.update(own.response.headers)
    if resource.front is not None:
        page.headers.update(resource.front.headers)
    page.headers.update(headers or {})
    if context is None and own.touched("cookies"):  # nobody else adds them
        for value in own.cookies.outgoing:
            page.headers.append("set-cookie", value)
        if own.cookies.touched:
            make_private(page)
    if session is not None and resource.names_session:
        make_private(page)
    add_policy(site, page, own)
    return page
