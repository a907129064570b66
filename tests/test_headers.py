"""[headers]: the more specific rule decides, a page's own headers win, and nothing private is made public."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.types import ASGIApp

from hybridsite.errors import ConfigError
from hybridsite.headers import HeaderRules
from tests.e2e.support import write_site
from tests.inprocess import MEMORY, ON_DEMAND, app_of, ask, loaded


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("/*", ["", "a", "a/b/c"], []),
        ("/", [""], ["a"]),
        ("/a", ["a"], ["", "a/b", "ab"]),
        ("/a/", ["a"], ["a/b"]),
        ("/a/*", ["a", "a/b", "a/b/c.css"], ["", "ab", "b/a"]),
        ("/a/*/c", ["a/b/c"], ["a/c", "a/b/b/c", "a/b"]),
        ("/*.pdf", ["x.pdf", ".pdf"], ["a/x.pdf", "x.pdf.txt"]),
        ("/a.b/*", ["a.b/c"], ["axb/c"]),
        ("/cafe\u0301", ["caf\xe9"], ["cafe"]),
    ],
)
def test_patterns(pattern: str, yes: list[str], no: list[str]) -> None:
    rules = HeaderRules({pattern: {"X": "1"}})
    for path in yes:
        assert rules.of(tuple(path.split("/")) if path else ()) == {"X": "1"}, path
    for path in no:
        assert rules.of(tuple(path.split("/")) if path else ()) == {}, path


@pytest.mark.parametrize("backwards", [False, True])
def test_the_more_specific_decides_for_each_name(backwards: bool) -> None:
    rules = {
        "/*": {"X-A": "all", "x-b": "all", "X-C": "all"},
        "/shop/*": {"x-a": "shop", "X-B": "shop"},
        "/shop/*.html": {"X-A": "text", "X-D": "text"},
        "/*/a.html": {"X-D": "one", "X-E": "one"},
        "/shop/a.html": {"X-A": "fixed"},
    }
    ordered = dict(reversed(rules.items())) if backwards else rules
    found = {name.lower(): value for name, value in HeaderRules(ordered).of(("shop", "a.html")).items()}
    assert found == {"x-a": "fixed", "x-b": "shop", "x-c": "all", "x-d": "text", "x-e": "one"}


def test_a_path_that_can_t_be_read_gets_what_is_for_all() -> None:
    assert HeaderRules({"/*": {"X": "1"}, "/a": {"Y": "1"}}).of(None) == {"X": "1"}


TOML = (
    MEMORY
    + """
