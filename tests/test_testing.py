"""build_site() and its server: a copy that is built, memory in place of drivers, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import threading
from pathlib import Path

import pytest

from hybridsite.errors import SiteError, SiteErrors
from hybridsite.testing import BuiltSite, build_site, client
from tests.e2e.support import tree, write_site

ON_DEMAND = "---\nprerender: false\n---\n"
COUNTER = {
    "pages/index.html": "<h1>home</h1>",
    "pages/count.py": """
        def POST(context):
            return str(context.session.update("count", lambda count: count + 1, 0))
    """,
}


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "hybridsite.testing"]


def test_files_by_their_names_are_a_site() -> None:
    with build_site({**COUNTER, "public/data.bin": b"\x00\xff"}) as site:
        assert site.read("index.html") == "<h1>home</h1>"
        assert client(site).get("/").text == "<h1>home</h1>"
        assert client(site).get("/data.bin").body == b"\x00\xff"
        assert client(site).get("/nowhere/").status == 404
        assert site.report.pages == 1


def test_a_folder_is_built_in_a_copy_and_left_as_it_is(tmp_path: Path) -> None:
    root = write_site(tmp_path / "shop", {**COUNTER, "dist/old": "x", ".venv/pyvenv.cfg": "", "env/pyvenv.cfg": ""})
    before = tree(root)
    with build_site(root) as site:
        assert client(site).get("/").status == 200
        assert client(site).post("/count").text == "1"
        assert {path.name for path in site.folder.iterdir()} == {"site.toml", "pages", "dist", ".hybridsite"}
    assert tree(root) == before
    with build_site(str(root)) as site:
        assert site.folder != root


def test_a_fault_of_the_site_is_raised_as_the_command_tells_it() -> None:
    with pytest.raises(SiteError, match=r'^pages/index\.html:2:4: "titel" is not defined'):
        build_site({"pages/index.html": "x\n<< titel >>"})
    with pytest.raises(SiteErrors) as told:
        build_site({"site.toml": "[sesion]\n[biuld]\n"})
    assert len(told.value.faults) == 2


def test_an_undefined_session_is_in_the_report() -> None:
    with build_site({"pages/index.html": "<< session.get('cart') >>"}) as site:
        assert [notice.code for notice in site.report.notices] == ["prerender-session"]


def test_drafts_are_built_where_they_are_asked_for() -> None:
    files = {"pages/index.html": "x", "pages/idea.html": "---\ndraft: true\n---\nx"}
    with build_site(files) as without, build_site(files, drafts=True) as with_them:
        assert client(without).get("/idea/").status == 404
        assert client(with_them).get("/idea/").status == 200


def test_sessions_and_kept_pages_are_in_memory_whatever_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    settings = """
        [session]
        driver = "redis"
        options = { url = "env:REDIS_URL" }
        [cache]
        driver = "redis"
        options = { url = "env:REDIS_URL" }
    """
    kept = "---\nprerender: false\ncache: {max_age: 60}\n---\nkept"
    with build_site({**COUNTER, "site.toml": settings, "pages/kept.html": kept}) as site:
        visitor = client(site)
        assert [visitor.post("/count").text for _ in range(3)] == ["1", "2", "3"]
        assert [visitor.get("/kept/").header["x-cache"] for _ in range(2)] == ["MISS", "HIT"]


def test_sessions_that_are_off_stay_off() -> None:
    files = {"site.toml": "[session]\ndriver = false\n", "pages/index.html": "x"}
    with build_site(files) as site, pytest.raises(SiteError, match="no session driver"):
        client(site).session.get("cart")


def test_variables_of_the_test_are_the_sites_and_those_of_a_server_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TITLE", "of the process")
    monkeypatch.setenv("HYBRIDSITE_STATE", "/nowhere")
    monkeypatch.setenv("HYBRIDSITE_SECRET", "short")
    files = {"site.toml": '[site]\ntitle = "env:TITLE"\n', "pages/index.html": "<< site.title >>"}
    with build_site(files) as one, build_site(files, environ={"TITLE": "given"}) as other:
        assert (one.read("index.html"), other.read("index.html")) == ("of the process", "given")


def test_visitors_share_the_server_and_not_the_session() -> None:
    with build_site(COUNTER) as site:
        ann, ben = client(site), client(site)
        assert [ann.post("/count").text, ann.post("/count").text, ben.post("/count").text] == ["1", "2", "1"]


def test_what_a_request_began_goes_on_between_requests() -> None:
    code = """
        import asyncio
        done = asyncio.Event()

        async def POST(context):
            asyncio.get_running_loop().call_later(0.01, done.set)
            return "begun"

        async def GET(context):
            await asyncio.wait_for(done.wait(), 30)
            return "done"
    """
    with build_site({"pages/work.py": code}) as site:
        assert [client(site).post("/work").text, client(site).get("/work").text] == ["begun", "done"]


def test_a_test_that_is_async_may_ask_as_well() -> None:
    async def check(site: BuiltSite) -> int:
        return client(site).get("/").status

    with build_site(COUNTER) as site:
        assert asyncio.run(check(site)) == 200


def test_nothing_is_left_when_the_site_is_closed_or_forgotten() -> None:
    before = len(threads())
    site = build_site(COUNTER)
    folder = site.folder
    assert client(site).get("/").status == 200
    assert (folder.exists(), len(threads())) == (True, before + 1)
    site.close()
    site.close()
    assert (folder.exists(), folder.parent.exists(), len(threads())) == (False, False, before)

    forgotten = build_site(COUNTER)
    folder = forgotten.folder
    client(forgotten).get("/")
    del forgotten
    gc.collect()
    assert (folder.parent.exists(), len(threads())) == (False, before)


def test_a_server_that_can_not_start_says_why() -> None:
    site = build_site(COUNTER)

    async def fails() -> None:
        raise RuntimeError("the store can't be opened")

    assert site.app.current.site.sessions is not None
    site.app.current.site.sessions.start = fails  # type: ignore[assignment, method-assign]
    before = len(threads())
    with pytest.raises(RuntimeError, match="can't be opened"):
        client(site).get("/")
    assert len(threads()) == before
    site.close()


def test_a_site_that_was_closed_says_so() -> None:
    with build_site(COUNTER) as site:
        visitor = client(site)
    with pytest.raises(SiteError, match="is closed; ask it inside of its `with` block"):
        visitor.get("/")
