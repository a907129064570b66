"""The cache around a page: an answer that is the same for all who ask alike is made once, and kept for a while.

It stands between middleware, which runs for every request, and the page. What was read of the request decides: an
answer that goes by anything but its path, and what was declared, is never kept, nor given to one who waited for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Scope, Send

from hybridsite.cache.entry import Cached, Entry, State, marks_of
from hybridsite.cache.policy import CachePolicy
from hybridsite.cache.shelf import Flight, Made, Shelf, Vocabulary, nobody
from hybridsite.cache.store import Looked
from hybridsite.cache.watching import WatchedRequest
from hybridsite.context import Context
from hybridsite.exchange import Rewrite
from hybridsite.manifest import etag
from hybridsite.resources import Resource

Produce = Callable[[], Awaitable[Response]]
Again = Callable[[Request], Awaitable[object]]

_NOT_MODIFIED = frozenset({b"content-length", b"content-type"})


class SharedFailure(Exception):
    """The answer that this request waited for failed. Another request, which made it, tells why."""


def watched(cache: Shelf | None, request: Request, path: str, resource: Resource) -> WatchedRequest | None:
    """Gives a request that notes what is read of it, where its answer may be kept; None elsewhere."""
    if cache is None or request.method not in ("GET", "HEAD"):
        return None
    if not resource.may_be_kept and cache.vocabulary(resource.route.source) is None:
        return None
    return WatchedRequest(request.scope, request.receive, path)


async def respond(context: Context, produce: Produce, again: Again, *, fresh: bool = False) -> Response:
    """Answers a request for a page or an endpoint from the cache, or by `produce`, whose answer may be kept.

    `again` answers a request of nobody, with `fresh`, to make a stale answer anew. Raises what `produce` raises, and
    SharedFailure in the place of what it raised for another request.
    """
    cache, request = context.site.cache, context._request
    if cache is None:
        return await produce()
    if isinstance(request, WatchedRequest):
        return await _Turn(context, cache, request, produce, again).answer(fresh=fresh)
    response = await produce()
    if (policy := policy_of(context)) is not None and request.method in ("GET", "HEAD"):
        cache.learn(context.resource.route.source, policy)  # from now on it is watched
        context._cached = Cached("BYPASS")
    return response


def policy_of(context: Context) -> CachePolicy | None:
    """Gives what the page says of its keeping: its code's word before that of its front matter."""
    own = context.cache.policy if context.touched("cache") else None
    return own or (context.resource.front.cache if context.resource.front else None)


