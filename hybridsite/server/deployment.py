"""create_app(): a built site as an ASGI application, which goes over to the next build when that is there."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import time
from collections.abc import Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from hybridsite.errors import ServeError
from hybridsite.extras import install
from hybridsite.manifest import SHOWN
from hybridsite.modules import forget_root
from hybridsite.server.app import App
from hybridsite.server.builds import Build, Place, Signature, forget_served, load_build, touch_served
from hybridsite.server.gate import Gate
from hybridsite.server.journal import Journal
from hybridsite.server.watching import Watcher, watch
from hybridsite.settings import ServerSettings

_log = logging.getLogger("hybridsite")

_EVERY = 1.0  # seconds between two looks at dist/
_LONGEST = 60.0
_TOUCHING = 120  # looks, until others are told again that the build is served
_CLOSING = 0.5
# How many objects more there are before garbage is looked for.
_NEW_OBJECTS = 10_000


class _Failure(NamedTuple):
    """A build that couldn't be served: until when it isn't tried again, and how long that is."""

    signature: Signature | None
    until: float
    pause: float


class Deployment:
    """A site as it is served: one build at a time, answered as a whole.

    While the next one is loaded, the last one answers. A request that has begun with a build ends with it. `journal`,
    where there is one, notes each request.
    """

    def __init__(self, place: Path, environ: Mapping[str, str], *, alone: bool = False) -> None:
        self._place = Place.of(place, environ, alone=alone)
        self._build = load_build(self._place)
        self.gate = Gate(self._build.app.site.settings.limits)
        self._journal: Journal | None = None
        self._watchers = _watchers(self._build.app.site.settings.server)
        self._answer: ASGIApp | None = None  # by what is watched; None where the build answers at once
        self._watch_requests()
        self._join(self._build.app)
        self._lock = asyncio.Lock()
        self._failed: _Failure | None = None
        self._old: list[Build] = []
        self._retiring: set[asyncio.Task[None]] = set()

    @property
    def current(self) -> App:
        """What answers now."""
        return self._build.app

    @property
    def build(self) -> str:
        """The name of the build that is served."""
        return self._build.name

    @property
    def journal(self) -> Journal | None:
        """What notes each request in the log."""
        return self._journal

    @journal.setter
    def journal(self, journal: Journal | None) -> None:
        self._journal = journal
        self._watch_requests()

    def _watch_requests(self) -> None:
        """Puts what watches requests around each other, the journal outermost: it gives them their names."""
        answer: ASGIApp = self._answered
        outer = () if self._journal is None else (self._journal,)
        for watcher in (*self._watchers, *outer):
            answer = partial(watcher.noted, answer)
        self._answer = answer if self._watchers or outer else None

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._build.app(scope, receive, send)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speaks ASGI 3."""
        if scope["type"] == "http":
            if self._answer is None:
                await self._build.app(scope, receive, send)
            else:
                await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        for watcher in self._watchers:
            watcher.start()
            watcher.look(self.current, self.build)
        try:
            await self.current.start()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        self.current.site.notices.listen(_tell)
        watching = [asyncio.create_task(work()) for work in (self._watch, self._keep_time)]
        if self.journal is not None:
            self.journal.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in (*watching, *self._retiring):
            task.cancel()
        await asyncio.gather(*watching, *self._retiring, return_exceptions=True)
        site = self.current.site
        if site.cache is not None:
            await site.cache.stop()
        if site.sessions is not None:
            await site.sessions.stop()
        if self.journal is not None:
            self.journal.stop()
        for watcher in self._watchers:
            await asyncio.to_thread(watcher.stop)
        await send({"type": "lifespan.shutdown.complete"})

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            self.gate.look()
            for watcher in self._watchers:
                watcher.look(self.current, self.build)

    async def _watch(self) -> None:
        for turn in count(1):
            await asyncio.sleep(_EVERY)
            if turn % _TOUCHING == 0:
                touch_served(self._place, self._build.name)
            if self._place.signature() not in (None, self._build.signature) and not self._is_waiting():
                await self.look()

    def _is_waiting(self) -> bool:
        """Tells whether what lies in dist/ has failed already, and isn't to be tried again yet."""
        failed = self._failed
        return failed is not None and failed.signature == self._place.signature() and time.monotonic() < failed.until

    def _join(self, app: App) -> None:
        app.join(self.gate, lambda: self._newer(app))
        watch(app, self._watchers)

    async def _newer(self, asker: App) -> App | None:
        """Gives what answers with the build that lies in dist/, where that isn't the one which asks."""
        if self._build.app is asker:
            if self._place.signature() in (None, self._build.signature) or self._is_waiting():
                return None
            await self.look()
        return None if self._build.app is asker else self._build.app

    async def look(self) -> None:
        """Takes over the build that lies in dist/, if it is another one. One that can't be served is told, and left."""
        await asyncio.shield(asyncio.ensure_future(self._look()))  # whoever asks may go away meanwhile

    async def _look(self) -> None:
        async with self._lock:
            signature, began = self._place.signature(), time.monotonic()
            if signature in (None, self._build.signature):
                return
            try:
                fresh = await asyncio.to_thread(load_build, self._place, self._build)
                self._join(fresh.app)
                await self._start(fresh)
            except Exception as error:
                failed = self._failed
                again = failed is not None and failed.signature == signature
                pause = min(2 * failed.pause, _LONGEST) if again and failed is not None else _EVERY
                self._failed = _Failure(signature, time.monotonic() + pause, pause)
                _log.error("the new build can't be served, and the one before goes on: %s", error)
                _log.debug("how it came to this", exc_info=error)
                return
            before, self._build, self._failed = self._build, fresh, None
            self.gate.limits = fresh.app.site.settings.limits
            if before.name != fresh.name:
                took = time.monotonic() - began
                _log.info("build %s is served, taken over in %.2f s", fresh.name[:SHOWN], took)
            for watcher in self._watchers:
                watcher.look(self.current, self.build)
            self._old.append(before)
            task = asyncio.create_task(self._retire(before))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def _start(self, fresh: Build) -> None:
        """Opens what the new build doesn't take over from the last one."""
        site, last = fresh.app.site, self.current.site
        if site.sessions is not None and site.sessions is not last.sessions:
            await site.sessions.start()
        if site.cache is not None:
            await site.cache.start()
        site.notices.listen(_tell)

    async def _retire(self, before: Build) -> None:
        """Closes what the last build alone used, when its last request has ended."""
        while before.app.under_way:
            await asyncio.sleep(_CLOSING)
        self._old.remove(before)
        used = [self._build, *self._old]
        site, name = before.app.site, before.name
        if site.cache is not None:
            await site.cache.stop()
        if site.sessions is not None and all(site.sessions is not one.app.site.sessions for one in used):
            await site.sessions.stop()
        if all(site.root != one.app.site.root for one in used):
            forget_root(site.root)
        del before, site
        if gc.get_freeze_count():
            settle()
        await asyncio.to_thread(forget_served, self._place, (name, *(one.name for one in used)))


