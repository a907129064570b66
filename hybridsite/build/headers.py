"""The headers of a built file: its own, those that [headers] gives it, and what keeps it from running anything."""

from __future__ import annotations

from hybridsite import csp
from hybridsite.site import Site

Headers = tuple[tuple[str, str], ...]

_POLICY = "content-security-policy"


def sent_with(site: Site, segments: tuple[str, ...], kind: str, body: bytes, own: Headers = ()) -> tuple[str, Headers]:
    """Gives the type and the headers of a file that is sent as it is. [headers] may say another type."""
    headers = own
    for header, value in site.headers.of(segments).items():
        if header.casefold() == "content-type":
            kind = value
        else:
            headers = (*(pair for pair in headers if pair[0].casefold() != header.casefold()), (header, value))
    if kind.startswith("image/svg+xml"):
        headers = with_header(headers, _POLICY, csp.SVG)
    elif site.csp is not None and kind.startswith("text/html"):
        headers = with_header(headers, _POLICY, site.csp.header_for_html(body.decode("utf-8", "replace")))
    return kind, headers


def with_header(headers: Headers, name: str, value: str) -> Headers:
    """Adds a header, unless it is there."""
    return headers if any(known.lower() == name for known, _ in headers) else (*headers, (name, value))