[headers]
"/*" = { "Strict-Transport-Security" = "max-age=9", "X-Frame-Options" = "DENY" }
"/assets/*" = { "X-Robots-Tag" = "noindex", "Cache-Control" = "public, max-age=600" }
"/api/*" = { "Cache-Control" = "public, max-age=60", "X-Own" = "rule" }
"/kind" = { "Content-Type" = "application/json" }
"/members/*" = { "Cache-Control" = "public, max-age=60", "X-M" = "1" }
"""
)
FILES = {
    "site.toml": TOML,
    "middleware.py": "async def on_request(context, call_next):\n    return await call_next(context)",
    "pages/index.html": "home",
    "pages/own.html": "---\nheaders: {X-Frame-Options: SAMEORIGIN}\n---\nown",
    "pages/now.html": ON_DEMAND + "now",
    "pages/api/plain.py": "def GET(context):\n    return 'x'",
    "pages/api/own.py": "def GET(context):\n    context.response.headers['x-own'] = 'code'\n    return 'x'",
    "pages/api/session.py": "def GET(context):\n    context.session['a'] = 1\n    return 'x'",
    "pages/api/cookie.py": "def GET(context):\n    context.cookies.set('a', 'b')\n    return 'x'",
    "pages/api/sets.py": "from starlette.responses import Response\n"
    "def GET(context):\n    return Response('x', headers={'Set-Cookie': 'a=b'})",
    "pages/api/gone.py": "from hybridsite import NotFound\ndef GET(context):\n    raise NotFound",
    "pages/api/to.py": "def GET(context):\n    return context.redirect('/')",
    "pages/members/index.html": "---\nguard: true\n---\nmembers",
    "pages/api/file.py": "def GET(context):\n    return context.rewrite('/assets/a.txt')",
    "pages/404.html": "none",
    "public/assets/a.txt": "a",
    "public/kind": "{}",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> ASGIApp:
    return app_of(write_site(tmp_path_factory.mktemp("headers") / "site", FILES))


@pytest.mark.parametrize(
    "path", ["/", "/now/", "/api/plain", "/assets/a.txt", "/nowhere/", "/api/to", "/members/", "/now", "/%ff"]
)
def test_what_is_for_all_is_on_built_files_answers_and_errors(app: ASGIApp, path: str) -> None:
    answer = ask(app, path)
    assert answer.header["strict-transport-security"] == "max-age=9"
    assert [value for name, value in answer.headers if name == "x-frame-options"] == ["DENY"]


def test_a_page_s_own_headers_win(app: ASGIApp) -> None:
    assert ask(app, "/own/").header["x-frame-options"] == "SAMEORIGIN"
    assert ask(app, "/api/own").header["x-own"] == "code"
    assert ask(app, "/api/plain").header["x-own"] == "rule"


def test_a_built_file_has_one_of_each(app: ASGIApp) -> None:
    answer = ask(app, "/assets/a.txt")
    assert (answer.header["x-robots-tag"], answer.header["cache-control"]) == ("noindex", "public, max-age=600")
    assert len({name for name, _ in answer.headers}) == len(answer.headers)
    known = ask(app, "/assets/a.txt", headers={"If-None-Match": answer.header["etag"]})
    assert (known.status, known.header["x-robots-tag"]) == (304, "noindex")


def test_a_type_may_be_said_of_a_public_file(app: ASGIApp) -> None:
    assert [value for name, value in ask(app, "/kind").headers if name == "content-type"] == ["application/json"]


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/api/plain", "public, max-age=60"),
        ("/api/session", "private, no-store"),
        ("/api/cookie", "private, no-store"),
        ("/api/sets", "no-cache"),
        ("/api/gone", "no-cache"),
        ("/api/nowhere", "no-cache"),
        ("/api/to", "no-cache"),
        ("/api/file", "no-cache"),
        ("/members/", "private, no-cache"),
    ],
)
def test_how_long_an_answer_is_kept_is_never_loosened(app: ASGIApp, path: str, kept: str) -> None:
    answer = ask(app, path)
    assert [value for name, value in answer.headers if name == "cache-control"] == [kept]
    assert path != "/members/" or answer.header["x-m"] == "1"


def test_rules_are_written_without_the_base(tmp_path: Path) -> None:
    toml = '[site]\nbase = "/app"\n[headers]\n"/a/*" = { X-A = "1" }\n"/app/*" = { X-B = "1" }\n'
    files = {"site.toml": MEMORY + toml, "pages/a/b.html": "b", "pages/a/now.html": ON_DEMAND, "public/a/c.txt": "c"}
    app = app_of(write_site(tmp_path / "site", files))
    for path in ("/app/a/b/", "/app/a/now/", "/app/a/c.txt"):
        answer = ask(app, path)
        assert (answer.header.get("x-a"), answer.header.get("x-b")) == ("1", None)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('"assets" = { X-A = "1" }', 'site.toml:2:1: headers.assets must be a path that begins with one "/"'),
        ('"//a" = { X-A = "1" }', "headers.'//a' must be a path"),
        ('"/[slug]" = { X-A = "1" }', "must be a path that begins with one"),
        ('"/a" = { "X A" = "1" }', "headers.'/a'.'X A' is no name for a header"),
        ('"/a" = { Content-Length = "1" }', "site.toml:2:10: headers.'/a'.Content-Length is the server's own to send"),
        # case X4
        ('"/a" = { X-A = "1\\r\\nX-B: 2" }', "headers.'/a'.X-A has a value that no header can carry"),
        ('"/a" = { X-A = 1 }', "headers.'/a'.X-A must be text in quotes"),
        ('"/a" = "b"', "headers.'/a' must be a table"),
    ],
)
def test_faults_are_told_with_their_place(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path / "site", {"site.toml": f"[headers]\n{line}\n"})
    assert told in str(caught.value)
