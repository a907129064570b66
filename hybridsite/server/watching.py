"""What watches a server: metrics and spans stand around requests, renderings, and the calls of the two stores.

Each is put in its place when a build is loaded; where nothing watches, nothing stands there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Literal, Protocol

import jinja2
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hybridsite.answers import NOTES
from hybridsite.server.app import FILE, PROBES, App

Kind = Literal["render", "session", "cache"]
# RFC 9110, 9.3, and RFC 5789. Anybody may send any other word, and each would be a series of its own.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "OTHER"
NO_ROUTE, PROBE = "(none)", "(probe)"
NO_PATTERNS = (NO_ROUTE, PROBE, FILE)


class Watcher(Protocol):
    """Watches a server. It is told names that the site gives, and never what a visitor sends or has."""

    def start(self) -> None:
        """Begins, in the process that answers."""

    def stop(self) -> None:
        """Ends, and gives out the rest. It may take its time."""

    def look(self, app: App, build: str) -> None:
        """Is called once a second with what answers now, and the name of its build."""

    async def noted(self, answer: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Has a request answered."""

    def around(self, kind: Kind, name: str) -> AbstractContextManager[None]:
        """Stands around a piece of work."""
        ...


class Visit:
    """A request as it is answered. `status` is 500 where no answer began; `cache` is what X-Cache said."""

    __slots__ = ("began", "cache", "method", "notes", "size", "status")

    def __init__(self, scope: Scope) -> None:
        self.began = time.perf_counter()
        self.method: str = scope["method"] if scope["method"] in _METHODS else OTHER
        self.notes: dict[str, Any] = scope.setdefault(NOTES, {})
        self.status, self.size = 500, 0
        self.cache: str | None = None

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.perf_counter() - self.began

    async def answered(self, answer: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Has it answered, and notes the answer."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                for key, value in message.get("headers", ()):
                    if key == b"x-cache":
                        self.cache = value.decode("latin-1")
            else:
                self.size += len(message.get("body", b""))
            await send(message)

        await answer(scope, receive, sending)

    def route(self, app: App, scope: Scope) -> str:
        """Gives the pattern of the route that answered: of a few, whatever paths are asked for."""
        noted: str | None = self.notes.get("route")
        if noted is not None:
            return noted
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        if raw in PROBES:
            return PROBE
        return app.pattern(raw) if self.cache or app.has_file(raw) else NO_ROUTE


def watch(app: App, watchers: Sequence[Watcher]) -> None:
    """Lets all that a build does be watched; what it shares with the build before is watched already."""
    if not watchers:
        return
    site = app.site
    if site.sessions is not None:
        site.sessions.store.watch(_around(watchers, "session"))
    if site.cache is not None:
        site.cache.watch(_around(watchers, "cache"))
    if "render" not in vars(site.templates):
        rendered = partial(_rendered, site.templates.render, _around(watchers, "render"))
        site.templates.render = rendered  # type: ignore[method-assign]


def _rendered(
    render: Callable[[jinja2.Template, Mapping[str, object]], str],
    around: Callable[[str], AbstractContextManager[None]],
    template: jinja2.Template,
    values: Mapping[str, object],
) -> str:
    with around(template.name or "(text)"):
        return render(template, values)


def _around(watchers: Sequence[Watcher], kind: Kind) -> Callable[[str], AbstractContextManager[None]]:
    if len(watchers) == 1:
        return partial(watchers[0].around, kind)

    @contextmanager
    def all_around(name: str) -> Iterator[None]:
        with watchers[0].around(kind, name), watchers[1].around(kind, name):
            yield

    return all_around
