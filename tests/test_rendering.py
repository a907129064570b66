"""The waist of the house: every answer is private where it has to be, typed, and silent about what went wrong."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from starlette.types import ASGIApp

from hybridsite.answers import SAFE_HEADERS
from hybridsite.errors import ContextError
from hybridsite.rendering import render
from hybridsite.site import Site
from tests.e2e.support import write_site
from tests.inprocess import MEMORY, ON_DEMAND, app_of, ask, built_here, loaded, request

PRIVATE = ("private, no-store", "Cookie")
FILES = {
    "site.toml": MEMORY,
    "pages/built.html": "built",
    "pages/plain.html": ON_DEMAND + "plain",
    "pages/named.html": ON_DEMAND + "{% if false %}<< session.get('a') >>{% endif %}",
    "pages/asks.html": ON_DEMAND + "<< session is defined >>",
    "pages/touch.html": ON_DEMAND + "touch",
    "pages/touch.py": "def load(context):\n    'a' in context.session",
    "pages/idle.html": ON_DEMAND + "idle",
    "pages/idle.py": "def load(context):\n    pass",
    "pages/sets.html": ON_DEMAND + "sets",
    "pages/sets.py": "def load(context):\n    context.session['a'] = 1",
    "pages/cookie.html": ON_DEMAND + "<< cookies.get('a') >>",
    "pages/dynamic.html": ON_DEMAND + "{% set name = 'components/none.html' %}{% include name %}",
    "pages/follows.html": ON_DEMAND + "{% set name = 'components/uses.html' %}{% include name %}",
    "components/none.html": "none",
    "components/uses.html": "<< session.get('a') >>",
    "pages/headers.html": "---\nprerender: false\nheaders: {Cache-Control: max-age=60, X-Frame-Options: DENY}\n---\n",
    "pages/raises.html": ON_DEMAND + "<< 1 // page.none | default(0) >>",
    "pages/form.html": ON_DEMAND + "form",
    "pages/form.py": "def POST(context):\n    return {}",
    "pages/api/all.py": "def GET(context):\n    return {'a': 1}\ndef DELETE(context):\n    return 'gone'",
    "pages/api/teapot.py": "from starlette.exceptions import HTTPException\n"
    "def GET(context):\n    raise HTTPException(418, headers={'X-Tea': 'green'})",
    "pages/api/loose.py": "from starlette.responses import Response\n"
    "def GET(context):\n    context.session.get('a')\n    return Response('x', headers={'Cache-Control': 'public'})",
    "pages/api/crlf.py": "from starlette.responses import Response\n"
    "def GET(context):\n    return Response('x', headers={'X-A': 'a\\r\\nX-B: b'})",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("rendering") / "site", FILES)


@pytest.fixture(scope="module")
def app(root: Path) -> ASGIApp:
    return app_of(root)


@pytest.mark.parametrize("path", ["/named/", "/asks/", "/touch/", "/sets/", "/cookie/", "/follows/"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_visitors_own_answer_is_private(app: ASGIApp, path: str, method: str) -> None:
    # case R3, case R8
    answer = ask(app, path, method)
    assert (answer.status, answer.header["cache-control"], answer.header["vary"]) == (200, *PRIVATE)


@pytest.mark.parametrize("path", ["/plain/", "/idle/", "/dynamic/", "/api/all"])
def test_what_touched_no_session_is_not_private(app: ASGIApp, path: str) -> None:
    answer = ask(app, path)
    assert (answer.status, answer.header["cache-control"]) == (200, "no-cache")
    assert "vary" not in answer.header
    assert "set-cookie" not in answer.header


def test_a_page_s_own_headers_win(app: ASGIApp) -> None:
    answer = ask(app, "/headers/")
    assert answer.header["cache-control"] == "max-age=60"
    assert [value for name, value in answer.headers if name == "x-frame-options"] == ["DENY"]


@pytest.mark.parametrize("path", ["/built/", "/plain/", "/nowhere/", "/raises/", "/api/all", "/api/teapot", "/%ff"])
def test_every_answer_has_a_type_and_the_safe_headers(app: ASGIApp, path: str) -> None:
    # case X8
    answer = ask(app, path)
    assert answer.header["content-type"].partition(";")[0] in ("text/html", "application/json")
    for name, value in SAFE_HEADERS:
        assert answer.header[name.decode()] == value.decode()


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("POST", "/built/", 405, "GET, HEAD, OPTIONS"),
        ("DELETE", "/plain/", 405, "GET, HEAD, OPTIONS"),
        ("DELETE", "/form/", 405, "GET, HEAD, POST, OPTIONS"),
        ("POST", "/api/all", 405, "GET, DELETE, HEAD, OPTIONS"),
        ("BREW", "/api/all", 405, "GET, DELETE, HEAD, OPTIONS"),
        ("OPTIONS", "/built/", 204, "GET, HEAD, OPTIONS"),
        ("OPTIONS", "/plain/", 204, "GET, HEAD, OPTIONS"),
        ("OPTIONS", "/form/", 204, "GET, HEAD, POST, OPTIONS"),
        ("OPTIONS", "/api/all", 204, "GET, DELETE, HEAD, OPTIONS"),
        ("POST", "/nowhere/", 404, None),
    ],
)
def test_methods(app: ASGIApp, method: str, path: str, status: int, allow: str | None) -> None:
    answer = ask(app, path, method, headers={"Origin": "http://127.0.0.1"})
    assert (answer.status, answer.header.get("allow")) == (status, allow)


@pytest.mark.parametrize("path", ["/built/", "/plain/", "/touch/", "/nowhere/", "/api/all"])
def test_head_has_the_headers_of_get_and_no_body(app: ASGIApp, path: str) -> None:
    get, head = ask(app, path), ask(app, path, "HEAD")
    assert (head.status, head.body) == (get.status, b"")
    assert sorted(head.headers) == sorted(get.headers)


def test_an_answer_raised_keeps_its_status_and_headers(app: ASGIApp) -> None:
    answer = ask(app, "/api/teapot")
    assert (answer.status, answer.header["x-tea"]) == (418, "green")


@pytest.mark.parametrize("path", ["/raises/", "/api/crlf", "/api/loose"])
def test_what_fails_is_500_and_tells_nothing(
    app: ASGIApp, root: Path, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    # case X4, case X5
    with caplog.at_level(logging.ERROR, "hybridsite"):
        answer = ask(app, path)
    assert answer.status == 500
    for told in (str(root), "Error:", "Traceback", "pages/", "hybridsite", "X-B", "ZeroDivision"):
        assert told not in answer.text
        assert told not in str(answer.headers)
    assert len(caplog.records) == 1


def test_a_fault_is_logged_with_its_place(app: ASGIApp, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "hybridsite"):
        ask(app, "/raises/")
    assert caplog.messages[0].startswith("pages/raises.html:4")


@pytest.mark.parametrize("path", ["/nowhere/", "/%ff", "//x/", "/api/teapot"])
def test_without_pages_of_its_own_an_error_is_plain(app: ASGIApp, path: str) -> None:
    # case X5
    answer = ask(app, path)
    assert answer.text.startswith("<!doctype html>")
    assert path not in answer.text
    assert "<script" not in answer.text


@pytest.mark.parametrize(
    "error_page", [ON_DEMAND + "<h1>own << url.path >></h1>", "<h1>own</h1>", ON_DEMAND + "<< nothing >>"]
)
def test_error_pages_of_the_site(tmp_path: Path, error_page: str) -> None:
    # case X5
    files = {
        "site.toml": MEMORY,
        "pages/404.html": ON_DEMAND + "<p>own 404</p>",
        "pages/500.html": error_page,
        "pages/bad.html": ON_DEMAND + "<< none_such >>",
        "pages/gone.html": ON_DEMAND,
        "pages/gone.py": "from hybridsite import NotFound\ndef load(context):\n    raise NotFound",
    }
    app = app_of(write_site(tmp_path / "site", files))
    answer = ask(app, "/bad/")
    assert answer.status == 500
    assert ("own" in answer.text) == ("own" in error_page)
    for path in ("/gone/", "/nowhere/"):
        assert (ask(app, path).status, ask(app, path).text.strip()) == (404, "<p>own 404</p>")


def test_middleware_sees_every_answer_in_order(tmp_path: Path) -> None:
    source = """
        async def first(context, call_next):
            answer = await call_next(context)
            answer.headers["x-seen"] = answer.headers.get("x-seen", "") + "1" + str(answer.status_code)
            return answer
        async def second(context, call_next):
            context.locals.word = "from middleware"
            answer = await call_next(context)
            answer.headers["x-seen"] = "2"
            return answer
        middleware = [first, second]
        """
    files = {"site.toml": MEMORY, "middleware.py": source, "pages/a.html": ON_DEMAND + "<< locals.word >>"}
    app = app_of(write_site(tmp_path / "site", files))
    answer = ask(app, "/a/")
    assert (answer.text.strip(), answer.header["x-seen"]) == ("from middleware", "21200")
    assert ask(app, "/nowhere/").header["x-seen"] == "21404"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Site:
    files = {
        "pages/a.html": ON_DEMAND + "a",
        "pages/b.html": "b",
        "pages/c.py": "def GET(context):\n    context.response.headers['X-A'] = 'a\\0'\n    return 'c'",
    }
    return loaded(tmp_path_factory.mktemp("bare") / "site", files)


def test_render_alone_raises_what_is_at_fault(bare: Site) -> None:
    # case X4
    with pytest.raises(ContextError, match="what no header can carry"):
        asyncio.run(render(bare, request("/c")))


@pytest.mark.parametrize(("path", "status"), [("/a/", 200), ("/a", 308), ("/c/", 308), ("/b/", 404), ("/%", 400)])
def test_render_finds_what_is_on_demand(bare: Site, path: str, status: int) -> None:
    assert asyncio.run(render(bare, request(path))).status_code == status


@pytest.mark.parametrize("path", ["/a?next=//evil.example", "/a?x=%0d%0a", "/c/?a=1"])
def test_a_redirect_keeps_the_query_and_the_host(bare: Site, path: str) -> None:
    # case R1
    answer = asyncio.run(render(bare, request(path)))
    to, _, query = answer.headers["location"].partition("?")
    assert (to, query) == ({"/a": "/a/", "/c/": "/c"}[path.partition("?")[0]], path.partition("?")[2])


def test_a_redirect_keeps_a_query_that_is_not_ascii(bare: Site) -> None:
    asked = request("/a")
    asked.scope["query_string"] = b"q=\xc3\xa9&x=|<>"
    location = asyncio.run(render(bare, asked)).raw_headers
    assert (b"location", b"/a/?q=\xc3\xa9&x=|<>") in location


@pytest.mark.parametrize("slash", ["always", "never", "ignore"])
def test_a_page_knows_its_own_url_at_build(tmp_path: Path, slash: str) -> None:
    root = write_site(
        tmp_path / "site",
        {
            "site.toml": f'[routing]\ntrailing_slash = "{slash}"\n',
            "pages/about.html": "<< url.path >>",
            "pages/robots.txt": "<< url.path >>",
            "pages/index.html": "<< url.path >>",
        },
    )
    built_here(root)
    names = ("about/index.html", "robots.txt", "index.html")
    told = {name: (root / "dist/client" / name).read_text() for name in names}
    assert told == {
        "about/index.html": "/about" if slash == "never" else "/about/",
        "robots.txt": "/robots.txt",
        "index.html": "/",
    }


def test_functions_behind_objects_are_called(tmp_path: Path) -> None:
    source = """
        import functools

        def answer(context, text):
            return text

        GET = functools.partial(answer, text="ok")
        POST = functools.partial(answer, text=object())
        """
    app = app_of(write_site(tmp_path / "site", {"site.toml": MEMORY, "pages/api.py": source}))
    assert ask(app, "/api").text == "ok"
    assert ask(app, "/api", "POST", headers={"origin": "http://127.0.0.1"}).status == 500


@pytest.mark.parametrize(
    ("host", "secure"),
    [
        ("shop.example", True),
        ("shop.example:8000", True),
        ("localhost:80", False),
        ("[::1]", False),
        ("[::1]:80", False),
    ],
)
def test_the_cookie_is_secure_where_the_site_is(tmp_path: Path, host: str, secure: bool) -> None:
    files = {
        "site.toml": '[site]\nurl = "https://shop.example"\n[session]\ndriver = "memory"\n',
        "pages/set.py": "def GET(context):\n    context.session['a'] = 1\n    return ''",
    }
    answer = ask(app_of(write_site(tmp_path / "site", files)), "/set", headers={"host": host})
    assert ("; Secure" in answer.header["set-cookie"]) == secure


def test_a_logged_traceback_begins_in_the_site(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {
        "site.toml": MEMORY,
        "pages/api.py": "import json\n\n\ndef GET(context):\n    return json.loads('{')",
    }
    app = app_of(write_site(tmp_path / "site", files))
    with caplog.at_level(logging.ERROR, "hybridsite"):
        assert ask(app, "/api").status == 500
    (record,) = caplog.records
    assert record.getMessage().startswith("pages/api.py:5: JSONDecodeError: ")
    shown = logging.Formatter().format(record)
    assert "json/decoder.py" in shown  # what the site called belongs to its fault
    assert "hybridsite/rendering.py" not in shown
    assert "starlette" not in shown


def test_a_response_that_is_kept_by_the_site_carries_no_visitors_headers(tmp_path: Path) -> None:
    source = """
        import functools
        from starlette.responses import PlainTextResponse

        SHARED = PlainTextResponse("x")

        def GET(context):
            if name := context.request.query_params.get("login"):
                context.session["user"] = name
                context.cookies.set("name", name)
            return SHARED
        """
    files = {"site.toml": MEMORY, "pages/kept.py": source, "middleware.py": ""}
    for middleware in (
        "async def on_request(context, call_next):\n    return await call_next(context)",
        "from starlette.responses import PlainTextResponse\nKEPT = PlainTextResponse('y')\n"
        "async def on_request(context, call_next):\n    await call_next(context)\n    return KEPT",
    ):
        files["middleware.py"] = middleware
        app = app_of(write_site(tmp_path / str(len(middleware)), files))
        first = ask(app, "/kept?login=alice")
        assert "alice" in str(first.headers)
        second = ask(app, "/kept")
        assert "set-cookie" not in second.header


def test_an_error_page_on_demand_is_an_answer_like_any(tmp_path: Path) -> None:
    page = "---\nprerender: false\nheaders: {X-Frame-Options: DENY}\n---\n"
    files = {
        "site.toml": MEMORY,
        "pages/404.html": page + "<< url.path >> << cookies.get('theme') >>{% do cookies.set('seen', '1') %}",
        "pages/gone.py": "from hybridsite import NotFound\ndef GET(context):\n    raise NotFound",
        "pages/kept.html": "---\nprerender: false\nheaders: {Cache-Control: 'public, max-age=60'}\n---\n",
        "pages/kept.py": "from hybridsite import NotFound\ndef load(context):\n    raise NotFound",
    }
    app = app_of(write_site(tmp_path / "site", files))
    answer = ask(app, "/gone", headers={"cookie": "theme=dark"})
    assert (answer.status, answer.text) == (404, "/gone dark")
    assert (answer.header["cache-control"], answer.header["vary"]) == PRIVATE
    assert answer.header["set-cookie"].startswith("seen=1")
    assert answer.header["x-frame-options"] == "DENY"
    assert "max-age" not in str(ask(app, "/kept/").headers).replace("seen=1", "")


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "GET"])
def test_what_is_not_there_is_404_for_every_method(tmp_path: Path, method: str) -> None:
    for page in (ON_DEMAND + "none", "none"):
        app = app_of(write_site(tmp_path / f"{len(page)}", {"site.toml": MEMORY, "pages/404.html": page}))
        answer = ask(app, "/nowhere", method, headers={"origin": "http://127.0.0.1"})
        assert (answer.status, answer.text) == (404, "none")


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        ("NotFound", 404),
        ("HTTPException(403)", 403),
        ("HTTPException(429)", 429),
        ("ActionError('forbidden', 'no')", 403),
    ],
)
def test_middleware_may_raise_an_answer(tmp_path: Path, raised: str, status: int) -> None:
    source = (
        "from hybridsite import ActionError, NotFound\nfrom starlette.exceptions import HTTPException\n"
        f"async def on_request(context, call_next):\n    raise {raised}"
    )
    app = app_of(write_site(tmp_path / "site", {"site.toml": MEMORY, "middleware.py": source}))
    answer = ask(app, "/x")
    assert answer.status == status
    assert {404: "Not Found", 403: "Forbidden", 429: "Too Many Requests"}[status] in answer.text


def test_a_built_error_page_keeps_its_headers(tmp_path: Path) -> None:
    page = "---\nheaders: {X-Frame-Options: DENY, Content-Security-Policy: \"default-src 'self'\"}\n---\ngone"
    app = app_of(write_site(tmp_path / "site", {"site.toml": MEMORY, "pages/404.html": page, "pages/a.html": page}))
    for target, status in (("/nowhere", 404), ("/a/", 200)):
        answer = ask(app, target)
        assert (answer.status, answer.text) == (status, "gone")
        assert [value for name, value in answer.headers if name == "x-frame-options"] == ["DENY"]
        assert answer.header["content-security-policy"] == "default-src 'self'"


def test_what_a_prerendered_page_owns_no_other_page_answers(tmp_path: Path) -> None:
    files = {
        "site.toml": MEMORY,
        "pages/[s].html": "built",
        "pages/[s].py": "def paths(site):\n    return [{'params': {'s': 'a'}}]",
        "pages/[t].html": ON_DEMAND + "on demand",
        "pages/[t].py": "def POST(context):\n    return {}",
    }
    app = app_of(write_site(tmp_path / "site", files))
    own = {"origin": "http://127.0.0.1"}
    assert ask(app, "/a/", "POST", headers=own).status == 405
    assert ask(app, "/b/", "POST", headers=own).text == "on demand"


def test_url_for_is_on_the_context(tmp_path: Path) -> None:
    source = "def GET(context):\n    return context.redirect(context.url_for('pages/a.html'), 303)"
    files = {"site.toml": MEMORY + '[site]\nbase = "/app"\n', "pages/a.html": "", "pages/go.py": source}
    assert ask(app_of(write_site(tmp_path / "site", files)), "/app/go").header["location"] == "/app/a/"


def test_a_page_for_500_that_reads_cookies_is_private(tmp_path: Path) -> None:
    page = ON_DEMAND + "<< cookies.get('theme') >>{% do cookies.set('seen', '1') %}"
    files = {"site.toml": MEMORY, "pages/500.html": page, "pages/a.html": ON_DEMAND + "<< 1 // 0 >>"}
    answer = ask(app_of(write_site(tmp_path / "site", files)), "/a/", headers={"cookie": "theme=dark"})
    assert (answer.status, answer.text) == (500, "dark")
    assert (answer.header["cache-control"], answer.header["vary"]) == PRIVATE
    assert answer.header["set-cookie"].startswith("seen=1")
