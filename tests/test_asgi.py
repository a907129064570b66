"""The site for any ASGI server: it starts by itself where nobody runs its lifespan, and needs no raw path."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import unquote

import pytest
from starlette.types import Receive, Scope, Send

from hybridsite import asgi
from hybridsite.errors import ServeError
from hybridsite.server.deployment import Deployment
from tests.e2e.support import write_site
from tests.inprocess import MEMORY, app_of, asked, scope_of

FILES = {
    "site.toml": MEMORY,
    "pages/index.html": "home",
    "pages/say/[word].py": "def GET(context):\n    return context.params['word']",
}


def application(folder: Path) -> tuple[asgi.Application, Deployment]:
    app = app_of(write_site(folder / "site", FILES))
    return asgi.Application(lambda: app), app


def is_open(app: Deployment) -> bool:
    sessions = app.current.site.sessions
    assert sessions is not None
    return sessions._sweeping is not None and not sessions._sweeping.done()


def test_a_site_that_can_t_be_served_says_so_where_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match="hybridsite build"):
        asgi.create_app(tmp_path)


def test_it_starts_once_at_its_first_requests_and_closes_when_the_loop_ends(tmp_path: Path) -> None:
    site, app = application(tmp_path)

    async def story() -> None:
        answers = await asyncio.gather(*(asked(site, scope_of("/")) for _ in range(5)))
        assert [answer.text for answer in answers] == ["home"] * 5
        assert is_open(app)

    asyncio.run(story())
    assert not is_open(app)


def test_its_lifespan_opens_and_closes_it(tmp_path: Path) -> None:
    site, app = application(tmp_path)

    async def story() -> None:
        async with site.lifespan():
            assert is_open(app)
            assert (await asked(site, scope_of("/"))).text == "home"
        assert not is_open(app)

    asyncio.run(story())


def test_what_keeps_it_from_starting_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, app = application(tmp_path)

    async def fails() -> None:
        raise RuntimeError("no store")

    monkeypatch.setattr(app.current, "start", fails)

    async def story() -> None:
        for _ in range(2):  # the next request tries it again
            with pytest.raises(RuntimeError, match="no store"):
                await asked(site, scope_of("/"))

    asyncio.run(story())


def test_a_server_that_gives_no_raw_path_is_taken(tmp_path: Path) -> None:
    site, _ = application(tmp_path)

    async def without(scope: Scope, receive: Receive, send: Send) -> None:
        bare = {**scope, "path": unquote(scope["raw_path"])}
        del bare["raw_path"]
        await site(bare, receive, send)

    assert asyncio.run(asked(without, scope_of("/say/50%25%20w%C3%BCst"))).text == "50% wüst"
