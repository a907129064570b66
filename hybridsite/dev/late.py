"""What plugins add to a finished build, such as the sitemap and the search index: made when it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from starlette.types import Scope

from hybridsite.build.finishing import built_page, public_file
from hybridsite.build.plan import PlannedPage, plan
from hybridsite.dev.files import Content, LiveFiles
from hybridsite.dev.telling import Say, told_when_long
from hybridsite.errors import Faults, PluginError, SiteError, SiteErrors
from hybridsite.plugins import FinishedBuild
from hybridsite.site import Site
from hybridsite.urls import PathRefused


class LateFiles:
    """Lets the plugins of a state of the site add their files, once, when one that nothing else is is asked for."""

    def __init__(self, site: Site, files: LiveFiles, say: Say) -> None:
        self._site = site
        self._files = files
        self._say = say
        self._done: set[str] = set()
        self._lock = asyncio.Lock()

    async def prepare(self, scope: Scope) -> None:
        """Makes what a request may be for. What goes wrong is told where the file would stand."""
        if not self._site.plugins.see_builds or scope["method"] not in ("GET", "HEAD"):
            return
        raw = scope.get("raw_path") or scope["path"].encode()
        try:
            segments = self._site.policy.read(raw).segments
        except PathRefused:
            return
        url = raw.decode("ascii", "replace")
        self._files.forget_fault(url)  # it is tried again: its cause may lie outside of the site
        if not segments or url in self._files or next(self._site.router.match(segments), None) is not None:
            return
        async with self._lock:
            wanted = [name for name in self._site.plugins.adding("/".join(segments)) if name not in self._done]
            for name in wanted:
                self._done.add(name)
                try:
                    async with told_when_long(self._say, partial("{} is made".format, name)):
                        self._files.added |= await self._made(name)
                except (SiteError, SiteErrors) as error:
                    self._done.discard(name)
                    self._files.add_fault(url, error)

    async def _made(self, name: str) -> Mapping[str, Content]:
        """Calls one plugin, in a thread: it asks for pages as if they were there. Raises SiteError and SiteErrors."""
        faults = Faults()
        pages = await plan(self._site, faults)
        faults.raise_any()
        loop = asyncio.get_running_loop()
        by_output = {page.output: page for page in pages}
        added: dict[str, Content] = {}

        def read(file: str) -> bytes:
            return asyncio.run_coroutine_threadsafe(self._read(file, by_output), loop).result()

        def add(file: str, body: bytes) -> None:
            try:
                found = list(public_file(self._site, file, body))
            except PathRefused:
                raise PluginError(f'"{file}" is no path that a request can ask for') from None
            added.update((each.url, Content(body, each.type, each.headers)) for each in found)

        build = FinishedBuild(self._site, [built_page(self._site, page) for page in pages], read=read, add=add)
        await asyncio.to_thread(partial(self._site.plugins.built, build, only=name))
        return added

    async def _read(self, file: str, pages: Mapping[str, PlannedPage]) -> bytes:
        page = pages.get(file)
        if page is not None and not self._site.resources[page.match.route.source].guard:
            body = (await self._files.rendered(page.match, page.segments)).body
        else:
            found = self._files.get(self._site.policy.url("file", tuple(file.split("/"))))
            opened = None if found is None or found.guard is not None else await found.opened()
            if not isinstance(opened, Content):
                raise PluginError(f"there is no {file} in dist/client/", mend="the pages of the build have their files")
            body = opened.body
        return body if isinstance(body, bytes) else body.read_bytes()
