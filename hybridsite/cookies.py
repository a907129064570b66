"""The cookies of a request and of its answer, as the site's code sees them."""

from __future__ import annotations

import re
from http.cookies import CookieError
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from hybridsite.errors import ContextError

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _no_cookie(name: str) -> ContextError:
    return ContextError(f"the cookie {name!r} holds what no cookie can carry", mend="quote or encode its value")


class Cookies:
    """The request's cookies, and those that the answer sets. Touching them makes the answer this visitor's own."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.touched = False
        self.outgoing: list[str] = []

    def get(self, name: str, default: str | None = None) -> str | None:
        """Gives the value of a cookie that the browser sent."""
        self.touched = True
        return self._request.cookies.get(name, default)

    def set(
        self,
        name: str,
        value: str,
        *,
        max_age: int | None = None,
        path: str = "/",
        domain: str | None = None,
        secure: bool = False,
        http_only: bool = True,
        same_site: Literal["lax", "strict", "none"] = "lax",
    ) -> None:
        """Sets a cookie with the answer. `max_age` is in seconds; None means until the browser closes.

        Raises ContextError for a value that no cookie can carry (RFC 6265, 4.1.1).
        """
        self._check(name, path, domain)
        carrier = Response()
        try:
            carrier.set_cookie(name, value, max_age, None, path, domain, secure, http_only, same_site)
        except (CookieError, UnicodeEncodeError) as error:
            raise _no_cookie(name) from error
        self._send(carrier)

    def delete(self, name: str, *, path: str = "/", domain: str | None = None) -> None:
        """Tells the browser to forget a cookie."""
        self._check(name, path, domain)
        carrier = Response()
        carrier.delete_cookie(name, path, domain)
        self._send(carrier)

    @staticmethod
    def _check(name: str, path: str, domain: str | None) -> None:
        # RFC 6265, 4.1.1: a semicolon would begin another attribute.
        attributes = path + (domain or "")
        if not _TOKEN.fullmatch(name) or not re.fullmatch(r"[\x20-\x3a\x3c-\x7e]*", attributes):
            raise _no_cookie(name)

    def _send(self, carrier: Response) -> None:
        header = carrier.headers["set-cookie"]
        self.touched = True
        self.outgoing.append(header)
