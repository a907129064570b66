"""Where a request came from, as its browser tells: read as the router would, and only if it is the site's own."""

from __future__ import annotations

from urllib.parse import SplitResult, urljoin, urlsplit

from starlette.requests import Request

from hybridsite.urls import PathRefused, RequestPath, UrlPolicy


def sender(request: Request, policy: UrlPolicy, origin: str) -> tuple[RequestPath, str] | None:
    """Gives path and query of the page that sent a request (Referer); None where it doesn't say, or is another site's.

    `origin` is what the site is known by, or "".
    """
    told = request.headers.get("referer", "")
    path = own_path(request, policy, origin, told) if _split(told) else None
    return None if path is None else (path, urlsplit(told).query)


def own_path(request: Request, policy: UrlPolicy, origin: str, url: str) -> RequestPath | None:
    """Gives the path of a URL of the site's own origin; None for all others. A relative one is resolved."""
    asked = f"{request.scope.get('scheme', 'http')}://{request.headers.get('host', '')}"
    here = asked + (request.scope.get("raw_path") or b"/").decode("latin-1")
    try:
        parts = _split(urljoin(here, url))
        if parts is None or f"{parts.scheme}://{parts.netloc}" not in (asked, origin):
            return None
        return policy.read((parts.path or "/").encode("ascii"))
    except (ValueError, PathRefused):
        return None


def _split(url: str) -> SplitResult | None:
    """Splits a whole URL; None for what is none, and for what no header of a browser holds."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts if parts.scheme and parts.netloc else None
