"""rewrite(): the request goes on for another path, with the visitor's session, through the middleware again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import pytest
from starlette.types import ASGIApp

from tests.e2e.support import write_site
from tests.inprocess import MEMORY, ON_DEMAND, app_of, ask

OWN = {"origin": "http://127.0.0.1"}
SHOWN = (
    "<< url.path >>?<< url.query >> << request.method >> << request.url.path >> << route >> "
    "<< locals.seen | join(' ') >>"
)
MIDDLEWARE = """
from starlette.responses import PlainTextResponse

async def on_request(context, call_next):
    context.locals.seen = [*getattr(context.locals, "seen", []), context.url.path]
    if context.url.path.startswith("/admin/") and context.url.query != "let-me":
        return PlainTextResponse("refused", 403)
    if context.url.path == "/by-middleware/":
        return context.rewrite("/target/?from=m")
    answer = await call_next(context)
    answer.headers["x-paths"] = ascii(" ".join(context.locals.seen)).strip("'")
    return answer
"""
FILES = {
    "site.toml": MEMORY,
    "middleware.py": MIDDLEWARE,
    "actions.py": "from hybridsite import action\n@action\ndef go(context):\n    return context.rewrite('/target/')",
    "pages/target.html": ON_DEMAND + SHOWN,
    "pages/by-load.html": ON_DEMAND + "never",
    "pages/by-load.py": "def load(context):\n    context.locals.word = 'kept'\n"
    "    return context.rewrite('/target/?' + context.url.query)\nPOST = load",
    "pages/by-template.html": ON_DEMAND + "begun {% do rewrite('/target/') %}never",
    "pages/by-endpoint.py": "def ALL(context):\n    context.session['who'] = 'Ann'\n    context.cookies.set('a', 'b')\n"
    "    context.response.headers['x-set'] = '1'\n    return context.rewrite('/shows-session/')",
    "pages/shows-session.html": ON_DEMAND + "<< session.who >> << cookies.get('theme') >>",
    "pages/to-admin.html": ON_DEMAND,
    "pages/to-admin.py": "def load(context):\n    return context.rewrite('/admin/')",
    "pages/admin/index.html": ON_DEMAND + "admin",
    "pages/built.html": "---\nheaders: {X-Own: '1', Cache-Control: 'max-age=99'}\n---\n" + "built " * 200,
    "pages/to.py": "def GET(context):\n    return context.rewrite(context.request.query_params['path'])\nPOST = GET",
    "pages/touches.py": "def GET(context):\n    context.session['a'] = 1\n    return context.rewrite('/built/')",
    "pages/round.py": "def GET(context):\n    return context.rewrite('/round?more')",
    "pages/404.html": "nothing here",
    "public/note.txt": "a note",
    "pages/[x]/deep.html": ON_DEMAND + "<< params.x >>",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> ASGIApp:
    return app_of(write_site(tmp_path_factory.mktemp("rewrite") / "site", FILES))


@pytest.mark.parametrize(
    ("path", "method", "text"),
    [
        ("/by-load/?a=1&b=%2F", "GET", "/target/?a=1&b=%2F GET /target/ /target/ /by-load/ /target/"),
        ("/by-load/", "POST", "/target/? GET /target/ /target/ /by-load/ /target/"),
        ("/by-template/?a=1", "GET", "/target/? GET /target/ /target/ /by-template/ /target/"),
        ("/by-middleware/", "GET", "/target/?from=m GET /target/ /target/ /by-middleware/ /target/"),
        ("/to?path=/target", "GET", "/target/? GET /target/ /target/ /to /target/"),
        ("/_actions/go", "POST", "/target/? GET /target/ /target/ /_actions/go /target/"),
    ],
)
def test_the_request_goes_on_as_one_for_the_other_path(app: ASGIApp, path: str, method: str, text: str) -> None:
    answer = ask(app, path, method, headers=OWN)
    assert (answer.status, answer.text.replace("&amp;", "&")) == (200, text)
    assert "location" not in answer.header


def test_session_cookies_and_headers_stay(app: ASGIApp) -> None:
    answer = ask(app, "/by-endpoint", headers={"cookie": "theme=dark"})
    assert answer.text == "Ann dark"
    assert (answer.header["cache-control"], answer.header["vary"]) == ("private, no-store", "Cookie")
    assert answer.header["x-set"] == "1"
    set_cookies = [value for name, value in answer.headers if name == "set-cookie"]
    assert [value.partition("=")[0] for value in set_cookies] == ["a", "hybridsite-session"]


def test_a_session_is_opened_where_only_the_target_uses_one(tmp_path: Path) -> None:
    files = {
        "site.toml": MEMORY,
        "pages/from.html": ON_DEMAND + "{% do rewrite('/who/') %}",
        "pages/who.html": ON_DEMAND + "<< session.get('who', 'nobody') >>",
        "pages/in.py": "def GET(context):\n    context.session['who'] = 'Ann'\n    return ''",
    }
    app = app_of(write_site(tmp_path / "site", files))
    cookie = ask(app, "/in").header["set-cookie"].partition(";")[0]
    answer = ask(app, "/from/", headers={"cookie": cookie})
    assert (answer.text, answer.header["cache-control"]) == ("Ann", "private, no-store")


@pytest.mark.parametrize("path", ["/to-admin/", "/to?path=/admin/", "/to?path=/%2561dmin/", "/to?path=/admin"])
def test_the_middleware_guards_the_target_too(app: ASGIApp, path: str) -> None:
    # case P2
    answer = ask(app, path)
    assert answer.text in ("refused", "nothing here")
    assert ask(app, "/to?path=/admin/%3Flet-me").text == "admin"


@pytest.mark.parametrize("path", ["/built/", "/built", "/%62uilt/"])
def test_a_built_file_is_given_out(app: ASGIApp, path: str) -> None:
    answer = ask(app, f"/to?path={path}")
    assert (answer.status, answer.text) == (200, "built " * 200)
    assert answer.header["content-type"] == "text/html; charset=utf-8"
    assert answer.header["x-own"] == "1"
    assert answer.header["cache-control"] == "no-cache"  # who is led here was decided for this request
    assert answer.header["x-paths"].startswith("/to ")


def test_a_built_file_behind_a_session_is_private(app: ASGIApp) -> None:
    answer = ask(app, "/touches", headers={"accept-encoding": "gzip"})
    assert answer.header["content-encoding"] == "gzip"
    assert (answer.header["cache-control"], answer.header["vary"]) == ("private, no-store", "Accept-Encoding, Cookie")


def test_a_public_file_is_given_out_with_conditions_and_ranges(app: ASGIApp) -> None:
    whole = ask(app, "/to?path=/note.txt")
    assert (whole.text, whole.header["content-type"]) == ("a note", "text/plain; charset=utf-8")
    known = ask(app, "/to?path=/note.txt", headers={"If-None-Match": whole.header["etag"]})
    assert (known.status, known.body) == (304, b"")
    part = ask(app, "/to?path=/note.txt", headers={"Range": "bytes=2-5"})
    assert (part.status, part.text, part.header["content-range"]) == (206, "note", "bytes 2-5/6")
    head = ask(app, "/to?path=/note.txt", "HEAD")
    assert (head.status, head.body, head.header["content-length"]) == (200, b"", "6")
    posted = ask(app, "/to?path=/note.txt", "POST", headers={**OWN, "If-None-Match": whole.header["etag"]})
    assert (posted.status, posted.text) == (200, "a note")


@pytest.mark.parametrize(
    "target", ["/nowhere/", "/%252e%252e/site.toml", "/a//b", "/%ff", "/a%255cb", "/_actions/none"]
)
def test_a_target_that_is_not_there_is_404(app: ASGIApp, target: str) -> None:
    answer = ask(app, f"/to?path={target}")
    assert (answer.status, answer.text) == (404, "nothing here")


def test_a_target_is_read_as_any_path(app: ASGIApp) -> None:
    assert ask(app, "/to?path=/caf%C3%A9%20a/deep/").text == "café a"
    assert ask(app, "/to?path=/a%2525b/deep/").text == "a%b"


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "target/", "", "/%5Cevil.example", "?a"]
)
def test_what_is_no_path_of_the_site_is_an_error(app: ASGIApp, target: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "hybridsite"):
        assert ask(app, f"/to?path={target}").status == 500
    assert "pages/to.py:2: rewrite() takes a path of the site" in caplog.messages[0]


def test_rewrites_in_a_circle_are_an_error_that_shows_the_chain(app: ASGIApp, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "hybridsite"):
        assert ask(app, "/round").status == 500
    assert "rewritten over 5 times; /round → /round → " in caplog.messages[0]


def test_an_action_is_not_what_a_rewrite_leads_to(app: ASGIApp) -> None:
    assert ask(app, "/to?path=/_actions/go", "POST", headers=OWN).status == 405


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"pages/a.html": "{% do rewrite('/b/') %}"}, "rewrite() is asked for on a prerendered page"),
        (
            {
                "pages/a.html": "",
                "middleware.py": "async def on_request(context, call_next):\n    return context.rewrite('/b/')",
            },
            "rewrite() is asked for on a prerendered page",
        ),
    ],
)
def test_a_prerendered_page_can_t_be_rewritten(tmp_path: Path, files: Mapping[str, str], told: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of one place, or of several
        app_of(write_site(tmp_path / "site", {"pages/b.html": ON_DEMAND, **files}))
    assert told in str(caught.value)


def test_the_base_is_part_of_the_path(tmp_path: Path) -> None:
    files = {
        "site.toml": MEMORY + '[site]\nbase = "/app"\n',
        "pages/a.py": "def GET(context):\n    return context.rewrite(context.request.query_params['to'])",
        "pages/b.html": ON_DEMAND + "<< url.path >>",
    }
    app = app_of(write_site(tmp_path / "site", files))
    assert ask(app, "/app/a?to=/app/b/").text == "/app/b/"
    assert ask(app, "/app/a?to=/b/").status == 404
