"""The door: which requests are let in at all. What two programs could read in two ways is refused, and the line closed.

The parsers differ in what they take (httptools a request without Host or with two, h11 a length together with chunks),
so one check stands behind either of them.
"""

from __future__ import annotations

import re
from functools import lru_cache

from starlette.types import Scope

# RFC 3986, 3.2.2 and 3.2.3: a name, an IPv4 address or an IPv6 one in brackets, and a port. No user, no path.
_HOST = re.compile(rb"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


def is_refused(scope: Scope) -> bool:
    """Tells whether a request's head has to be answered 400.

    That is: no Host in HTTP/1.1, two, or one that is no host (RFC 9112, 3.2); a Content-Length beside a
    Transfer-Encoding, or two of either, which is how requests are smuggled past a proxy (RFC 9112, 6.1 and 6.3).
    """
    hosts = lengths = codings = 0
    for name, value in scope["headers"]:
        if name == b"host":
            hosts += 1
            if not _is_host(value):
                return True
        elif name == b"content-length":
            lengths += 1
        elif name == b"transfer-encoding":
            codings += 1
    return hosts > 1 or (hosts == 0 and scope["http_version"] == "1.1") or lengths + codings > 1


def host_name(scope: Scope) -> str:
    """Gives the name that a request is for, without its port, in lower case; "" where it says none."""
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    return re.sub(r":[0-9]+$", "", host.decode("latin-1")).casefold()


@lru_cache(maxsize=256)
def _is_host(value: bytes) -> bool:
    return len(value) <= 255 and _HOST.fullmatch(value) is not None
