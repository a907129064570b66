"""What dev remembers of this run: how each route was answered last, and what went wrong, folded."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hybridsite.action_table import ACTIONS
from hybridsite.dev.faults import Report, report, told_in_a_line
from hybridsite.dev.files import LiveFiles
from hybridsite.routes import Route
from hybridsite.site import Site
from hybridsite.urls import PathRefused
from hybridsite.used import Notes, noting

_MOST_URLS, _MOST_FAULTS = 100, 50


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer: its URL, status, seconds from the request to its last byte, bytes, when (seconds since the epoch).

    `cached` is what the route cache said of it, or "".
    """

    url: str
    status: int
    seconds: float
    size: int
    at: float
    cached: str = ""


@dataclass(slots=True)
class Measured:
    """The answers of a route: how many, how many of them from the cache, the last of each URL, the latest at the end.

    `keys` and `assets` are what was noted of what the latest was made from.
    """

    count: int = 0
    hits: int = 0
    by_url: OrderedDict[str, Answered] = field(default_factory=OrderedDict)
    keys: frozenset[str] = frozenset()
    assets: tuple[str, ...] = ()

    @property
    def last(self) -> Answered:
        """The latest answer."""
        return next(reversed(self.by_url.values()))

    def add(self, answered: Answered, notes: Notes) -> None:
        """Counts an answer."""
        self.count += 1
        self.hits += answered.cached == "HIT"
        self.by_url[answered.url] = answered
        self.by_url.move_to_end(answered.url)
        if len(self.by_url) > _MOST_URLS:
            self.by_url.popitem(last=False)
        self.keys = frozenset(notes.keys)
        self.assets = tuple(dict.fromkeys(name for name, _ in notes.assets))


@dataclass(slots=True)
class Fold:
    """One fault, however often it was met: what is told of it, when it was met first and last, and where last.

    `is_mended` where, as far as anybody has asked, it is no more: the site was loaded without it, its file was changed,
    or the request that met it last was answered since.
    """

    number: int
    text: str
    report: Report
    first: float
    last: float
    count: int = 1
    url: str = ""
    method: str = "GET"
    is_mended: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """The latest time that the site was loaded: how long it took in seconds, and when that was."""

    seconds: float
    at: float


class History:
    """Remembers a bounded number of answers and faults: what was met least lately goes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._measured: dict[str, Measured] = {}
        self._folds: OrderedDict[str, Fold] = OrderedDict()
        self._number = 0
        self.load: Load | None = None
        self.met = 0
        """How many faults were met in all."""

    def of(self, route: Route) -> Measured | None:
        """Gives what was measured of a route; None where nobody asked for it."""
        return self._measured.get(_name(route))

    @property
    def faults(self) -> Iterator[Fold]:
        """The faults, the latest first."""
        return reversed(self._folds.values())

    def fault(self, number: int) -> Fold | None:
        """Gives a fault by its number."""
        return next((fold for fold in self._folds.values() if fold.number == number), None)

    @property
    def standing(self) -> int:
        """How many faults aren't mended, as far as anybody has asked."""
        return sum(not fold.is_mended for fold in self._folds.values())

    def loaded(self, seconds: float) -> None:
        """Remembers that the site was loaded just now."""
        self.load = Load(seconds, time.time())

    def read_anew(self, changed: Collection[str] = ()) -> None:
        """Takes the faults of the sources for mended, and those in files that changed: one that stays is met again."""
        for fold in self._folds.values():
            in_changed = any(place.file in changed for place in fold.report.locations)
            fold.is_mended = fold.is_mended or in_changed or not fold.url

    def failed(self, error: BaseException, url: str = "", method: str = "GET") -> None:
        """Remembers a fault: one that is known already is counted once more."""
        text, now = told_in_a_line(error, self._root), time.time()
        told = report(error, self._root, with_values=True)
        self.met += 1
        fold = self._folds.get(text)
        if fold is None:
            self._number += 1
            self._folds[text] = Fold(self._number, text, told, now, now, url=url, method=method)
            if len(self._folds) > _MOST_FAULTS:
                self._folds.popitem(last=False)
            return
        fold.report, fold.last, fold.is_mended = told, now, False
        fold.url, fold.method = (url, method) if url else (fold.url, fold.method)
        fold.count += 1
        self._folds.move_to_end(text)

    async def answer(self, app: ASGIApp, site: Site, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets an application answer a request, and remembers how, where that was for a route.

        What went wrong at that path before is mended where the answer is no fault.
        """
        route = route_of(site, scope)
        gauge, began = _Gauge(send), time.perf_counter()
        with noting() as notes:
            await app(scope, receive, gauge)
        if 0 < gauge.status < 500:
            for fold in self._folds.values():
                fold.is_mended = fold.is_mended or (fold.url, fold.method) == (url_of(scope), scope["method"])
        if gauge.status and route is not None:
            query = scope.get("query_string", b"").decode("latin-1")
            raw = scope.get("raw_path") or quote(scope["path"]).encode()
            url = raw.decode("latin-1") + (f"?{query}" if query else "")
            seconds = time.perf_counter() - began
            answered = Answered(url, gauge.status, seconds, gauge.size, time.time(), gauge.cached)
            self._measured.setdefault(_name(route), Measured()).add(answered, notes)


class _Gauge:
    """Counts what an answer sends on its way."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = self.size = 0
        self.cached = ""

    async def __call__(self, message: Message) -> None:
        """Takes a message of ASGI."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.cached = dict(message["headers"]).get(b"x-cache", b"").decode("latin-1")
        elif message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
        await self._send(message)


def url_of(scope: Scope) -> str:
    """Gives the path of a request as it is told of a fault that was met there."""
    return "/" + quote(scope["path"].lstrip("/\\"))


def _name(route: Route) -> str:
    """Names a route: all actions have one source."""
    return f"{route.source} {route.pattern}"


def route_of(site: Site, scope: Scope) -> Route | None:
    """Gives the route whose code or page answers a request; None for files that are no pages, and for no answer."""
    if scope["method"] in ("HEAD", "OPTIONS"):
        return None
    try:
        segments = site.policy.read(scope.get("raw_path") or scope["path"].encode()).segments
    except PathRefused:
        return None
    if segments[:1] == (ACTIONS,):
        action = site.actions.get(segments[1]) if len(segments) == 2 else None
        return action.resource.route if action else None
    files = site.built
    try:
        if isinstance(files, LiveFiles) and scope["method"] == "GET" and (page := files.route_of(segments)) is not None:
            return page
        for match in site.router.match(segments):
            listing = site.listings.of(match.route)
            if not match.route.prerender and (listing is None or listing.find(match.params) is not None):
                return match.route
    except Exception:  # of paths(), or of a collection: whoever asks for the page is told
        return None
    return None
