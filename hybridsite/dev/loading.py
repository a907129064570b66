"""The site as dev gives it out: loaded, with its pages by what a build would do and all else by what a server does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hybridsite.config import Settings
from hybridsite.dev.files import LiveFiles, LiveIndex, given_paths, guarded_paths
from hybridsite.dev.late import LateFiles
from hybridsite.dev.telling import Say
from hybridsite.given import ErrorFile
from hybridsite.inheritance import Inheritance
from hybridsite.island_props import Island
from hybridsite.rendering import Failed, respond
from hybridsite.routes import Match
from hybridsite.security import derived_key, signing_keys
from hybridsite.server.app import App
from hybridsite.server.state import make_sessions
from hybridsite.sessions.manager import SessionManager
from hybridsite.site import Mode, Site, load_site, with_plan
from hybridsite.urls import RequestPath

_DEV = Mode(prerendering=True, drafts=True, serving=True)


class SiteApp(App):
    """One state of a site. What goes wrong is told to its author."""

    def __init__(self, site: Site, files: LiveFiles, late: LateFiles, failed: Failed) -> None:
        super().__init__(site, LiveIndex(files))
        self._hosts = frozenset()  # dev's own door has asked
        self._late = late
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speaks ASGI 3."""
        await self._late.prepare(scope)
        await super().__call__(scope, receive, send)

    async def _answer(self, request: Request, path: RequestPath | None) -> Response:
        return await respond(self.site, request, path, failed=self._failed)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A state of the site, and what answers with it."""

    site: Site
    app: SiteApp


class ErrorFiles(Mapping[int, ErrorFile]):
    """The error pages of a state by status: what is wrong with one is raised when it is asked for."""

    def __init__(self, pages: Mapping[int, ErrorFile | Exception]) -> None:
        self._pages = pages

    def __getitem__(self, status: int) -> ErrorFile:
        found = self._pages[status]
        if isinstance(found, Exception):
            raise found
        return found

    def __iter__(self) -> Iterator[int]:
        return iter(self._pages)

    def __len__(self) -> int:
        return len(self._pages)


class Loader:
    """Loads a site again and again; its sessions stay open over that, while nothing is changed that they rest on."""

    def __init__(
        self, root: Path, state: Path, environ: Mapping[str, str], failed: Failed, say: Say = lambda line: None
    ) -> None:
        self.root = root.resolve()
        self._state = state
        self._environ = environ
        self._failed = failed
        self._say = say
        self._sessions: tuple[object, SessionManager | None] | None = None
        self._islands: dict[str, Island] = {}
        self._inheritance = Inheritance()

    @property
    def progress(self) -> int:
        """How many parts of the site the load under way has gone through."""
        return self._inheritance.progress

    async def load(self, changed: Iterable[str] = ()) -> Loaded:
        """Reads the site as it is now. What `changed` doesn't touch is taken over. Raises SiteError and SiteErrors."""
        cache_folder = self._state / "cache" / "assets"
        self._inheritance.note_changes(changed)
        with self._inheritance.passed_on():
            site = await asyncio.to_thread(load_site, self.root, _DEV, environ=self._environ, cache=cache_folder)
        key = cache(lambda: derived_key(signing_keys(self._environ, self._state)[0], "islands"))
        if site.templates.has_islands():
            key()
        # A page that a browser shows refers to what was placed before its sources changed, too.
        site = replace(site, islands=replace(site.islands, key=key, placed=self._islands, known=self._islands))
        self._forget_islands(site)
        paths = await given_paths(site)
        known = (path for given in paths.values() if not isinstance(given, Exception) for path in given)
        site = with_plan(site, known)
        files = LiveFiles(site, paths, self._failed)
        errors = await self._error_files(site, files)
        served = replace(
            site,
            mode=Mode(prerendering=False, drafts=True),
            built=files,
            guarded=guarded_paths(files, site.policy),
            error_files=errors,
            sessions=await self._opened_sessions(site.settings),
        )
        return Loaded(served, SiteApp(served, files, LateFiles(site, files, self._say), self._failed))

    @staticmethod
    async def _error_files(site: Site, files: LiveFiles) -> dict[str, ErrorFiles]:
        """Renders the error pages of all visitors: they are given out in the middle of other answers."""
        found: dict[str, dict[int, ErrorFile | Exception]] = {}
        for route in (route for own in site.router.errors_in.values() for route in own.values()):
            if route.prerender:
                pages = found.setdefault(route.locale, {})
                try:
                    pages[route.status] = await files.error_page(Match(route, {}))
                except Exception as error:
                    pages[route.status] = error
        return {locale: ErrorFiles(pages) for locale, pages in found.items()}

    async def _opened_sessions(self, settings: Settings) -> SessionManager | None:
        rests_on = (settings.session, settings.site.base)
        if self._sessions is not None and self._sessions[0] == rests_on:
            return self._sessions[1]
        fresh = make_sessions(settings, self._state, self._environ)
        if fresh is not None:
            await fresh.start()
        before, self._sessions = self._sessions, (rests_on, fresh)
        if before is not None and before[1] is not None:
            await before[1].stop()
        return fresh

    def _forget_islands(self, site: Site) -> None:
        """Forgets the islands whose components are gone."""
        names = set(site.templates.names())
        for digest in [digest for digest, island in self._islands.items() if island.component not in names]:
            del self._islands[digest]

    async def close(self) -> None:
        """Closes the store of the sessions."""
        if self._sessions is not None and self._sessions[1] is not None:
            await self._sessions[1].stop()
        self._sessions = None
