"""Islands on pages that the cache keeps: one page for all, and pieces that are each visitor's own."""

from __future__ import annotations

import json
import logging
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridsite.errors import FrontMatterError, SecretError
from hybridsite.island_memory import LARGEST
from hybridsite.island_props import DIGEST
from hybridsite.manifest import read_manifest
from hybridsite.server.deployment import Deployment, create_app
from tests.caching import COUNTING, app_with, get, kept, running
from tests.e2e.support import write_site
from tests.inprocess import ENVIRON, MEMORY, Answer, built_here, loaded


def island(props: str = "") -> str:
    """Gives an island with a fallback."""
    return f'{{% island "components/badge.html"{props} %}}<i>none</i>{{% endisland %}}'


ENTER = "def GET(context):\n    context.session['n'] = context.request.query_params['n']\n    return 'ok'"
FILES = {
    "pages/index.html": kept() + "<< turns >>" + island(", of='all'"),
    "pages/index.py": COUNTING,
    "pages/inks/[name].html": kept("max_age: 60, query: [size]")
    + island(", of=params.name, size=request.query_params.get('size')"),
    "pages/coded.html": "---\nprerender: false\n---\n" + island(", of='coded'"),
    "pages/coded.py": "def load(context):\n    context.cache.set(max_age=60)",
    "pages/whole.html": kept("max_age: 60, query: [x]") + island(", of=title"),
    "pages/whole.py": f"def load(context):\n    return {{'title': 'x' * {LARGEST}}}",
    "pages/enter.py": ENTER,
    "components/badge.html": "<b><< of >>|<< session.get('n', 0) >></b>",
}


def digests(text: str) -> list[str]:
    """Gives the digests of a page's islands, in their order."""
    return re.findall(r'<slot name="([^"]+)"', text)


async def entered(app: Deployment, n: object) -> str:
    """Makes a session, and gives its cookie."""
    return (await get(app, f"/enter?n={n}")).header["set-cookie"].partition(";")[0]


async def piece(app: Deployment, page: Answer, cookie: str = "") -> str:
    """Fetches the only island of a page as the script does, and gives its HTML."""
    (digest,) = digests(page.text)
    answer = await get(app, f"/_islands/{digest}.json", cookie=cookie)
    assert (answer.status, answer.header["cache-control"]) == (200, "private, no-store")
    found: dict[str, str] = json.loads(answer.body)
    return found[digest]


def test_a_kept_page_is_one_for_all_and_its_piece_each_visitors_own(tmp_path: Path) -> None:
    # case R3
    app = app_with(tmp_path, FILES)

    async def test() -> None:
        cookies = [await entered(app, n) for n in (1, 2)]
        pages = [await get(app, cookie=cookie) for cookie in (*cookies, "")]
        assert [page.header["x-cache"] for page in pages] == ["MISS", "HIT", "HIT"]
        assert len({page.body for page in pages}) == 1
        assert "<i>none</i></slot>" in pages[0].text
        assert '<script type="module" src="/_islands/client.' in pages[0].text
        assert {page.header["cache-control"] for page in pages} == {"no-cache"}
        assert [await piece(app, pages[0], cookie) for cookie in (*cookies, "")] == [
            f"<b>all|{n}</b>" for n in (1, 2, 0)
        ]

    running(test)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["/", "/inks/woad/", "/inks/weld/?size=2"]))))
