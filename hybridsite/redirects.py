"""[redirects]: old addresses as routes, and where each leads."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, unquote

from hybridsite.config import Settings, setting_locations
from hybridsite.errors import Faults, RouteError, SiteErrors, did_you_mean
from hybridsite.routes import PARAMETER, Match, Redirect, Route, check_parameters, read_segment
from hybridsite.routing import Router
from hybridsite.urls import UrlPolicy


def read_redirect(path: str, redirect: Redirect) -> Route:
    """Turns an entry of [redirects] into a route.

    Raises RouteError for a path that no request can have, and for a target with parameters that the path lacks.
    """
    file = redirect.location.file
    try:
        segments = tuple(read_segment(part, file) for part in path.strip("/").split("/") if path != "/")
        check_parameters(segments, file)
        if not all(segments):
            raise RouteError(f'the redirect "{path}" has an empty segment', mend="write single slashes")
        route = Route(segments, "redirect", prerender=False, redirect=redirect)
        for found in PARAMETER.finditer(redirect.to):
            if found[2] not in route.parameters:
                raise RouteError(
                    f'the redirect leads to "{redirect.to}", and "{path}" has no parameter "{found[2]}"',
                    mend=did_you_mean(found[2], route.parameters),
                )
    except RouteError as fault:
        fault.location = redirect.location
        raise
    return route


def follow(router: Router, match: Match, query: str = "") -> str:
    """Gives the URL that a redirect leads to.

    A path comes out as the canonical URL of what answers it, with the site's base. The query goes on, unless the target
    has one. Values of parameters are escaped, so that none of them leads elsewhere.
    """
    assert match.route.redirect is not None
    path, tail = _parted(match.route.redirect.to)
    tail = _filled(tail, match, safe="")
    if query and not tail.startswith("?"):
        tail = f"?{query}{tail}"
    if not path.startswith("/"):
        return _filled(path, match, safe="/") + tail
    path = PARAMETER.sub(lambda found: match.params[found[2]], unquote(path))
    segments = _segments(path)
    for found in router.match(segments):
        if found.route.redirect is None:
            return router.policy.url(found.route.kind, segments) + tail
    return router.policy.url("page", segments, slash=path.endswith("/")) + tail


def check_redirects(router: Router) -> None:
    """Raises RouteError, or SiteErrors, for redirects that lead in a circle, or are never taken."""
    faults = Faults()
    for route in router.routes:
        if route.redirect is not None:
            with faults.collect():
                _check_taken(router, route)
                _check_circle(router, route)
    faults.raise_any()


def _check_taken(router: Router, route: Route) -> None:
    for match in router.match(_segments(route.pattern)):
        if match.route.prerender and not route.parameters and not match.route.parameters:
            why = f"{match.route.source} answers there"
            mend = "remove the one or the other"
            raise RouteError(f"{route.source} is never taken", why=why, mend=mend, location=route.location)


def _check_circle(router: Router, start: Route) -> None:
    # The parameters stand for themselves, so that a circle shows whatever their values are.
    way: list[Route] = []
    route = start
    while route.redirect is not None and route.redirect.to.startswith("/"):
        if route in way:
            steps = " → ".join(step.pattern for step in [*way[way.index(route) :], route])
            raise RouteError("redirects lead in a circle", why=steps, location=start.location)
        way.append(route)
        found = next(router.match(_segments(unquote(_parted(route.redirect.to)[0]))), None)
        if found is None:
            return
        route = found.route


def _parted(target: str) -> tuple[str, str]:
    """Parts a target into its path, or address, and what begins with "?" or "#"."""
    end = re.search(r"[?#]|$", target)
    assert end is not None
    return target[: end.start()], target[end.start() :]


def _filled(text: str, match: Match, *, safe: str) -> str:
    return PARAMETER.sub(lambda found: quote(match.params[found[2]], safe=safe), text)


def _segments(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)


def make_router(root: Path, settings: Settings, routes: list[Route], faults: Faults) -> Router | None:
    """Gives the router, or None where routes contradict each other."""
    policy = UrlPolicy(settings.site.base, settings.routing.trailing_slash)
    try:
        router = Router([*routes, *_redirects(root, settings, faults)], policy)
        check_redirects(router)
    except (RouteError, SiteErrors) as fault:
        faults.take(fault)
        return None
    return router


def _redirects(root: Path, settings: Settings, faults: Faults) -> list[Route]:
    routes: list[Route] = []
    places = setting_locations(root) if settings.redirects else {}
    for path, entry in settings.redirects.items():
        with faults.collect():
            routes.append(read_redirect(path, Redirect(entry.to, entry.status, places["redirects", path])))
    return routes
