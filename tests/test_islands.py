"""Islands in one process: places on pages that all share, pieces in place elsewhere, and requests for pieces."""

from __future__ import annotations

import json
import logging
import re
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from hybridsite.build.build import build_site
from hybridsite.errors import SecretError, SiteError, SiteErrors
from hybridsite.island_client import script
from hybridsite.manifest import read_manifest
from hybridsite.server.deployment import create_app
from tests.acting import Browser
from tests.e2e.support import write_files, write_site
from tests.inprocess import ENVIRON, MEMORY, ON_DEMAND, Answer, app_of, ask, built_here

PRIVATE = ("private, no-store", "Cookie")
FILES = {
    "site.toml": MEMORY,
    "pages/index.html": """
        {% island "components/badge.html", product=42 %}<i>none</i>{% endisland %}
        {% island "components/plain.html", product="tea", when="visible" %}<i>soon</i>{% endisland %}
        {% island "components/badge.html", product=42, when="idle" %}<i>again</i>{% endisland %}
        """,
    "pages/modules.html": """
        {% island "components/asks.html", n=1 %}<i>one</i>{% endisland %}
        {% island "components/asks.html", n=2 %}<i>two</i>{% endisland %}
        {% island "components/asks.html", n=3 %}<i>three</i>{% endisland %}
        {% island "components/outer.html", n=4 %}<i>four</i>{% endisland %}
        """,
    "pages/headers.html": """
        {% island "components/kept.html", n=1 %}{% endisland %}{% island "components/kept.html", n=2 %}{% endisland %}
        {% island "components/plain.html", product=3 %}{% endisland %}
        """,
    "pages/broken.html": """
        {% island "components/breaks.html" %}fallback{% endisland %}
        {% island "components/spoils.html" %}fallback{% endisland %}
        {% island "components/moves.html" %}fallback{% endisland %}
        {% island "components/plain.html", product=5 %}{% endisland %}
        """,
    "pages/shows.html": '{% island "components/shows.html" %}{% endisland %}',
    "pages/now/index.html": ON_DEMAND + "{% set x = 'outer' %}"
    '{% island "components/badge.html", product=x %}<i>never</i>{% endisland %}',
    "pages/now/modules.html": ON_DEMAND
    + """
{% for n in [1, 2, 3] %}{% island "components/asks.html", n=n %}<i>fallback << n >></i>{% endisland %}{% endfor %}
{% filter upper %}{% island "components/outer.html", n=4 %}{% endisland %}{% endfilter %}
""",
    "pages/now/plain.html": ON_DEMAND + '{% island "components/plain.html", product=1 %}{% endisland %}',
    "pages/now/endless.html": ON_DEMAND + '{% island "components/endless.html" %}{% endisland %}',
    "pages/now/parts.py": "def GET(context):\n    return {'html': str(context.render('components/outer.html', n=4))}",
    "pages/now/shows.html": ON_DEMAND + '[<< flashes() | join >>]{% island "components/shows.html" %}{% endisland %}',
    "pages/set.py": """
        def POST(context):
            context.session["n"] = context.session.get("n", 0) + 1
            context.session.flash("<saved>")
            return "set"
        """,
    "pages/n.py": "def GET(context):\n    return str(context.session.get('n'))",
    "components/badge.html": "<b><< product >>|<< props.product >>|<< session.get('n', 0) >></b>",
    "components/plain.html": "<u><< product >></u>",
    "components/asks.html": "<b><< n >>|<< doubled >>|<< user >></b>",
    "components/asks.py": """
        import asyncio
        from hybridsite import NotFound

        async def load(context):
            await asyncio.sleep(0)
            if context.props["n"] == 2:
                raise NotFound
            return {"doubled": context.props["n"] * 2, "user": context.session.get("n", "nobody")}
        """,
    "components/outer.html": '<p>{% island "components/asks.html", n=n + 1 %}{% endisland %}</p>',
    "components/outer.py": "def load(context):\n    context.props['n']",
    "components/kept.html": "<< n >>",
    "components/kept.py": "def load(context):\n    context.response.headers['Cache-Control'] = 'public, max-age=60'",
    "components/breaks.html": "<< 1 // zero >>",
    "components/breaks.py": "def load(context):\n    return {'zero': 0}",
    "components/spoils.html": "x",
    "components/spoils.py": """
        def load(context):
            from starlette.responses import Response
            return Response("whole")
        """,
    "components/moves.html": "<< redirect('/login/') >>",
    "components/endless.html": '{% island "components/endless.html" %}{% endisland %}',
    "components/endless.py": "def load(context):\n    pass",
    "components/shows.html": "<< flashes() | join >>",
    "components/helper.txt": "x",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("islands") / "site", FILES)


