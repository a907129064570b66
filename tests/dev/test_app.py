"""dev's application: who may ask, what is shown of a fault, and to whom."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from hybridsite.dev.app import DevApp
from tests.e2e.support import write_files, write_site
from tests.inprocess import ENVIRON, MEMORY, ON_DEMAND, Answer, asked, scope_of

HTML = {"accept": "text/html"}
ENDPOINT = "def GET(context):\n    return {}\n"
GUARD = """
async def on_request(context, call_next):
    if context.request.headers.get("x-key") != "k":
        return context.redirect("/")
    return await call_next(context)
"""
FAILING = """
def load(context):
    number = 41
    api_token = "abcdef"
    user = {"password": "hunter2"}
    return 1 / 0
"""
COUNTING = """
def load(context):
    context.session["n"] = context.session.get("n", 0) + 1
    return {"n": context.session["n"]}
"""
MEMBERS = "---\nguard: true\nheaders: {X-Own: mine}\n---\n"
PAGE = "<!doctype html><html><body><p>hello</p></body></html>\n"


def ask_dev(root: Path, target: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
    """Loads a site for dev, and sends one request."""

    async def run() -> Answer:
        app = DevApp(root, ENVIRON, say=lambda line: None, wrong=lambda line: None)
        await app.reload()
        try:
            return await asked(app, scope_of(target, method, headers))
        finally:
            await app.close()

    return asyncio.run(run())


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_site(tmp_path / "site", {"pages/index.html": PAGE, "public/style.css": "p { color: red }"})


@pytest.mark.parametrize("target", ["/", "/style.css", "/_dev/events", "/_dev/client.js", "/nowhere"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "0.0.0.0", "192.168.1.2:8000"])
def test_a_foreign_host_gets_403(site: Path, target: str, host: str) -> None:
    # case H7
    answer = ask_dev(site, target, headers={"host": host})
    assert answer.status == 403
    assert b"hello" not in answer.body
    assert b"allowed_hosts" in answer.body


@pytest.mark.parametrize("target", ["/", "/_dev/events", "/_dev/client.js"])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:81"])
def test_a_foreign_origin_gets_403_that_names_both(site: Path, target: str, origin: str) -> None:
    # case H7
    answer = ask_dev(site, target, headers={"origin": origin})
    assert answer.status == 403
    assert origin in answer.text
    assert "http://127.0.0.1" in answer.text
    assert "[security] origins" in answer.text


def test_the_script_is_not_given_to_another_sites_page(site: Path) -> None:
    # case H7
    assert ask_dev(site, "/_dev/client.js", headers={"sec-fetch-site": "cross-site"}).status == 403
    assert ask_dev(site, "/_dev/client.js", headers={"sec-fetch-site": "same-origin"}).status == 200


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:9", "[::1]:8000", "LOCALHOST"])
def test_this_machine_may_ask_by_each_of_its_names(site: Path, host: str) -> None:
    assert ask_dev(site, "/", headers={"host": host}).status == 200


def test_allowed_hosts_count(site: Path) -> None:
    write_files(site, {"site.toml": '[server]\nallowed_hosts = ["my.test"]\n'})
    assert ask_dev(site, "/", headers={"host": "my.test:8000"}).status == 200
    assert ask_dev(site, "/", headers={"host": "other.test"}).status == 403


def test_only_whole_pages_get_the_script(site: Path) -> None:
    fragment = ON_DEMAND + "<p>piece</p>\n"
    write_files(site, {"pages/piece.html": fragment, "public/plain.html": PAGE, "pages/data.json.py": ENDPOINT})
    assert b"/_dev/client.js" in ask_dev(site, "/").body
    assert b"/_dev/client.js" in ask_dev(site, "/plain.html").body
    assert ask_dev(site, "/piece/").body == b"<p>piece</p>\n"
    assert b"_dev" not in ask_dev(site, "/style.css").body
    assert b"_dev" not in ask_dev(site, "/data.json").body
    answer = ask_dev(site, "/")
    assert int(answer.header["content-length"]) == len(answer.body)


def test_a_fault_shows_place_excerpt_and_mend(site: Path) -> None:
    write_files(site, {"pages/index.html": ON_DEMAND + "<p>one</p>\n<p><< pgae.title >></p>\n"})
    answer = ask_dev(site, "/")
    assert answer.status == 500
    assert answer.header["cache-control"] == "no-store"
    assert "pages/index.html:5:7" in answer.text
    assert "did you mean &#34;page&#34;?" in answer.text
    assert 'class="at"' in answer.text or "class=at" in answer.text
    assert f"vscode://file{site}/pages/index.html:5:7" in answer.text


def test_all_faults_of_a_site_are_listed_and_its_text_is_escaped(site: Path) -> None:
    write_files(site, {"pages/a.html": "{% if %}\n", "pages/b.html": "---\nprerender: maybe<script>\n---\n"})
    answer = ask_dev(site, "/", headers=HTML)
    assert "pages/a.html:1" in answer.text
    assert "pages/b.html:2" in answer.text
    assert "maybe<script>" not in answer.text


def test_values_are_shown_with_secrets_masked_and_to_this_machine_alone(site: Path) -> None:
    write_files(site, {"pages/index.html": ON_DEMAND + PAGE, "pages/index.py": FAILING})
    text = ask_dev(site, "/").text
    assert "ZeroDivisionError" in text
    assert "pages/index.py:5" in text
    assert "<dd>41</dd>" in text
    assert "abcdef" not in text.partition("<h2>Values")[2]
    assert "hunter2" not in text.partition("<h2>Values")[2]

    async def from_elsewhere() -> Answer:
        app = DevApp(site, ENVIRON, say=lambda line: None, wrong=lambda line: None)
        await app.reload()
        return await asked(app, {**scope_of("/"), "client": ("192.0.2.7", 1)})

    assert "<dd>41</dd>" not in asyncio.run(from_elsewhere()).text


def test_a_fault_of_one_page_leaves_the_last_good_one_of_others(site: Path) -> None:
    write_files(site, {"pages/other.html": PAGE})

    async def run() -> list[int]:
        app = DevApp(site, ENVIRON, say=lambda line: None, wrong=lambda line: None)
        await app.reload()
        found = [(await asked(app, scope_of(url, headers=HTML))).status for url in ("/", "/other/")]
        write_files(site, {"pages/other.html": "{% if %}"})
        await app.reload(["pages/other.html"])
        found += [(await asked(app, scope_of(url, headers=HTML))).status for url in ("/", "/other/", "/style.css")]
        write_files(site, {"site.toml": "[sit]"})
        await app.reload(["site.toml"])
        found += [(await asked(app, scope_of(url, headers=HTML))).status for url in ("/", "/style.css")]
        write_files(site, {"site.toml": "", "pages/other.html": PAGE})
        await app.reload(["site.toml", "pages/other.html"])
        found += [(await asked(app, scope_of(url, headers=HTML))).status for url in ("/", "/other/")]
        await app.close()
        return found

    assert asyncio.run(run()) == [200, 200, 200, 500, 200, 500, 500, 200, 200]


def test_the_same_fault_is_said_once_and_changes_in_a_line(site: Path) -> None:
    said: list[str] = []

    async def run() -> None:
        app = DevApp(site, ENVIRON, say=said.append, wrong=said.append)
        await app.reload()
        write_files(site, {"pages/index.html": "{% if %}"})
        for _ in range(3):
            await app.reload(["pages/index.html"])
        write_files(site, {"pages/index.html": PAGE})
        await app.reload(["pages/index.html", "pages/other.html"])

    asyncio.run(run())
    assert len(said) == 2
    assert said[0].startswith("pages/index.html:1: the template doesn't parse")
    assert said[1].startswith("changed pages/index.html and 1 more · mended · reloaded in ")


def test_sessions_outlive_a_reload_unless_their_settings_change(site: Path) -> None:
    write_files(site, {"site.toml": MEMORY, "pages/index.html": ON_DEMAND + "<< n >>", "pages/index.py": COUNTING})

    async def run() -> list[str]:
        app = DevApp(site, ENVIRON, say=lambda line: None, wrong=lambda line: None)
        await app.reload()
        first = await asked(app, scope_of("/"))
        cookie = {"cookie": first.header["set-cookie"].partition(";")[0]}
        await app.reload(["pages/index.py"])
        second = await asked(app, scope_of("/", headers=cookie))
        write_files(site, {"site.toml": MEMORY + 'ttl = "1h"\n'})
        await app.reload(["site.toml"])
        third = await asked(app, scope_of("/", headers=cookie))
        await app.close()
        return [first.text, second.text, third.text]

    assert asyncio.run(run()) == ["1", "2", "1"]


def test_an_undefined_session_is_noted_for_the_page_that_names_it(site: Path) -> None:
    write_files(site, {"pages/index.html": "<!doctype html><body><< session.name >></body>"})
    answer = ask_dev(site, "/")
    assert answer.status == 200
    assert "session` is undefined" in answer.text.partition("data-notes=")[2]


def test_drafts_are_shown(site: Path) -> None:
    write_files(site, {"pages/new.html": "---\ndraft: true\n---\n" + PAGE})
    assert ask_dev(site, "/new/").status == 200


def test_paths_are_those_that_paths_gave(site: Path) -> None:
    code = 'def paths(site):\n    return [{"params": {"slug": "a"}, "props": {"word": "yes"}}]\n'
    write_files(site, {"pages/[slug].html": "<< props.word >>", "pages/[slug].py": code})
    assert (ask_dev(site, "/a/").status, ask_dev(site, "/b/").status) == (200, 404)
    assert ask_dev(site, "/a").header["location"] == "/a/"


def test_the_templates_that_led_to_a_fault_are_listed_with_their_values(site: Path) -> None:
    page = '<!doctype html><body>{% set word = "ink" %}\n{% include "components/piece.html" %}</body>\n'
    write_files(site, {"pages/index.html": page, "components/piece.html": "<p><< pgae.title >></p>\n"})
    text = ask_dev(site, "/").text
    way = text.partition("The way here")[2]
    assert way.index("components/piece.html:1") < way.index("pages/index.html:2") < way.index("rendering.py")


def test_the_authors_names_and_lines_are_shown_and_those_of_packages_folded(site: Path) -> None:
    page = "{% set word = 'ink' %}{% for number in [1, 2] %}<< number + kept.nothing >>{% endfor %}"
    code = "def load(context):\n    return {'kept': {'there': 3}, 'range': 5}\n"
    write_files(site, {"pages/index.html": ON_DEMAND + page, "pages/index.py": code})
    text = ask_dev(site, "/").text
    values = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text.partition("<h2>Values")[2])
    assert dict(values) == {"word": "&#39;ink&#39;", "number": "1", "kept": "{&#39;there&#39;: 3}", "range": "5"}
    assert "MissingValue" not in text
    own, _, folded = text.partition("The way here")[2].partition("<h2>")[0].partition("<details")
    assert (own.count("<li>"), "pages/index.html:4" in own, "jinja2" in own) == (1, True, False)
    assert "jinja2/environment.py" in folded
    assert re.search(r"<summary>[0-9]+ lines of packages and of Python</summary>", folded)


def test_a_fault_of_paths_is_shown_where_a_page_of_it_is_asked_for(site: Path) -> None:
    code = "def paths(site):\n    return 1 / 0\n"
    write_files(site, {"pages/shop/[slug].html": "<p>x</p>", "pages/shop/[slug].py": code})
    answer = ask_dev(site, "/shop/a/")
    assert answer.status == 500
    assert "pages/shop/[slug].py:2" in answer.text
    assert ask_dev(site, "/").status == 200


def test_a_fault_is_said_once_when_a_page_is_asked_for_again(site: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_files(site, {"pages/index.html": ON_DEMAND + "<< pgae.title >>", "pages/old.html": "<< pgae >>"})
    said: list[str] = []

    async def run() -> None:
        app = DevApp(site, ENVIRON, say=said.append, wrong=said.append)
        await app.reload()
        for url in ("/", "/", "/old/", "/old/"):
            await asked(app, scope_of(url))

    asyncio.run(run())
    assert [line.partition(";")[0] for line in said] == [
        'pages/index.html:4:4: "pgae" is not defined',
        'pages/old.html:1:4: "pgae" is not defined',
    ]
    assert caplog.records == []


def test_a_guarded_page_is_behind_the_middleware(site: Path) -> None:
    write_files(site, {"pages/in.html": MEMBERS + PAGE, "middleware.py": GUARD})
    assert ask_dev(site, "/in/").status == 302
    inside = ask_dev(site, "/in/", headers={"x-key": "k"})
    assert (inside.status, inside.header["x-own"]) == (200, "mine")
    assert inside.header["cache-control"] == "no-store"
