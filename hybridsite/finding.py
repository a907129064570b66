"""What answers a request: a resource, a file that the build made, or a redirect to the canonical form of its path."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from hybridsite.action_table import ACTIONS
from hybridsite.answers import error_answer, redirect
from hybridsite.given import GivenFile
from hybridsite.redirects import follow
from hybridsite.resources import Resource
from hybridsite.routes import ISLANDS, Match, Part, Route
from hybridsite.site import Site
from hybridsite.urls import RequestPath

NO_RESOURCE = Resource(Route((), "error", template="(none)", prerender=False, status=404))
"""What answers where nothing is."""


class Found(NamedTuple):
    """What answers a path: a resource, or a file that the build made of it, and the route that led there.

    `slash` tells whether the path's canonical form ends with one.
    """

    match: Match
    resource: Resource
    slash: bool
    file: GivenFile | None = None


async def freshen(site: Site, path: RequestPath) -> None:
    """Reads the live collections again, where what may answer a path could show one, and their time is over."""
    routes = [match.route for match in site.router.match(path.segments) if match.route.redirect is None]
    resources = [site.resource(route) for route in routes if not route.prerender]
    by_name = path.segments[:1] in ((ACTIONS,), (ISLANDS,))
    if site.middleware or by_name or any(each.may_use_content for each in resources):
        await site.content.refresh()


async def find(site: Site, request: Request, path: RequestPath, *, rewritten: bool = False) -> Found | Response:
    """Finds what answers a path now, or the page for 404; a redirect where the path is another form of a canonical one.

    The server has given out the files that everybody may have; a rewrite may lead to them, in either form of the path.
    """
    if path.segments[:1] == (ACTIONS,):
        action = site.actions.get(path.segments[1]) if len(path.segments) == 2 and not path.slash else None
        return Found(Match(action.resource.route, {}), action.resource, False) if action else _not_found(site, path)
    if path.segments[:1] == (ISLANDS,):
        asked = await site.islands.find(path)
        if asked is None:
            return error_answer(site, 404)
        components = [island.component for island in asked.islands.values()]
        return Found(asked, site.islands.resource(site.templates, components), False)
    if rewritten or path.segments in site.guarded or request.method not in ("GET", "HEAD"):
        for slash in (path.slash, not path.slash):
            url = site.policy.url("page", path.segments, slash=slash)
            file = site.built.get(url)
            if file is None:
                continue
            if rewritten or (file.guard and slash == path.slash):
                return _of_file(site, path, slash, file)
            query = request.scope.get("query_string", b"").decode("latin-1")
            if file.guard:
                return redirect(url + (f"?{query}" if query else ""), 308)
            if slash == path.slash:
                return not_for_files(site, request.method)
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
            return redirect(follow(site.router, match, query), match.route.redirect.status or usual)
        to = None if rewritten else site.policy.redirect(match.route.kind, path, query)
        if to is not None:
            return redirect(to, 308)
        wanted = site.policy.has_slash(match.route.kind, path.segments)
        return Found(match, site.resource(match.route), path.slash if wanted is None else wanted)
    to = site.stand_in(path.segments) if request.method in ("GET", "HEAD") else None
    if to is not None:
        query = request.scope.get("query_string", b"").decode("latin-1")
        return redirect(to + (f"?{query}" if query else ""), 302)
    return _not_found(site, path)


def _not_found(site: Site, path: RequestPath) -> Found:
    route = site.languages.error(site.router.errors_in, 404, path.segments)
    resource = NO_RESOURCE if route is None or route.prerender else site.resource(route)
    return Found(Match(resource.route, {}), resource, path.slash)


def _of_file(site: Site, path: RequestPath, slash: bool, file: GivenFile) -> Found:
    """Tells of a built file what its page's route and front matter say, for the middleware to go by."""
    for match in site.router.match(path.segments):
        if match.route.prerender and file.guard in (None, match.route.source):
            page = site.resources[match.route.source]
            front = page.front and replace(page.front, headers={})  # the file has them
            resource = Resource(replace(match.route, prerender=False), source=page.source, front=front)
            return Found(match, resource, slash, file)
    segments = tuple((Part(text, "text"),) for text in path.segments)
    route = Route(segments, "file", template="/".join(("public", *path.segments)), prerender=False)
    return Found(Match(route, {}), Resource(route), slash, file)


def not_for_files(site: Site, method: str) -> Response:
    """Answers a method that no file answers."""
    allow = {"Allow": "GET, HEAD, OPTIONS"}
    return Response(status_code=204, headers=allow) if method == "OPTIONS" else error_answer(site, 405, allow)


def as_get(site: Site, request: Request, path: RequestPath, query: str) -> Request:
    """Gives the visitor's request as a GET for another path, which has no body."""
    scope = {**request.scope, "method": "GET", "path": site.policy.path(path), "query_string": query.encode("ascii")}
    scope["raw_path"] = site.policy.url("page", path.segments, slash=path.slash).encode("ascii")
    scope["headers"] = [pair for pair in scope["headers"] if not pair[0].startswith(b"content-")]
    return Request(scope)
