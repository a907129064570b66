"""A request that notes what is read of it, so that an answer is kept only where it goes by what was declared.

What isn't known to be harmless is noted as the whole request. A page is free to read it: then it isn't kept.
"""

from __future__ import annotations

from collections.abc import Collection, MutableMapping
from typing import Any

from starlette.datastructures import URL, Address, Headers, QueryParams
from starlette.requests import Request
from starlette.types import Message, Receive, Scope

from hybridsite.urls import Url


class Reads:
    """What was read of one request: headers and parameters of the query by their names, and anything else in words."""

    __slots__ = ("headers", "others", "query")

    def __init__(self) -> None:
        self.headers: set[str] = set()
        self.query: set[str] = set()
        self.others: set[str] = set()

    def undeclared(self, vary: Collection[str], query: Collection[str]) -> Undeclared | None:
        """Gives what was read and is no part of the key; None where there is nothing."""
        if not (self.headers or self.query or self.others):
            return None
        found = Undeclared(self.headers.difference(vary), self.query.difference(query), self.others)
        return found if found.headers or found.query or found.others else None


class Undeclared:
    """What keeps an answer from being kept, in words."""

    def __init__(self, headers: Collection[str], query: Collection[str], others: Collection[str]) -> None:
        self.headers = sorted(headers)
        self.query = sorted(query)
        self.others = sorted(others)

    def __str__(self) -> str:
        headers = [f"the header {name}" for name in self.headers]
        return ", ".join([*self.others, *headers, *(f"the parameter {name} of the query" for name in self.query)])

    @property
    def mend(self) -> str:
        """What to declare, or why that can't be done."""
        if self.others or "cookie" in self.headers:
            return "an answer that goes by it is one visitor's own: take it out, or take the cache out"
        parts = {"vary": self.headers, "query": self.query}
        told = ", ".join(f"{key}: [{', '.join(names)}]" for key, names in parts.items() if names)
        return f"declare it: cache: {{…, {told}}}"


class WatchedRequest(Request):
    """Starlette's request, watched. `path` is the one that the router matched."""

    def __init__(self, scope: Scope, receive: Receive, path: str) -> None:
        self.reads = Reads()
        self.unwatched = Request(scope, receive)
        self._canonical_path = path
        super().__init__(scope, self._watched_receive(receive))

    @property
    def scope(self) -> Scope:
        """The whole of it, which can't be followed."""
        self.reads.others.add("the whole request")
        return self.unwatched.scope

    @scope.setter
    def scope(self, scope: Scope) -> None:
        pass  # the unwatched one has it

    def __bool__(self) -> bool:
        return True

    @property
    def method(self) -> str:
        """GET and HEAD are answered alike."""
        return self.unwatched.method

    @property
    def headers(self) -> Headers:
        """The headers, each noted when it is read."""
        if not hasattr(self, "_headers"):
            self._headers: Headers = _WatchedHeaders(self.unwatched.scope, self.reads)
        return self._headers

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies."""
        self.reads.others.add("a cookie")
        return self.unwatched.cookies

    @property
    def query_params(self) -> QueryParams:
        """The parameters of the query, each noted when it is read."""
        if not hasattr(self, "_query_params"):
            raw = self.unwatched.scope.get("query_string", b"")
            self._query_params: QueryParams = _WatchedQuery(raw, self.reads)
        return self._query_params

    @property
    def path_params(self) -> dict[str, Any]:
        """Starlette's own, which are never set here."""
        return {}

    @property
    def url(self) -> URL:
        """Starlette's URL: all of it but its path is the client's word."""
        if not hasattr(self, "_watched_url"):
            self._watched_url = _WatchedStarletteUrl(self, self._canonical_path)
        return self._watched_url

    @property
    def client(self) -> Address | None:
        """The visitor's address."""
        self.reads.others.add("the visitor's address")
        return self.unwatched.client

    def _watched_receive(self, receive: Receive) -> Receive:
        async def watched() -> Message:
            self.reads.others.add("the body")
            return await receive()

        return watched


class _WatchedHeaders(Headers):
    """Headers that note which are read; whoever asks for all of them at once reads all."""

    def __init__(self, scope: MutableMapping[str, Any], reads: Reads) -> None:
        self._reads = reads
        self._plain = Headers(raw=list(scope["headers"]))

    @property
    def _list(self) -> list[tuple[bytes, bytes]]:  # type: ignore[override]
        self._reads.others.add("all headers at once")
        return self._plain._list

    def _note(self, key: object) -> None:
        self._reads.headers.add(str(key).lower())

    def getlist(self, key: str) -> list[str]:
        self._note(key)
        return self._plain.getlist(key)

    def __getitem__(self, key: str) -> str:
        self._note(key)
        return self._plain[key]

    def __contains__(self, key: Any) -> bool:
        self._note(key)
        return key in self._plain


class _WatchedQuery(QueryParams):
    """A query that notes which of its parameters are read."""

    def __init__(self, raw: bytes, reads: Reads) -> None:
        self._reads = reads
        self._plain = QueryParams(raw)

    def _all(self) -> QueryParams:
        self._reads.others.add("the whole query")
        return self._plain

    @property
    def _dict(self) -> dict[str, str]:  # type: ignore[override]
        return self._all()._dict

    @property
    def _list(self) -> list[tuple[str, str]]:  # type: ignore[override]
        return self._all()._list

    def getlist(self, key: Any) -> list[str]:
        self._reads.query.add(str(key))
        return self._plain.getlist(key)

    def __getitem__(self, key: str) -> str:
        self._reads.query.add(str(key))
        return self._plain[key]

    def __contains__(self, key: Any) -> bool:
        self._reads.query.add(str(key))
        return key in self._plain


class _WatchedStarletteUrl(URL):
    """Starlette's URL, whose path alone is harmless."""

    def __init__(self, request: WatchedRequest, path: str) -> None:
        self._request = request
        self._path = path

    @property
    def _url(self) -> str:  # type: ignore[override]
        self._request.reads.others.add("the host, the scheme or the query of request.url")
        return str(self._request.unwatched.url)

    @property
    def path(self) -> str:
        return self._path


class WatchedUrl(Url):
    """`context.url`: its path is what the router matched, its origin the site's own where `[site] url` is set."""

    __slots__ = ("_made", "_own_origin", "_reads")
    _made: Url
    _own_origin: bool
    _reads: Reads

    def __init__(self, url: Url, reads: Reads, *, own_origin: bool) -> None:
        # The fields of Url are read through the properties below.
        for name, value in (("_made", url), ("_reads", reads), ("_own_origin", own_origin)):
            object.__setattr__(self, name, value)

    def _origin(self) -> Url:
        if not self._own_origin:
            self._reads.others.add("the host or the scheme, since [site] url is not set")
        return self._made

    @property
    def path(self) -> str:
        """The decoded path."""
        return self._made.path

    @property
    def scheme(self) -> str:
        """http or https."""
        return self._origin().scheme

    @property
    def netloc(self) -> str:
        """The host, with its port."""
        return self._origin().netloc

    @property
    def query(self) -> str:
        """The query as it was sent, which is read as a whole."""
        self._reads.others.add("the whole query (request.query_params has the parameters one by one)")
        return self._made.query
