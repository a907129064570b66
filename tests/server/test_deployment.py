"""Deployment: it goes over to another build as a whole, as soon as anybody asks for what only that one has."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from hybridsite.manifest import MANIFEST, read_manifest
from hybridsite.server import builds
from hybridsite.server.builds import Place, load_build
from hybridsite.server.deployment import Deployment, create_app
from tests.e2e.support import page, write_files, write_site
from tests.inprocess import ENVIRON, MEMORY, ON_DEMAND, Answer, app_of, asked, built_here, scope_of


def state_of(number: int, settings: str = MEMORY) -> dict[str, str]:
    return {
        "site.toml": settings,
        "build_mark.py": f"MARK = {number}\n",
        "assets/site.css": f"a {{ z-index: {number} }}",
        "components/piece.html": f"piece {number} << n >>",
        "pages/index.html": f"home {number} << asset('site.css') >>"
        f"{{% island 'components/piece.html', n={number} %}}{{% endisland %}}",
        "pages/now.py": f"from build_mark import MARK\n\n\ndef GET(context):\n    return f'{{MARK}} {number}'\n",
        "pages/[...path].html": ON_DEMAND + "anything",
    }


def deployed(folder: Path, settings: str = MEMORY) -> tuple[Deployment, Path]:
    root = write_site(folder / "site", state_of(1, settings))
    return app_of(root), root


def build(root: Path, number: int, settings: str = MEMORY) -> None:
    write_files(root, state_of(number, settings))
    built_here(root)


async def build_beside(root: Path, number: int, settings: str = MEMORY) -> None:
    await asyncio.to_thread(build, root, number, settings)


async def get(app: Deployment, path: str) -> Answer:
    return await asked(app, scope_of(path))


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


def test_what_only_the_new_build_has_is_answered_by_it(tmp_path: Path) -> None:
    # A page of another worker has named it; and a route takes every path.
    app, root = deployed(tmp_path)
    build(root, 2)
    text = page(root, "index.html")
    sheet, digest = re.search(r"(/assets/\S+\.css)", text), re.search(r'<slot name="([^"]+)"', text)
    assert sheet is not None
    assert digest is not None

    async def story() -> None:
        assert (await get(app, "/")).text.startswith("home 1")  # nobody has looked yet
        assert "z-index:2" in (await get(app, sheet[1])).text.replace(" ", "")
        assert (await get(app, "/")).text.startswith("home 2")

    async def other() -> None:
        assert "piece 2 2" in (await get(app, f"/_islands/{digest[1]}.json")).text

    run(story)
    app, root = deployed(tmp_path / "other")
    build(root, 2)
    run(other)


def test_modules_and_what_they_import_are_of_one_build(tmp_path: Path) -> None:
    app, root = deployed(tmp_path)

    async def story() -> None:
        assert (await get(app, "/now")).text == "1 1"
        await build_beside(root, 2)
        assert (await get(app, "/now")).text == "1 1"
        await app.look()
        assert (await get(app, "/now")).text == "2 2"

    run(story)


@pytest.mark.parametrize(("settings", "goes_on"), [(MEMORY, True), (MEMORY + 'ttl = "3d"\n', False)])
def test_sessions_go_on_unless_their_settings_change(tmp_path: Path, settings: str, goes_on: bool) -> None:
    app, root = deployed(tmp_path)

    async def story() -> None:
        before = app.current.site.sessions
        await build_beside(root, 2, settings)
        await app.look()
        assert (app.current.site.sessions is before) == goes_on

    run(story)


def test_a_build_that_fails_is_tried_again_later_and_then_seldom(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app, root = deployed(tmp_path)
    manifest = root / "dist" / MANIFEST
    whole = manifest.read_bytes()
    manifest.write_text("{")

    async def story() -> None:
        for _ in range(5):
            assert (await get(app, "/assets/nothing.css")).status == 308
        assert len(caplog.messages) == 1  # it isn't loaded again by each request
        assert (await get(app, "/now")).text == "1 1"
        manifest.write_bytes(whole)
        await build_beside(root, 2)
        assert (await get(app, "/assets/nothing.css")).status == 308
        assert (await get(app, "/now")).text == "2 2"

    with caplog.at_level(logging.ERROR, "hybridsite"):
        run(story)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("the new build can't be served, and the one before goes on: ")


def test_many_who_meet_a_new_build_load_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app, root = deployed(tmp_path)
    loaded: list[Place] = []
    load = builds._load

    def counted(place: Place, *arguments: Any) -> builds.Build:
        loaded.append(place)
        return load(place, *arguments)

    monkeypatch.setattr(builds, "_load", counted)
    build(root, 2)

    async def story() -> None:
        await asyncio.gather(*(get(app, "/assets/nothing.css") for _ in range(20)))
        assert (await get(app, "/now")).text == "2 2"

    run(story)
    assert len(loaded) == 1


def test_a_build_that_comes_while_another_is_loaded_is_the_one_that_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, root = deployed(tmp_path)
    link, numbers = builds._link, iter([2, 3])

    def slow(*arguments: Any) -> None:
        link(*arguments)
        if (number := next(numbers, None)) is not None:
            build(root, number)

    monkeypatch.setattr(builds, "_link", slow)
    build(root, 4)
    found = load_build(Place.of(root, ENVIRON))
    assert found.name == read_manifest(root / "dist").name
    assert (found.app.site.root / "build_mark.py").read_text() == "MARK = 3\n"


def test_the_sources_of_a_build_stay_while_it_is_served(tmp_path: Path) -> None:
    files = {
        "content/news/a.md": "---\ntitle: A\n---\nfirst\n",
        "pages/late.html": ON_DEMAND + "<< collection('news')[0].html >>",
    }
    app, root = deployed(tmp_path)
    write_files(root, files)
    built_here(root)

    async def story() -> None:
        await app.look()
        write_files(root, {"content/news/a.md": files["content/news/a.md"].replace("first", "second")})
        await asyncio.to_thread(built_here, root)
        await asyncio.to_thread(built_here, root, clean=True)  # what was dist/ is written anew by the build after
        assert "first" in (await get(app, "/late/")).text
        await app.look()
        assert "second" in (await get(app, "/late/")).text

    run(story)


def test_where_nothing_can_be_written_dist_itself_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    _, root = deployed(tmp_path)
    for served in (root / ".hybridsite" / builds.SERVED).iterdir():
        served.rename(tmp_path / served.name)
    monkeypatch.setattr(builds, "_link", refuse)
    app = create_app(root, environ=ENVIRON)
    assert app.current.site.root == (root / "dist/server").resolve()

    async def story() -> None:
        assert (await get(app, "/now")).text == "1 1"
        await build_beside(root, 2)
        await app.look()
        assert (await get(app, "/now")).text == "2 2"

    run(story)


def test_the_name_of_a_build_is_the_hash_of_its_manifest(tmp_path: Path) -> None:
    app, root = deployed(tmp_path)
    assert app.build == hashlib.sha256((root / "dist" / MANIFEST).read_bytes()).hexdigest()[:32]


def test_a_request_that_met_the_last_build_is_answered_by_the_next_where_only_that_knows(tmp_path: Path) -> None:
    app, root = deployed(tmp_path)
    last = app.current

    async def story() -> None:
        await build_beside(root, 2)
        await app.look()
        sheet = re.search(r"(/assets/\S+\.css)", page(root, "index.html"))
        assert sheet is not None
        assert "z-index:2" in (await asked(last, scope_of(sheet[1]))).text.replace(" ", "")

    run(story)
