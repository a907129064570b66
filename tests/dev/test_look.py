"""The pages below /_dev/: who may see them, and what they never do."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from hybridsite.dev.app import DevApp
from hybridsite.dev.look.look import PAGES
from tests.dev.looking import OWN, Browser, looked, words
from tests.e2e.support import write_files, write_site
from tests.inprocess import ENVIRON, MEMORY, Answer, app_of, ask, asked, scope_of

EVERY = [*(f"/_dev/{name}" for name in PAGES), "/_dev/routes/?path=/"]
HTML = "<!doctype html><html lang=en><title>t</title><body><p>hello</p></body></html>\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_site(tmp_path / "site", {"pages/index.html": HTML, "site.toml": MEMORY})


def ask_from(root: Path, client: str, target: str, method: str = "GET", **headers: str) -> Answer:
    async def run() -> Answer:
        app = DevApp(root, ENVIRON, hosts=["192.0.2.1"], say=lambda line: None, wrong=lambda line: None)
        await app.reload()
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            return await asked(app, {**scope_of(target, method, sent), "client": (client, 1)})
        finally:
            await app.close()

    return asyncio.run(run())


@pytest.mark.parametrize("target", EVERY)
def test_this_machine_sees_each_page_which_loads_nothing_from_elsewhere(site: Path, target: str) -> None:
    answer = ask_from(site, "127.0.0.1", target)
    assert answer.status == 200
    assert answer.text.count("<h1") == 1
    assert answer.header["cache-control"] == "no-store"
    assert answer.header["x-frame-options"] == "DENY"
    policy = answer.header["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert " src=" not in answer.text.replace(' src="/_dev/client.js"', "")
    assert "http:" not in answer.text + policy
    assert ask_from(site, "127.0.0.1", target, "HEAD").status == 200


@pytest.mark.parametrize("target", EVERY)
@pytest.mark.parametrize("client", ["192.0.2.7", "2001:db8::1", "::ffff:192.0.2.7", ""])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_another_machine_gets_403_though_it_may_see_the_site(site: Path, target: str, client: str, method: str) -> None:
    # case H7
    answer = ask_from(site, client, target, method, host="192.0.2.1", origin="http://192.0.2.1")
    assert answer.status == 403
    assert b"<html" not in answer.body
    assert ask_from(site, client, "/", host="192.0.2.1").status == 200
    assert ask_from(site, client, "/_dev/client.js", host="192.0.2.1").status == 200


@pytest.mark.parametrize("client", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_each_of_this_machines_own_addresses_will_do(site: Path, client: str) -> None:
    assert ask_from(site, client, "/_dev/").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "my.test"},
        {"host": "192.0.2.1"},
        {"host": "evil.example"},
        {"host": "127.0.0.1", "x_forwarded_for": "192.0.2.7"},
        {"host": "localhost", "x_forwarded_host": "my.test"},
        {"host": "localhost", "forwarded": "for=192.0.2.7"},
        {"host": "127.0.0.1", "origin": "http://evil.example"},
        {"host": "127.0.0.1", "origin": "http://127.0.0.1:81"},
        {"host": "127.0.0.1", "origin": "null"},
        {"host": "127.0.0.1", "sec_fetch_site": "cross-site"},
    ],
)
def test_another_name_a_proxy_and_another_sites_page_get_403(site: Path, headers: dict[str, str]) -> None:
    # case H7
    write_files(site, {"site.toml": MEMORY + '[server]\nallowed_hosts = ["my.test"]\n'})
    assert ask_from(site, "127.0.0.1", "/_dev/", **headers).status == 403
    assert ask_from(site, "127.0.0.1", "/_dev/sessions/", "POST", **headers).status == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": OWN}, 404),
        ({"sec-fetch-site": "same-origin"}, 404),
        ({}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
    ],
)
def test_a_form_says_that_it_is_one_of_these_pages(site: Path, headers: dict[str, str], status: int) -> None:
    # case H7
    async def visit(browser: Browser) -> Answer:
        return await asked(browser.app, scope_of("/_dev/actions/?name=none", "POST", headers))

    assert looked(site, visit).status == status


def test_what_is_no_page_is_404_and_what_takes_no_form_405(site: Path) -> None:
    async def visit(browser: Browser) -> None:
        assert (await browser.get("/_dev/nowhere/")).status == 404
        assert (await browser.get("/_dev/errors/?id=9")).status == 404
        assert (await browser.get("/_dev/errors/?id=²")).status == 404
        assert (await browser.post("/_dev/settings/", {})).status == 405
        assert (await browser.get("/_dev")).header["location"] == "/_dev/"
        long = {"id": "x" * 9_000_000}
        assert (await browser.post("/_dev/sessions/", long)).status == 413

    looked(site, visit)


def test_no_build_and_no_server_has_any_of_it(site: Path) -> None:
    app = app_of(site)
    for target in [*EVERY, "/_dev", "/_dev/client.js", "/_dev/events"]:
        assert ask(app, target, headers={"accept": "text/html"}).status == 404, target
    built = [path for path in (site / "dist").rglob("*") if path.is_file()]
    assert built
    assert [path for path in built if "_dev" in str(path.relative_to(site)) or b"_dev" in path.read_bytes()] == []


def test_a_sites_own_files_of_that_name_make_no_page_and_take_no_place(site: Path) -> None:
    write_files(site, {"pages/_dev/index.html": "mine", "public/_dev/own.txt": "own", "public/_dev/index.html": "own"})

    async def visit(browser: Browser) -> None:
        assert "Routes" in (await browser.get("/_dev/")).text
        assert "pages/_dev" not in (await browser.get("/_dev/")).text
        assert (await browser.get("/_dev/own.txt")).status == 404

    looked(site, visit)
    assert ask(app_of(site), "/_dev/own.txt").text == "own"  # what is in public/ is the site's own affair


def test_a_site_that_never_loaded_has_its_pages_too(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", {"pages/index.html": "{% if %}\n", "site.toml": "[sit]\n"})

    async def visit(browser: Browser) -> None:
        for target in EVERY:
            text = (await browser.get(target)).text
            assert "The sources are at fault. There was no good state yet." in words(text)
            assert 'there is no table "sit"' in words(text).replace("&#34;", '"')

    looked(root, visit)


def test_a_fault_of_the_sources_is_told_above_the_last_good_state(site: Path) -> None:
    async def visit(browser: Browser) -> None:
        write_files(site, {"pages/index.html": "{% if %}\n"})
        await browser.app.reload(["pages/index.html"])
        text = (await browser.get("/_dev/")).text
        assert "Below is the last good state." in text
        assert "pages/index.html:1" in text
        assert 'aria-current="page">Routes</a>' in text

    looked(site, visit)


def test_errors_are_folded_and_lead_to_their_page(site: Path) -> None:
    write_files(site, {"pages/one.html": "---\nprerender: false\n---\n<p><< pgae >></p><script>alert(1)</script>\n"})

    async def visit(browser: Browser) -> None:
        assert "Nothing went wrong in this run." in (await browser.get("/_dev/errors/")).text
        for _ in range(3):
            assert (await browser.get("/one/")).status == 500
        text = (await browser.get("/_dev/errors/")).text
        assert text.count("<details") == 1
        assert "3×" in text
        assert '<a href="/one/">' in text
        assert "did you mean &#34;page&#34;?" in text
        assert "<script>alert(1)" not in text
        page = await browser.get("/_dev/errors/?id=1")
        assert page.status == 200
        assert "x-hybridsite-dev" not in page.header
        assert f"vscode://file{site}/pages/one.html:4:" in page.text

    looked(site, visit)


def test_errors_that_are_mended_are_counted_no_more(site: Path) -> None:
    fault, call = (
        "---\nprerender: false\n---\n<p><< pgae >></p>\n",
        "def POST(context):\n    return {}[context.params['n']]\n",
    )
    on = {"pages/one.html": fault, "pages/two.html": fault, "pages/api/[n].py": call}

    async def count(browser: Browser) -> tuple[int, int]:
        text = (await browser.get("/_dev/errors/")).text
        found = re.search(r'Errors(?: <b class="number">(\d+)</b>)?</a>', text)
        assert found is not None
        return int(found[1] or 0), text.count("mended ·")

    async def visit(browser: Browser) -> None:
        write_files(site, on)
        await browser.app.reload(on)
        for page in ("/one/", "/two/"):
            assert (await browser.get(page)).status == 500
        assert (await browser.post("/api/1", {})).status == 500
        assert await count(browser) == (3, 0)
        write_files(site, {"pages/one.html": "<p>one</p>\n"})
        await browser.app.reload(["pages/one.html"])
        assert await count(browser) == (2, 1)  # its file was changed
        write_files(site, {"layouts/new.html": "<p>one</p>\n", "pages/index.html": "{% if %}"})
        await browser.app.reload(["pages/index.html"])
        assert await count(browser) == (3, 1)
        write_files(site, {"pages/index.html": "<p>index</p>\n"})
        await browser.app.reload(["pages/other.html"])
        assert await count(browser) == (2, 2)  # the site was loaded without it
        assert (await browser.get("/api/1")).status == 405
        assert await count(browser) == (2, 2)
        write_files(
            site, {"pages/one.html": fault, "pages/api/[n].py": call.replace("return {}", "return {'1': 'well'}")}
        )
        await browser.app.reload(["pages/one.html"])
        assert (await browser.get("/one/")).status == 500
        assert await count(browser) == (3, 1)  # it is there again
        await browser.app.reload(["helpers.py"])
        assert (await browser.post("/api/1", {})).text == "well"
        assert await count(browser) == (2, 2)  # what met it was answered

    looked(site, visit)