class _Turn:
    """One request at the cache."""

    def __init__(self, context: Context, cache: Shelf, request: WatchedRequest, produce: Produce, again: Again) -> None:
        self._context = context
        self._cache = cache
        self._request = request
        self._scope = request.unwatched.scope
        self._produce = produce
        self._again = again
        self._source = context.resource.route.source
        self._path = context.site.policy.path(context._path)
        # What middleware has put there is its own, and not the page's.
        self._before = context.response.headers.raw if context.touched("response") else []

    async def answer(self, *, fresh: bool) -> Response:
        """Looks the answer up, waits for it, or makes it."""
        vocabulary = self._vocabulary()
        key = self._cache.key(self._source, self._path, vocabulary, self._scope)
        if key is None or self._obstacle(vocabulary) is not None or self._is_apart_by_itself():
            return await self._alone("BYPASS")
        is_head = self._scope["method"] == "HEAD"
        waits = not (is_head or fresh or self._cache.is_apart(key))
        looked = await self._cache.store.look(key, claim=waits)
        if looked.entry is not None and not fresh:
            return self._found(looked.entry, key, looked, vocabulary)
        flight = self._cache.flights.get(key)
        if flight is not None and flight.moment == looked.moment and (waits or is_head):
            return await self._joined(flight, vocabulary)
        if is_head:
            return await self._alone("MISS")
        make = self._made(key, looked, fresh=fresh, waits=waits)
        if not (waits or fresh):
            return self._own(await make)
        flight = self._cache.fly(key, looked.moment, make)
        try:
            return self._own(await asyncio.shield(flight.task))
        except Exception:
            flight.told = True
            raise

    def _found(self, entry: Entry, key: str, looked: Looked, vocabulary: Vocabulary) -> Response:
        """Gives what is kept; a stale one is made anew beside the request."""
        is_stale = looked.age >= entry.max_age
        if is_stale and looked.mine:
            request = Request(nobody(self._scope, vocabulary), _no_body)
            self._cache.refresh(key, self._path, looked.since, lambda: self._again(request))
        self._context._cached = Cached("STALE" if is_stale else "HIT", entry, key, looked.age, True)
        return _answer(entry)

    def _own(self, made: Made) -> Response:
        """Gives the answer that this request made, or that another server made meanwhile."""
        if made.entry is not None and made.kept:
            self._context._cached = Cached("MISS", made.entry, made.key)
            return _answer(made.entry)
        if policy_of(self._context) is not None:
            # What was invalidated while it was made is not kept, and yet it could have been.
            could = made.entry is not None and made.answer.status_code == 200
            self._context._cached = Cached("MISS" if could else "BYPASS")
        response: Response = made.answer
        return response

    async def _alone(self, state: State) -> Response:
        """Makes an answer for this request and nobody else."""
        response = await self._produce()
        policy = policy_of(self._context)
        if policy is not None:
            vocabulary = self._cache.learn(self._source, policy)
            if (found := self._obstacle(vocabulary)) is not None and response.status_code == 200:
                self._cache.warn(self._source, *found)
            self._context._cached = Cached(state)
        return response

    async def _joined(self, flight: Flight, vocabulary: Vocabulary) -> Response:
        """Waits for the answer that another request makes. One that is that visitor's own is made again."""
        try:
            made = await asyncio.shield(flight.task)
        except Exception as error:
            if self._cache.vocabulary(self._source) is None:
                return await self._alone("BYPASS")  # nobody has said that these answers are alike
            if not flight.told:
                flight.told = True
                raise
            raise SharedFailure from error
        now = self._vocabulary()
        if made.entry is not None and made.key == self._cache.key(self._source, self._path, now, self._scope):
            self._context._cached = Cached("MISS", made.entry, made.key)
            return _answer(made.entry, 200 if made.answer is None else made.answer.status_code)
        return await (self._alone("BYPASS") if made.entry is None else self.answer(fresh=False))

    async def _made(self, key: str, looked: Looked, *, fresh: bool, waits: bool) -> Made:
        """Makes an answer, and keeps it where it may be kept; or waits for the server that makes it already."""
        if waits and not looked.mine:
            looked = await self._cache.turn(key, looked)
            if looked.entry is not None:
                return Made(None, looked.entry, key, True)
        made = Made(None, None, key, False)
        try:
            made = await self._judged(key, looked.since)
        finally:
            if not made.kept:
                await self._cache.store.release(key, looked.since)
        if made.entry is None:
            self._cache.set_apart(key)
        elif made.kept:
            self._cache.take_back(key)
        if fresh and made.answer.status_code >= 500:
            told = f"it is answered {made.answer.status_code} now", "the stale one is given out as long as it may be"
            self._cache.warn(self._source, *told)
        elif fresh:
            self._cache.refreshed(key)
            if not made.kept:
                await self._cache.store.drop(key)  # the page isn't there any more, or is a visitor's own by now
        return made

    async def _judged(self, key: str, since: object) -> Made:
        response = await self._produce()
        policy = policy_of(self._context)
        if policy is None or isinstance(response, Rewrite):
            return Made(response, None, key, False)
        vocabulary = self._cache.learn(self._source, policy)
        found = self._obstacle(vocabulary) or self._flaw(response, vocabulary)
        own_key = self._cache.key(self._source, self._path, vocabulary, self._scope)
        if found is not None or own_key is None:
            if found is not None and response.status_code == 200:
                self._cache.warn(self._source, *found)
            return Made(response, None, key, False)
        entry = self._entry(response, policy, vocabulary)
        if response.status_code != 200:
            return Made(response, entry, own_key, False)
        return Made(response, entry, own_key, await self._cache.store.keep(own_key, entry, since))

    def _entry(self, response: Response, policy: CachePolicy, vocabulary: Vocabulary) -> Entry:
        headers = [*response.raw_headers]
        names = {name for name, _ in headers}
        if self._context.touched("response"):
            own = self._context.response.headers.raw
            headers += [pair for pair in own if pair not in self._before and pair[0] not in names]
        if vocabulary.vary:
            varies = {name.strip().lower() for name in response.headers.get("vary", "").split(",")} | {*vocabulary.vary}
            headers = [pair for pair in headers if pair[0] != b"vary"]
            headers.append((b"vary", ", ".join(sorted(varies - {""})).encode("latin-1")))
        body = bytes(response.body)
        marks = marks_of(policy, self._context._path.segments)
        return Entry(tuple(headers), body, etag(body), marks, policy.max_age, policy.swr)

    def _vocabulary(self) -> Vocabulary:
        policy = policy_of(self._context)
        if policy is not None:
            return self._cache.learn(self._source, policy)
        return self._cache.vocabulary(self._source) or Vocabulary()

    def _is_apart_by_itself(self) -> bool:
        """Tells whether a request says that its answer is the sender's own, or has a HEAD of its own."""
        module = self._context.resource.module
        if self._scope["method"] == "HEAD" and module is not None and module.function("HEAD") is not None:
            return True
        is_changed = self._context.touched("response") and self._context.response.status != 200
        return is_changed or any(name == b"authorization" for name, _ in self._scope["headers"])

    def _obstacle(self, vocabulary: Vocabulary) -> tuple[str, str] | None:
        """Tells why the answer is one visitor's own, as far as is known now, and what to do about it."""
        context = self._context
        session = context._session
        if (session is not None and session.touched) or context.resource.names_session:
            return "the session was used", "take its use out, or take the cache out"
        if context.touched("cookies") and context.cookies.touched:
            return "a cookie was read or set", "take it out, or take the cache out"
        if context.touched("csp_nonce") and context.csp_nonce is not None:
            return (
                "a script or a style in it has a nonce",
                "put what is inline into a file: a nonce is for one answer alone",
            )
        undeclared = self._request.reads.undeclared(vocabulary.vary, vocabulary.query)
        return None if undeclared is None else (f"it goes by {undeclared}", undeclared.mend)

    def _flaw(self, response: Response, vocabulary: Vocabulary) -> tuple[str, str] | None:
        """Tells what of an answer can't be kept."""
        body = getattr(response, "body", None)
        if type(response).__call__ is not Response.__call__ or not isinstance(body, bytes | memoryview):
            return "its body is streamed", "return it as a whole, or take the cache out"
        if response.background is not None:
            return "it has a background task, which would run once for many visitors", "take one of them out"
        if len(body) > self._cache.max_entry:
            return f"its body has {len(body)} bytes", "[cache] max_entry says how many it may have"
        headers = response.headers
        if "set-cookie" in headers:
            return "it sets a cookie", "take it out, or take the cache out"
        own = [headers.get("cache-control", "")]
        varies = [headers.get("vary", "")]
        if self._context.touched("response"):
            sent = self._context.response.headers
            if "set-cookie" in sent:
                return "it sets a cookie", "take it out, or take the cache out"
            own.append(sent.get("cache-control", ""))
            varies.append(sent.get("vary", ""))
        if any(word in said.casefold() for said in own for word in ("private", "no-store")):
            return "its Cache-Control says so", "take one of them out"
        names = {name.strip().lower() for said in varies for name in said.split(",")} - {"", *vocabulary.vary}
        if names:
            return f"it varies by {', '.join(sorted(names))}", "declare it: cache: {…, vary: […]}"
        return None