@pytest.fixture(scope="module")
def app(root: Path) -> ASGIApp:
    return app_of(root)


def client_page(root: Path, name: str) -> str:
    return (root / "dist/client" / name).read_text("utf-8")


def digests(text: str) -> list[str]:
    """Gives the digests of a page's islands, in their order."""
    return re.findall(r'<slot name="([^"]+)"', text)


def fetched(app: ASGIApp, names: list[str], **headers: str) -> Answer:
    return ask(app, f"/_islands/{','.join(names)}.json", headers=headers)


def privacy(answer: Answer) -> tuple[str, str]:
    return answer.header["cache-control"], answer.header.get("vary", "")


def test_a_prerendered_page_holds_the_fallback_and_says_when(root: Path, app: ASGIApp) -> None:
    text = client_page(root, "index.html")
    one, two, three = digests(text)
    assert one == three != two
    assert [line.strip() for line in text.strip().splitlines()] == [
        f'<slot name="{one}" data-island="load"><i>none</i></slot>'
        f'<script type="module" src="{re.findall("src=.(.+?).>", text)[0]}"></script>',
        f'<slot name="{two}" data-island="visible"><i>soon</i></slot>',
        f'<slot name="{one}" data-island="idle"><i>again</i></slot>',
    ]


def test_props_never_leave_the_server(root: Path, app: ASGIApp) -> None:
    names = digests(client_page(root, "index.html"))
    assert read_manifest(root / "dist").islands[names[0]] == ("components/badge.html", {"product": 42})
    client = b"".join(path.read_bytes() for path in (root / "dist/client").rglob("*") if path.is_file())
    assert b"42" not in client
    assert b"components/" not in client
    assert b"tea" not in client


def test_the_script_is_a_file_that_never_changes_under_its_name(root: Path, app: ASGIApp) -> None:
    (url,) = set(re.findall(r'<script type="module" src="([^"]+)"', client_page(root, "index.html")))
    answer = ask(app, url)
    assert (answer.status, answer.body) == (200, script())
    assert answer.header["content-type"].startswith("text/javascript")
    assert answer.header["cache-control"] == "public, max-age=31536000, immutable"
    assert (root / "dist/client" / url.strip("/")).is_file()  # so that a CDN has it too


def test_the_same_site_with_the_same_secret_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    again = write_site(tmp_path / "again", FILES)
    built_here(root)
    built_here(again)
    assert client_page(again, "index.html") == client_page(root, "index.html")
    manifests = [(folder / "dist/server/manifest.json").read_bytes() for folder in (again, root)]
    assert manifests[0] == manifests[1]


def test_pieces_come_in_json_by_their_digests(root: Path, app: ASGIApp) -> None:
    one, two, _ = digests(client_page(root, "index.html"))
    answer = fetched(app, [one, two])
    assert (answer.status, answer.header["content-type"]) == (200, "application/json")
    assert json.loads(answer.body) == {one: "<b>42|42|0</b>", two: "<u>tea</u>"}
    assert privacy(answer) == PRIVATE
    assert answer.header["x-content-type-options"] == "nosniff"


def test_a_single_piece_comes_as_html(root: Path, app: ASGIApp) -> None:
    one, two, _ = digests(client_page(root, "index.html"))
    answer = ask(app, f"/_islands/{one}")
    assert (answer.status, answer.text, privacy(answer)) == (200, "<b>42|42|0</b>", PRIVATE)
    assert answer.header["content-type"] == "text/html; charset=utf-8"
    plain = ask(app, f"/_islands/{two}")
    assert (plain.text, privacy(plain)) == ("<u>tea</u>", ("no-cache", ""))