def _watchers(settings: ServerSettings) -> list[Watcher]:
    """Gives what watches the server as long as it runs. Raises ServeError where an extra is missing."""
    watchers: list[Watcher] = []
    if settings.metrics.port is not None:
        try:
            from hybridsite.server.metrics import shared_metrics
        except ImportError as error:
            raise _missing("[server.metrics] port", "metrics", error) from error
        watchers.append(shared_metrics())
    if settings.spans:
        try:
            from hybridsite.server.spans import Spans
        except ImportError as error:
            raise _missing("[server] spans", "otel", error) from error
        watchers.append(Spans())
    return watchers


def _missing(setting: str, extra: str, error: ImportError) -> ServeError:
    what = f"{setting} is set, and its package can't be loaded"
    return ServeError(what, why=str(error), mend=install(extra))


def _tell(fault: object) -> None:
    _log.error("%s", fault)


def settle() -> None:
    """Leaves what is loaded out of the search for garbage: it stays as long as its build.

    Sixty requests that wait at once hold some thousands of objects, none of them garbage. Python would look for some
    at each 700 new ones: a tenth of all the time that a change of a session takes.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])


def create_app(place: str | Path, *, environ: Mapping[str, str] | None = None, alone: bool = False) -> Deployment:
    """Makes the ASGI application of a built site. `place` is the site's folder, or its dist/.

    With `alone`, sessions and kept answers are in the memory of this process, whatever drivers the settings name.
    Its store is opened by the server's lifespan. Raises SiteError where the site isn't built, its settings don't
    hold, or its secret is none.
    """
    return Deployment(Path(place), os.environ if environ is None else environ, alone=alone)