def _answer(entry: Entry, status: int = 200) -> Response:
    response = Response(entry.body, status)
    response.raw_headers = [*entry.headers]
    return response


async def _no_body() -> Message:
    return {"type": "http.request", "body": b""}


def concluded(context: Context, request: Request, response: Response) -> Response:
    """Says of a finished answer what came from the cache: X-Cache, Age, its ETag, or that the visitor has it already.

    What middleware has made of it since is left as it is.
    """
    cached, cache = context._cached, context.site.cache
    if cached is None or cache is None:
        return response
    headers, entry = response.raw_headers, cached.entry
    headers.append((b"x-cache", cached.state.encode("ascii")))
    names = {name for name, _ in headers}
    is_as_kept = entry is not None and response.status_code == 200 and getattr(response, "body", None) == entry.body
    if entry is None or not is_as_kept or b"set-cookie" in names:
        return response
    if b"etag" not in names:
        headers.append((b"etag", entry.etag.encode("ascii")))
    if cached.in_store and cached.state == "HIT" and _is_for_all(context, request):
        cache.make_ready(cached.key, entry, request.scope["raw_path"], headers)
    headers.append((b"age", b"%d" % cached.age))
    return not_modified(response) if knows(request.scope["headers"], entry.etag) else response


def _is_for_all(context: Context, request: Request) -> bool:
    """Tells whether the answer to this request's path, without a query, is the same whoever asks."""
    site, route = context.site, context.resource.route
    vocabulary = site.cache.vocabulary(route.source) if site.cache else None
    scope = request.scope
    if site.middleware or scope.get("query_string") or vocabulary is None or vocabulary.vary:
        return False
    canonical = site.policy.url(route.kind, context._path.segments, slash=context._path.slash)
    module = context.resource.module
    has_head = module is not None and module.function("HEAD") is not None
    return not has_head and scope.get("raw_path") == canonical.encode("ascii")


async def answered(cache: Shelf, raw: bytes, scope: Scope, send: Send) -> bool:
    """Sends the kept answer to a path as it was sent, where it is the same for everybody. Tells whether it did."""
    ready = cache.ready(raw)
    if ready is None or scope["query_string"] or scope["method"] not in ("GET", "HEAD"):
        return False
    knows_it = False
    for name, value in scope["headers"]:
        if name == b"authorization":
            return False
        if name == b"if-none-match":
            knows_it = knows_it or knows([(name, value)], ready[0].entry.etag)
    held, age = ready
    headers = [*held.ready, (b"age", b"%d" % age)]
    if knows_it:
        headers = [pair for pair in headers if pair[0] not in _NOT_MODIFIED]
    await send({"type": "http.response.start", "status": 304 if knows_it else 200, "headers": headers})
    body = b"" if knows_it or scope["method"] == "HEAD" else held.entry.body
    await send({"type": "http.response.body", "body": body})
    return True


def knows(headers: list[tuple[bytes, bytes]], tag: str) -> bool:
    """Tells whether a request's If-None-Match has a tag (RFC 9110, 13.1.2)."""
    sent = [value for name, value in headers if name == b"if-none-match"]
    if not sent:
        return False
    tags = [found.strip().removeprefix(b"W/") for found in b",".join(sent).split(b",")]
    return b"*" in tags or tag.encode("ascii") in tags


def not_modified(response: Response) -> Response:
    """Gives the 304 of an answer."""
    bare = Response(status_code=304)
    bare.raw_headers = [pair for pair in response.raw_headers if pair[0] not in _NOT_MODIFIED]
    return bare