def test_each_visitor_gets_the_own_piece(root: Path, app: ASGIApp) -> None:
    (one, *_) = digests(client_page(root, "index.html"))
    first, second = Browser(app), Browser(app)
    for _ in range(2):
        first._kept(ask(app, "/set", "POST", headers={"origin": "http://127.0.0.1", "cookie": first.cookie}))
    assert "|2</b>" in first.get(f"/_islands/{one}").text
    looked = second.get(f"/_islands/{one}")
    assert "|0</b>" in looked.text
    assert "set-cookie" not in looked.header  # a looker gets no session


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/_islands/", 404),
        ("/_islands", 404),
        ("/_islands/AAAAAAAAAAAAAAAAAAAAAAAA", 404),
        ("/_islands/AAAAAAAAAAAAAAAAAAAAAAAA.json", 404),
        ("/_islands/components/badge.html", 404),
        ("/_islands/__class__", 404),
        ("/_islands/..%2f..%2fserver%2fmanifest.json", 404),
        ("/_islands/{one}/", 404),
        ("/_islands/{one},{two}", 404),
        ("/_islands/{one}.html", 404),
        ("/_islands/{changed}", 404),
        ("/_islands/{one}%00", 400),
        ("/_islands/<script>alert(1)<%2Fscript>", 404),
        ("/_islands/" + "A" * 100_000, 404),
        ("/_islands/" + ",".join(["{one}"] * 51) + ".json", 404),
        ("/_islands/,.json", 404),
        ("/_islands/client.js", 404),
    ],
)
def test_what_is_no_digest_is_found_nowhere_and_not_shown(root: Path, app: ASGIApp, path: str, status: int) -> None:
    # case X6, case X9
    one, two, _ = digests(client_page(root, "index.html"))
    changed = one[:-1] + ("A" if one[-1] != "A" else "B")
    answer = ask(app, path.format(one=one, two=two, changed=changed))
    assert answer.status == status
    assert b"script>" not in answer.body
    assert b"AAAA" not in answer.body
    assert answer.body == ask(app, "/_islands/x" if status == 404 else "/%00").body