def test_in_whatever_order_visitors_come_each_has_the_own_piece(visits: list[tuple[int, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        app = app_with(Path(folder) / "site", FILES)

        async def test() -> None:
            cookies = [await entered(app, f"mine{n}") for n in range(3)]
            pages: dict[str, bytes] = {}
            for who, path in visits:
                page = await get(app, path, cookie=cookies[who])
                assert b"mine" not in page.body
                assert page.header["x-cache"] == ("HIT" if path in pages else "MISS")
                assert pages.setdefault(path, page.body) == page.body
                assert (await piece(app, page, cookies[who])).endswith(f"|mine{who}</b>")

        running(test)


def test_islands_with_constant_props_are_known_to_every_server_of_the_build(tmp_path: Path) -> None:
    app = app_with(tmp_path, FILES)
    known = read_manifest(tmp_path / "dist").islands
    assert list(known.values()) == [("components/badge.html", {"of": "all"})]

    async def test() -> None:
        page = await get(app)
        assert digests(page.text) == list(known)
        again = create_app(tmp_path, environ=ENVIRON)
        assert await piece(again, page) == "<b>all|0</b>"

    running(test)


def test_islands_with_computed_props_are_remembered_by_the_process(tmp_path: Path) -> None:
    app = app_with(tmp_path, FILES)

    async def test() -> None:
        pages = [await get(app, path) for path in ("/inks/woad/?size=9", "/inks/weld/", "/inks/weld/")]
        assert [page.header["x-cache"] for page in pages] == ["MISS", "MISS", "HIT"]
        assert [await piece(app, page) for page in pages[:2]] == ["<b>woad|0</b>", "<b>weld|0</b>"]
        assert "woad" not in pages[0].text
        again = create_app(tmp_path, environ=ENVIRON)  # with a memory of its own
        (digest,) = digests(pages[0].text)
        assert (await get(again, f"/_islands/{digest}")).status == 404
        assert await piece(again, await get(again, "/inks/woad/?size=9")) == "<b>woad|0</b>"

    running(test)


@pytest.mark.parametrize("digest", ["A" * 24, "A" * 23, "A" * 10_000, "../secret", "woad.html", ",".join("AB")])
def test_what_nobody_placed_is_not_there_and_is_not_told_back(tmp_path: Path, digest: str) -> None:
    # case X6
    app = app_with(tmp_path, FILES)

    async def test() -> None:
        await get(app, "/inks/woad/")
        for path in (f"/_islands/{digest}", f"/_islands/{digest}.json"):
            answer = await get(app, path)
            assert answer.status == 404
            assert digest.encode() not in answer.body

    running(test)


def test_the_digest_of_an_altered_island_is_another(tmp_path: Path) -> None:
    app = app_with(tmp_path, FILES)

    async def test() -> None:
        (digest,) = digests((await get(app, "/inks/woad/")).text)
        altered = ("B" if digest[0] == "A" else "A") + digest[1:]
        assert DIGEST.fullmatch(altered)
        assert (await get(app, f"/_islands/{altered}")).status == 404

    running(test)


def test_a_flood_of_pages_takes_no_more_memory(tmp_path: Path) -> None:
    # case R7
    app = app_with(tmp_path, FILES)
    memory = app.current.site.islands.memory
    assert memory is not None
    memory._max_size = 20_000

    async def test() -> None:
        for number in range(200):
            page = await get(app, f"/inks/woad/?size={number}")
        assert memory.size <= 20_000
        assert await piece(app, page) == "<b>woad|0</b>"

    running(test)


def test_props_that_are_too_large_are_told_once_and_leave_the_fallback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_with(tmp_path, FILES)

    async def test() -> None:
        for query in ("?x=1", "?x=2"):
            (digest,) = digests((await get(app, f"/whole/{query}")).text)
            assert (await get(app, f"/_islands/{digest}")).status == 404

    with caplog.at_level(logging.WARNING, "hybridsite.cache"):
        running(test)
    (record,) = caplog.records
    assert record.message.startswith("components/badge.html: an island of a kept page has 65571 bytes of props")


def test_where_code_alone_keeps_a_page_its_islands_are_in_place(tmp_path: Path) -> None:
    app = app_with(tmp_path, FILES)

    async def test() -> None:
        cookie = await entered(app, 7)
        for _ in range(2):
            with_cookie, without = await get(app, "/coded/", cookie=cookie), await get(app, "/coded/")
            assert "<slot" not in with_cookie.text + without.text

    running(test)


def test_without_a_cache_islands_are_in_place(tmp_path: Path) -> None:
    app = app_with(tmp_path, {**FILES, "site.toml": MEMORY + "[cache]\ndriver = false\n"})

    async def test() -> None:
        page = await get(app, cookie=await entered(app, 3))
        assert page.text == "1<b>all|3</b>"
        assert page.header["cache-control"] == "private, no-store"

    running(test)
    assert read_manifest(tmp_path / "dist").islands == {}


def test_a_kept_page_with_an_island_needs_no_nonce(tmp_path: Path) -> None:
    app = app_with(tmp_path, {**FILES, "site.toml": MEMORY + "[security]\ncsp = true\n"})

    async def test() -> None:
        answers = [await get(app) for _ in range(2)]
        assert [answer.header["x-cache"] for answer in answers] == ["MISS", "HIT"]
        assert "nonce" not in answers[0].text + answers[0].header["content-security-policy"]

    running(test)


@pytest.mark.parametrize(
    "page",
    [
        '<< session.get("n") >>' + island(),
        '{% island "components/badge.html" %}<< flashes() >>{% endisland %}',
        island(", of=session.get('n')"),
    ],
)
def test_what_the_page_itself_uses_of_the_session_is_refused_as_ever(tmp_path: Path, page: str) -> None:
    # case R3
    with pytest.raises(FrontMatterError, match="put the piece into an island"):
        loaded(tmp_path, {"site.toml": MEMORY, "pages/index.html": kept() + page, "components/badge.html": "x"})


def test_a_component_that_needs_a_session_where_there_is_no_driver_is_told(tmp_path: Path) -> None:
    files = {**FILES, "site.toml": "[session]\ndriver = false\n"}
    report = built_here(write_site(tmp_path / "site", files))
    assert "components/badge.html:1: `session` is undefined" in " ".join(map(str, report.notices))


def test_the_secret_is_asked_for_at_start_where_kept_pages_have_islands(tmp_path: Path) -> None:
    shared = '[session]\ndriver = false\n[cache]\ndriver = "redis"\noptions = {url = "redis://127.0.0.1:1"}\n'
    component = {"components/badge.html": "x"}
    with_island = write_site(
        tmp_path / "one", {"site.toml": shared, "pages/index.html": kept() + island(), **component}
    )
    without = write_site(tmp_path / "two", {"site.toml": shared, "pages/index.html": kept() + "x", **component})
    for root in (with_island, without):
        built_here(root)
    with pytest.raises(SecretError, match="HYBRIDSITE_SECRET is not set"):
        create_app(with_island, environ={})
    create_app(without, environ={})
    assert not (without / ".hybridsite/secret").exists()


def test_the_table_of_routes_tells_of_the_islands(tmp_path: Path) -> None:
    report = built_here(write_site(tmp_path / "site", {"site.toml": MEMORY, **FILES}))
    reasons = {row.source: row.reason for row in report.rows}
    assert reasons["pages/index.html"] == "prerender: false, 1 island, cached 60 s"
    assert "uses session" in reasons["pages/coded.html"]


def test_a_piece_nested_in_an_island_of_a_kept_page_comes_with_it(tmp_path: Path) -> None:
    files: dict[str, Any] = {
        "pages/index.html": kept() + '{% island "components/outer.html" %}{% endisland %}',
        "components/outer.html": "<p>" + island(", of='inner'") + "</p>",
        "components/badge.html": FILES["components/badge.html"],
        "pages/enter.py": ENTER,
    }
    app = app_with(tmp_path, files)

    async def test() -> None:
        assert await piece(app, await get(app), await entered(app, 4)) == "<p><b>inner|4</b></p>"

    running(test)


def test_what_is_wrong_with_a_prop_is_told_when_the_page_is_rendered(tmp_path: Path) -> None:
    files = {"pages/index.html": kept() + island(", of='x'.upper"), "components/badge.html": "x"}
    app = app_with(tmp_path, files)  # the build goes on: the way may never be taken

    async def test() -> None:
        assert (await get(app)).status == 500

    running(test)
