"""For tests: a site that is built and asked in the test's own process, and the tests of a session driver of one's own.

    from hybridsite.testing import build_site, client

    site = build_site(Path(__file__).parent.parent)

    def test_a_guest_is_sent_to_the_sign_in():
        assert client(site).get("/account/").url == "/login/"

The site's folder stays as it is, and nothing leaves the process but what the site's own code sends: sessions and kept
pages are in memory, whatever drivers the settings name.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any, Self, TypeVar

from hybridsite.asking import Answer
from hybridsite.build import build
from hybridsite.build.rows import BuildReport
from hybridsite.errors import SiteError, SiteErrors
from hybridsite.places import STATE
from hybridsite.server.deployment import Deployment, create_app
from hybridsite.server.life import Life
from hybridsite.sessions.contract import StoreContract
from hybridsite.visitor import Client

__all__ = ["Answer", "BuiltSite", "Client", "StoreContract", "build_site", "client"]

T = TypeVar("T")
_LEFT_OUT = ("dist", "node_modules", "__pycache__")
_OWN_VARIABLES = "HYBRIDSITE_"


def build_site(
    source: str | Path | Mapping[str, str | bytes], *, environ: Mapping[str, str] | None = None, drafts: bool = False
) -> BuiltSite:
    """Builds a site in a folder of its own: a copy of the folder `source`, or its files by their names.

    Text in a mapping is dedented, and site.toml is empty where it isn't named. `environ` adds to the variables of the
    process, of which those that begin with HYBRIDSITE_ don't count. Raises SiteError or SiteErrors as
    `hybridsite build` tells them, without the lines of hybridsite that they came through.
    """
    __tracebackhide__ = True  # pytest shows the line that asked for the site
    own = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_VARIABLES)}
    variables = own | dict(environ or {})
    place = Path(tempfile.mkdtemp(prefix="hybridsite-"))
    folder = place.resolve() / "site"
    try:
        if isinstance(source, Mapping):
            write_files(folder, {"site.toml": "", **source})
        else:
            shutil.copytree(source, folder, ignore=_left_out)
        options = build.BuildOptions(drafts=drafts, jobs=1)
        report = build.build_site(folder, folder / STATE, environ=variables, options=options)
        return BuiltSite(folder, report, create_app(folder, environ=variables, alone=True))
    except BaseException as error:
        shutil.rmtree(place, ignore_errors=True)
        if isinstance(error, SiteError | SiteErrors):
            raise error.with_traceback(None) from None
        raise


def client(site: BuiltSite) -> Client:
    """Gives a visitor who has never been to the site: no cookies, and a session of its own."""
    return Client(site.app, site.run)


class BuiltSite:
    """A site under test: one build, and one server for all its visitors, which starts when it is first asked.

    `folder` is where it was built, `report` what `hybridsite build` tells: `report.notices` are the undefined sessions.
    It goes away with the last reference to it, with `close()`, or at the end of a `with` block.
    """

    def __init__(self, folder: Path, report: BuildReport, app: Deployment) -> None:
        self.folder = folder
        self.report = report
        self.app = app
        self._server: _Server | None = None
        self._lock = threading.Lock()
        self._tidy = weakref.finalize(self, shutil.rmtree, folder.parent, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def read(self, file: str) -> str:
        """Gives the text of a file that the build wrote for all visitors: `site.read("about/index.html")`."""
        return (self.folder / "dist" / "client" / file).read_text("utf-8")

    def run(self, function: Callable[..., Coroutine[Any, Any, T]], *arguments: object) -> T:
        """Waits for what an async function does where the site is served. Raises SiteError where that was closed."""
        if not self._tidy.alive:
            raise SiteError("the site under test is closed", mend="ask it inside of its `with` block")
        with self._lock:
            if self._server is None:
                self._server = _Server(self.app)
                weakref.finalize(self, self._server.stop)
        return self._server.run(function, *arguments)

    def close(self) -> None:
        """Ends the server, and removes the folder."""
        if self._server is not None:
            self._server.stop()
        self._tidy()


class _Server:
    """A loop in a thread, on which the application lives as it does under a server, with its lifespan."""

    def __init__(self, app: Deployment) -> None:
        self._loop = asyncio.new_event_loop()
        self._life = Life(app)
        self._stopped = False
        self._thread = threading.Thread(target=self._live, name="hybridsite.testing", daemon=True)
        self._thread.start()
        try:
            self.run(self._life.begin)
        except BaseException:
            self.stop()
            raise

    def run(self, function: Callable[..., Coroutine[Any, Any, T]], *arguments: object) -> T:
        """Waits, in any other thread, for what an async function does on the loop."""
        return asyncio.run_coroutine_threadsafe(function(*arguments), self._loop).result()

    def stop(self) -> None:
        """Ends the application and its loop, once. The thread itself may ask for it, when it throws something away."""
        if not self._stopped:
            self._stopped = True
            asyncio.run_coroutine_threadsafe(self._end(), self._loop)
            if threading.current_thread() is not self._thread:
                self._thread.join()

    async def _end(self) -> None:
        try:
            await self._life.end()
        finally:  # also where the application has never begun
            self._loop.stop()

    def _live(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Writes files below a folder; text is dedented, bytes are as they are."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else dedent(content).lstrip("\n").encode())


def _left_out(place: Any, names: list[str]) -> set[str]:
    """Names what is no source of a site: hidden files, what was built, and environments."""
    return {
        name
        for name in names
        if name.startswith(".") or name in _LEFT_OUT or (Path(place) / name / "pyvenv.cfg").is_file()
    }
