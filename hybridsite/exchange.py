"""The two sides of a request that code holds in its hands: what a prerendered page may ask, cookies, and the answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import copy
from http.cookies import CookieError
from types import SimpleNamespace
from typing import Any, Literal
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hybridsite.errors import Answer, ContextError

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# RFC 3986, 2: what a URL is written in; all else in a path that code gives is escaped.
_URL_SAFE = "-._~!$&'()*+,;=:@/%"
UNSAFE_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110, 5.5


class EarlyResponse(Answer):
    """Ends the rendering of a template with a response: what `redirect()` does there."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class Rewrite(Response):
    """What `rewrite()` gives: the request goes on for another path of the site, before anybody sees this."""

    def __init__(self, path: str, query: str) -> None:
        super().__init__(status_code=500)  # nothing keeps it, nor takes it for an answer
        self.path = path
        self.query = query

    @classmethod
    def to(cls, url: str) -> Rewrite:
        """Reads a path of the site, with or without a query. Raises ContextError for what is none."""
        if not re.match(r"/(?![/\\])", url):
            what = "rewrite() takes a path of the site, which begins with one slash"
            raise ContextError(what, mend="url_for() gives it")
        path, _, query = url.partition("#")[0].partition("?")
        return cls(quote(path, safe=_URL_SAFE), quote(query, safe=_URL_SAFE + "?"))


class Rendered(HTMLResponse):
    """What `render()` gives: a response in Python, and in a template the HTML itself."""

    def __html__(self) -> str:
        return bytes(self.body).decode("utf-8")

    __str__ = __html__


def copied(response: Response) -> Response:
    """Gives a copy of what the site's code returned: it may be one object for many requests, and headers are added."""
    own = copy(response)
    own.raw_headers = [*response.raw_headers]
    own.__dict__.pop("_headers", None)
    return own


class PrerenderRequest:
    """`request` on a page that is rendered at build: there is no visitor, so only `url` and `method` are known."""

    __slots__ = ("_page", "method", "url")

    def __init__(self, request: Request, page: str) -> None:
        self.url = request.url
        self.method = request.method
        self._page = page

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ContextError(
            f"request.{name} is asked for on a prerendered page",
            why="it is rendered at build, where there is no visitor: only request.url and request.method are known",
            mend=f"give {self._page} prerender: false",
        )


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


class Outgoing:
    """`response`: status and headers of the answer that will be sent, where the code doesn't make a Response itself."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.headers = MutableHeaders()


class Locals(SimpleNamespace):
    """A namespace that templates may also ask for a key (`locals["user"]`)."""

    def __getitem__(self, name: str) -> object:
        return self.__dict__[name]


class Lazy:
    """Stands for a value that is made when a template first asks something of it."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._make(), name)


class LazyResult(Lazy):
    """`action_result` in a template: a page that only names it on a way not taken leaves it for later."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return bool(self._make())

    def __str__(self) -> str:
        return str(self._make())


def redirect_to(to: str, status: int) -> Response:
    """Gives an answer that leads to `to`. Raises ContextError for a status or a target that can't be one.

    A target on another host has to be written with its scheme: `//host`, and what browsers read as that, is refused
    (CWE-601).
    """
    if status not in (301, 302, 303, 307, 308):
        raise ContextError(f"{status} is no status of a redirect", mend="use 301, 302, 303, 307 or 308")
    if UNSAFE_HEADER.search(to) or "\t" in to or re.match(r"[\s/\\]*[/\\][\s]*[/\\]|\s", to):
        raise ContextError(
            "the target of redirect() would lead to another host, or is no URL",
            mend="write a path that begins with one slash, or a whole URL with its scheme",
        )
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", to)
    if scheme and scheme[1].lower() not in ("http", "https"):
        raise ContextError(f'redirect() doesn\'t lead to "{scheme[1]}:" URLs')
    return RedirectResponse(to, status)
