"""The cache beside what else answers a request: rewrites, guards, nonces, and the headers of site.toml."""

from __future__ import annotations

from pathlib import Path

from tests.caching import COUNTING, app_with, get, kept, running
from tests.inprocess import MEMORY


def test_a_rewrite_is_never_kept_and_what_it_leads_to_is_rendered(tmp_path: Path) -> None:
    files = {
        "pages/index.html": kept() + "never",
        "pages/index.py": "def load(context):\n    return context.rewrite('/mine/')",
        "pages/kept.html": kept() + "<< turns >>",
        "pages/kept.py": COUNTING,
        "pages/mine.html": "---\nprerender: false\n---\n<< session.get('secret') >><< cookies.get('who') >>",
        "pages/enter.py": "def GET(context):\n    context.session['secret'] = 'ann'\n    return 'ok'",
        "middleware.py": (
            "async def on_request(context, call_next):\n"
            "    return context.rewrite('/kept/') if context.url.path == '/other/' else await call_next(context)"
        ),
    }
    app = app_with(tmp_path, files)

    async def test() -> None:
        session = (await get(app, "/enter")).header["set-cookie"].partition(";")[0]
        for who in ("one", "two"):
            mine = await get(app, cookie=f"{session}; who={who}")
            assert mine.text == f"ann{who}"
            assert "no-store" in mine.header["cache-control"]
            assert (await get(app, cookie=f"who={who}")).text == who
        assert [(await get(app, "/kept/")).text for _ in range(2)] == ["1", "1"]
        assert [(await get(app, "/other/")).text for _ in range(2)] == ["2", "3"]

    running(test)


def test_a_page_that_rewrites_without_middleware_is_never_kept(tmp_path: Path) -> None:
    files = {
        "pages/index.html": kept() + "{% do rewrite('/mine/') %}never",
        "pages/mine.html": "---\nprerender: false\n---\n<< session.get('secret') >>",
        "pages/enter.py": "def GET(context):\n    context.session['secret'] = 'ann'\n    return 'ok'",
    }
    app = app_with(tmp_path, files)

    async def test() -> None:
        session = (await get(app, "/enter")).header["set-cookie"].partition(";")[0]
        assert (await get(app, cookie=session)).text == "ann"
        assert (await get(app)).text == ""

    running(test)


def test_a_page_with_a_nonce_is_never_kept(tmp_path: Path) -> None:
    site = {"site.toml": MEMORY + "[security]\ncsp = true\n"}
    template = "<script>1</script>"
    files = {
        **site,
        "pages/index.html": kept() + template,
        "pages/plain.html": kept() + "<< turns >>",
        "pages/plain.py": COUNTING,
    }
    app = app_with(tmp_path, files)

    async def test() -> None:
        answers = [await get(app) for _ in range(2)]
        assert {answer.header["x-cache"] for answer in answers} == {"BYPASS"}
        assert len({answer.body for answer in answers}) == 2
        plain = [await get(app, "/plain/") for _ in range(3)]
        assert [answer.header["x-cache"] for answer in plain] == ["MISS", "HIT", "HIT"]
        assert len({answer.header["content-security-policy"] for answer in plain}) == 1

    running(test)


def test_headers_of_the_site_stand_on_what_is_kept_too(tmp_path: Path) -> None:
    files = {"site.toml": '[headers]\n"/*" = { "X-Robots-Tag" = "noindex" }\n', "pages/index.html": kept() + "a"}
    app = app_with(tmp_path, files)

    async def test() -> None:
        assert [(await get(app)).header.get("x-robots-tag") for _ in range(3)] == ["noindex"] * 3

    running(test)