def test_what_is_known_is_given_beside_what_is_not(root: Path, app: ASGIApp) -> None:
    one, *_ = digests(client_page(root, "index.html"))
    assert json.loads(fetched(app, ["A" * 24, one, one]).body) == {one: "<b>42|42|0</b>"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_islands_are_read_alone(root: Path, app: ASGIApp, method: str) -> None:
    one, *_ = digests(client_page(root, "index.html"))
    answer = ask(app, f"/_islands/{one}", method, headers={"origin": "http://127.0.0.1"})
    assert (answer.status, answer.header["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_head_and_options(root: Path, app: ASGIApp) -> None:
    one, *_ = digests(client_page(root, "index.html"))
    head = ask(app, f"/_islands/{one}", "HEAD")
    assert (head.status, head.body, head.header["content-length"]) == (200, b"", "14")
    options = ask(app, f"/_islands/{one}", "OPTIONS")
    assert (options.status, options.header["allow"]) == (204, "GET, HEAD, OPTIONS")


def test_on_demand_a_piece_is_in_its_place_at_once(app: ASGIApp) -> None:
    answer = ask(app, "/now/")
    assert (answer.text, privacy(answer)) == ("<b>outer|outer|0</b>", PRIVATE)
    plain = ask(app, "/now/plain/")
    assert (plain.text, privacy(plain)) == ("<u>1</u>", ("no-cache", ""))


def test_a_piece_with_a_module_is_in_its_place_too_and_what_is_not_there_leaves_the_fallback(app: ASGIApp) -> None:
    answer = ask(app, "/now/modules/")
    assert answer.text.split("\n")[1:3] == [
        "<b>1|2|nobody</b><i>fallback 2</i><b>3|6|nobody</b>",
        "<p><b>5|10|nobody</b></p>",
    ]
    assert privacy(answer) == PRIVATE
    assert answer.header["content-length"] == str(len(answer.body))
    assert "\ue000" not in answer.text


def test_a_module_is_asked_when_its_piece_is_fetched(root: Path, app: ASGIApp) -> None:
    one, two, three, outer = digests(client_page(root, "modules/index.html"))
    assert json.loads(fetched(app, [one, two, three, outer]).body) == {
        one: "<b>1|2|nobody</b>",
        three: "<b>3|6|nobody</b>",
        outer: "<p><b>5|10|nobody</b></p>",
    }
    assert ask(app, f"/_islands/{two}").status == 404


def test_json_that_holds_a_piece_stays_json(app: ASGIApp) -> None:
    assert ask(app, "/now/parts").text == '{"html":"<p><b>5|10|nobody</b></p>"}'


def test_islands_without_end_are_told(app: ASGIApp, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "hybridsite"):
        assert ask(app, "/now/endless/").status == 500
    assert "the islands lead to each other without end" in caplog.text


def test_how_long_a_piece_may_be_kept_is_said_where_all_say_it(root: Path, app: ASGIApp) -> None:
    one, two, plain = digests(client_page(root, "headers/index.html"))
    assert privacy(ask(app, f"/_islands/{one}")) == ("public, max-age=60", "")
    assert privacy(fetched(app, [one, two])) == ("public, max-age=60", "")
    assert privacy(fetched(app, [one, plain])) == ("no-cache", "")
    badge, *_ = digests(client_page(root, "index.html"))
    assert privacy(fetched(app, [one, badge])) == PRIVATE


def test_a_piece_that_fails_takes_no_other_with_it(root: Path, app: ASGIApp, caplog: pytest.LogCaptureFixture) -> None:
    breaks, spoils, moves, plain = digests(client_page(root, "broken/index.html"))
    with caplog.at_level(logging.ERROR, "hybridsite"):
        assert json.loads(fetched(app, [breaks, spoils, moves, plain]).body) == {plain: "<u>5</u>"}
    assert "components/breaks.html:1: ZeroDivisionError" in caplog.text
    assert "load() of an island gave a Response" in caplog.text
    assert len(caplog.records) == 2
    assert fetched(app, [breaks]).status == 500
    assert b"Zero" not in fetched(app, [breaks]).body
    moved = ask(app, f"/_islands/{moves}")
    assert (moved.status, moved.header["location"]) == (302, "/login/")


def test_where_a_piece_fails_nothing_is_saved_of_what_others_changed(tmp_path: Path) -> None:
    # case C7
    files = {
        "site.toml": MEMORY,
        "pages/index.html": '{% island "components/sets.html" %}{% endisland %}'
        '{% island "components/breaks.html" %}{% endisland %}',
        "pages/n.py": "def GET(context):\n    return str(context.session.get('n'))",
        "components/sets.html": "set",
        "components/sets.py": "def load(context):\n    context.session['n'] = 1",
        "components/breaks.html": "<< 1 // 0 >>",
    }
    root = write_site(tmp_path / "site", files)
    browser = Browser(app_of(root))
    sets, breaks = digests(client_page(root, "index.html"))
    assert browser.get(f"/_islands/{sets},{breaks}.json").status == 500
    assert browser.cookie == ""
    assert json.loads(browser.get(f"/_islands/{sets}.json").body) == {sets: "set"}
    assert browser.get("/n").text == "1"


def test_flashes_are_shown_by_an_island_once(root: Path, app: ASGIApp) -> None:
    (name,) = digests(client_page(root, "shows/index.html"))
    browser = Browser(app)
    browser._kept(ask(app, "/set", "POST", headers={"origin": "http://127.0.0.1"}))
    browser.get("/n")  # another page uses none up
    assert browser.get(f"/_islands/{name}", "HEAD").status == 200
    assert "saved" in browser.get(f"/_islands/{name}", Sec_Purpose="prefetch;prerender").text
    assert browser.get(f"/_islands/{name}").text == "&lt;saved&gt;"
    assert browser.get(f"/_islands/{name}").text == ""


def test_in_place_an_island_shares_the_flashes_of_its_page(app: ASGIApp) -> None:
    browser = Browser(app)
    browser._kept(ask(app, "/set", "POST", headers={"origin": "http://127.0.0.1"}))
    assert browser.get("/now/shows/").text == "[&lt;saved&gt;]&lt;saved&gt;"
    assert browser.get("/now/shows/").text == "[]"


RESULT: dict[str, str | bytes] = {
    "site.toml": MEMORY,
    "pages/index.html": '{% island "components/result.html" %}{% endisland %}',
    "pages/other.html": '{% island "components/result.html" %}{% endisland %}',
    "components/result.html": "<< action_result.data or '' >>",
    "actions.py": "from hybridsite import action\n@action\ndef go(context):\n    return 'done'",
}


def test_an_outcome_is_shown_by_an_island_of_the_page_that_it_is_for(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", RESULT)
    browser = Browser(app_of(root))
    (name,) = digests(client_page(root, "index.html"))
    assert digests(client_page(root, "other/index.html")) == [name]  # the page is no part of the digest
    asked = browser.post("go", {}, sender="http://127.0.0.1/?a=1")
    assert (asked.status, asked.header["location"]) == (303, "/?a=1")
    path = f"/_islands/{name}.json"
    for stranger in ("http://127.0.0.1/other/", "http://127.0.0.1.evil.example/", "http://evil.example/", "/"):
        assert json.loads(browser.get(path, Referer=stranger).body) == {name: ""}, stranger
    assert json.loads(browser.get(path).body) == {name: ""}
    assert json.loads(browser.get(path, "HEAD", Referer="http://127.0.0.1/").body or "null") is None
    assert json.loads(browser.get(path, Referer="http://127.0.0.1/?a=1").body) == {name: "done"}
    assert json.loads(browser.get(path, Referer="http://127.0.0.1/?a=1").body) == {name: ""}


def test_middleware_wraps_islands(tmp_path: Path) -> None:
    root = write_site(
        tmp_path / "site",
        {
            "site.toml": MEMORY,
            "pages/members/index.html": '{% island "components/a.html" %}{% endisland %}',
            "components/a.html": "<< locals.greeting >> at << url.path >>, << route >>",
            "middleware.py": """
                from starlette.responses import Response

                async def on_request(context, call_next):
                    if context.prerendering:
                        return await call_next(context)
                    if context.url.path.startswith("/members/"):
                        return Response("no", 403)
                    context.locals.greeting = "hello"
                    response = await call_next(context)
                    response.headers["X-Wrapped"] = "yes"
                    return response
                """,
        },
    )
    app = app_of(root)
    (name,) = digests(client_page(root, "members/index.html"))
    answer = ask(app, f"/_islands/{name}")
    assert answer.text == f"hello at /_islands/{name}, /_islands/[islands]"
    assert answer.header["x-wrapped"] == "yes"


@pytest.mark.parametrize("base", ["", "/shop"])
def test_the_sites_base_stands_before_it_all(tmp_path: Path, base: str) -> None:
    files = {"site.toml": f'[site]\nbase = "{base}"\n{MEMORY}', "components/a.html": "a"}
    root = write_site(
        tmp_path / "site", files | {"pages/index.html": '{% island "components/a.html" %}{% endisland %}'}
    )
    app = app_of(root)
    text = client_page(root, "index.html")
    (name,) = digests(text)
    (url,) = re.findall(r'src="([^"]+)"', text)
    assert url.startswith(f"{base}/_islands/client.")
    assert ask(app, url).status == 200
    assert ask(app, f"{base}/_islands/{name}").text == "a"


def test_what_the_last_build_gave_out_is_answered_for_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = '{{% island "components/a.html", n={} %}}{{% endisland %}}'
    root = write_site(
        tmp_path / "site",
        {"site.toml": MEMORY, "components/a.html": "old << n >>", "pages/index.html": page.format(1)},
    )
    built_here(root)
    (before,) = digests(client_page(root, "index.html"))
    write_files(root, {"components/a.html": "new << n >>", "pages/index.html": page.format(2)})
    app = app_of(root)
    (now,) = digests(client_page(root, "index.html"))
    assert json.loads(fetched(app, [before, now]).body) == {before: "new 1", now: "new 2"}
    assert before not in (root / "dist/server/manifest.json").read_text("utf-8")
    built_here(root)  # what was kept stays, for its own day
    assert ask(create_app(root, environ=ENVIRON), f"/_islands/{before}").status == 200
    elsewhere = {**ENVIRON, "HYBRIDSITE_STATE": str(tmp_path / "elsewhere")}
    assert ask(create_app(root, environ=elsewhere), f"/_islands/{before}").status == 404
    tomorrow = time.time() + 86_401
    monkeypatch.setattr("hybridsite.server.islands.time.time", lambda: tomorrow)
    app = create_app(root, environ=ENVIRON)
    assert (ask(app, f"/_islands/{before}").status, ask(app, f"/_islands/{now}").status) == (404, 200)


def test_an_island_of_the_last_build_whose_component_is_gone_is_not_there(tmp_path: Path) -> None:
    files = {"site.toml": MEMORY, "components/a.html": "a", "components/b.html": "b"}
    root = write_site(
        tmp_path / "site", files | {"pages/index.html": '{% island "components/a.html" %}{% endisland %}'}
    )
    built_here(root)
    (before,) = digests(client_page(root, "index.html"))
    (root / "components/a.html").unlink()
    write_files(root, {"pages/index.html": "none"})
    assert ask(app_of(root), f"/_islands/{before}").status == 404


def test_a_site_without_islands_has_no_script_and_makes_no_secret(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", {"pages/index.html": "plain"})
    build_site(root, root / ".hybridsite", environ={})
    assert not (root / "dist/client/_islands").exists()
    assert not (root / ".hybridsite/secret").exists()
    assert not (root / ".hybridsite/previous").exists()


def test_a_secret_that_is_none_is_told_once(tmp_path: Path) -> None:
    page = '{% island "components/a.html" %}{% endisland %}'
    root = write_site(tmp_path / "site", {"pages/a.html": page, "pages/b.html": page, "components/a.html": "a"})
    with pytest.raises(SecretError):
        build_site(root, root / ".hybridsite", environ={"HYBRIDSITE_SECRET": "short"})


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"public/_islands/x.txt": "x"}, "public/_islands/x.txt: names below /_islands/ belong to islands"),
        (
            {
                "pages/[...path].html": "x",
                "pages/[...path].py": "def paths(site):\n    yield {'params': {'path': '_islands/x'}}",
            },
            "which belongs to islands",
        ),
        (
            {"pages/index.html": "<p>\n{% island 'components/a.html', day=data.days.first %}{% endisland %}"},
            'pages/index.html:2: the prop "day" of an island is of the type date',
        ),
    ],
)
def test_what_a_build_says(tmp_path: Path, files: dict[str, str | bytes], words: str) -> None:
    base: dict[str, str | bytes] = {"components/a.html": "a", "data/days.toml": "first = 2026-01-01"}
    root = write_site(tmp_path / "site", base | files)
    with pytest.raises((SiteError, SiteErrors)) as caught:
        built_here(root)
    assert words in str(caught.value)


def test_a_component_that_needs_a_session_where_there_is_no_driver_is_told(tmp_path: Path) -> None:
    files: dict[str, Any] = {
        "site.toml": "[session]\ndriver = false",
        "pages/index.html": '{% island "components/a.html" %}{% endisland %}',
        "components/a.html": "<p>\n[<< session.get('n') >>]",
    }
    root = write_site(tmp_path / "site", files)
    (notice,) = built_here(root).notices
    assert str(notice).startswith("components/a.html:2: `session` is undefined")
    (name,) = digests(client_page(root, "index.html"))
    assert ask(create_app(root, environ=ENVIRON), f"/_islands/{name}").text == "<p>\n[]"
