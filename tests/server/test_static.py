"""Files are looked up by the URL as it was sent, and answered as RFC 9110 has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hybridsite.server.static import Budget
from tests.e2e.support import write_site
from tests.inprocess import MEMORY, Answer, app_of, ask

FILES: dict[str, str | bytes] = {
    "site.toml": MEMORY,
    "pages/about.html": "about " * 200,
    "pages/robots.txt": "User-agent: *",
    "pages/headers.html": '---\nheaders: {Cache-Control: "max-age=9", X-Own: "1"}\n---\nown',
    "pages/404.html": "none",
    "public/a b.txt": "spaced",
    "public/large.bin": b"0123456789" * 30_000,
    "public/help/index.html": "<p>help</p>",
    "public/.env": "SECRET=1",
    "public/.well-known/security.txt": "mail us",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("static") / "site", FILES)


@pytest.fixture(scope="module")
def app(root: Path) -> ASGIApp:
    return app_of(root)


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/about/", "text/html; charset=utf-8", b"about " * 200),
        ("/robots.txt", "text/plain; charset=utf-8", b"User-agent: *"),
        ("/a%20b.txt", "text/plain; charset=utf-8", b"spaced"),
        ("/large.bin", "application/octet-stream", b"0123456789" * 30_000),
        ("/help/", "text/html; charset=utf-8", b"<p>help</p>"),
        ("/.well-known/security.txt", "text/plain; charset=utf-8", b"mail us"),
        ("/%61bout/", "text/html; charset=utf-8", b"about " * 200),
    ],
)
def test_a_file_is_given_out(app: ASGIApp, path: str, kind: str, body: bytes) -> None:
    answer = ask(app, path)
    assert (answer.status, answer.header["content-type"], answer.body.rstrip()) == (200, kind, body.rstrip())
    assert int(answer.header["content-length"]) == len(answer.body)
    assert answer.header["cache-control"] == "public, max-age=0, must-revalidate"
    assert answer.header["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    "path",
    [
        "/.env",
        "/public/.env",
        "/site.toml",
        "/pages/about.html",
        "/about.html",
        "/about/index.html",
        "/help/index.html",
        "/404.html",
        "/server/manifest.json",
        "/../server/manifest.json",
        "/..%2fserver/manifest.json",
        "/.hybridsite/secret",
        "/dist/client/about/index.html",
        "/large.bin%00",
        "/a%2520b.txt",
        "/LARGE.BIN",
    ],
)
def test_nothing_else_is(app: ASGIApp, path: str) -> None:
    # case P1, case P3
    answer = ask(app, path)
    assert answer.status in (400, 404)
    assert "SECRET" not in answer.text


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("/about", "/about/"),
        ("/about?a=1&b=%2F", "/about/?a=1&b=%2F"),
        ("/help", "/help/"),
        ("/robots.txt/", "/robots.txt"),
        ("/%61bout", "/about/"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_other_form_is_308(app: ASGIApp, path: str, to: str, method: str) -> None:
    # case R1
    answer = ask(app, path, method)
    assert (answer.status, answer.header["location"]) == (308, to)


@pytest.mark.parametrize(
    "path", ["//evil.example/about", "//about", "/\\about", "/%5cabout", "/%09/about", "/about%0d%0a"]
)
def test_no_form_leads_to_another_host(app: ASGIApp, path: str) -> None:
    # case R1
    answer = ask(app, path)
    assert answer.status in (400, 404)
    assert "location" not in answer.header


@pytest.mark.parametrize("path", ["/about/", "/large.bin", "/headers/"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_if_none_match(app: ASGIApp, path: str, method: str) -> None:
    # case P8
    tag = ask(app, path).header["etag"]

    def status(value: str) -> Answer:
        return ask(app, path, method, headers={"If-None-Match": value})

    for known in (tag, f"W/{tag}", f'"other", {tag}', f'{tag} , "x"', "*"):
        answer = status(known)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.header["etag"] == tag
        assert "content-length" not in answer.header
        assert "set-cookie" not in answer.header
    for unknown in ('"other"', tag.strip('"'), "", tag[:-2] + '"'):
        assert status(unknown).status == 200


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 200),
        ("Fri, 06 Nov 2099 08:49:37 GMT", 304),
        ("nonsense", 200),
        ("Sun, 99 Nov 2099", 200),
        ("", 200),
    ],
)
def test_if_modified_since(app: ASGIApp, value: str, status: int) -> None:
    # case P8
    assert ask(app, "/about/", headers={"If-Modified-Since": value}).status == status
    both = {"If-Modified-Since": value, "If-None-Match": '"other"'}
    assert ask(app, "/about/", headers=both).status == 200


@pytest.mark.parametrize("path", ["/about/", "/large.bin", "/robots.txt"])
def test_head_is_get_without_its_body(app: ASGIApp, path: str) -> None:
    get, head = ask(app, path), ask(app, path, "HEAD")
    assert (head.status, head.body, sorted(head.headers)) == (200, b"", sorted(get.headers))


def test_a_page_s_own_headers_are_sent(app: ASGIApp) -> None:
    answer = ask(app, "/headers/")
    assert (answer.header["cache-control"], answer.header["x-own"]) == ("max-age=9", "1")
    assert len([name for name, _ in answer.headers if name == "cache-control"]) == 1


@pytest.mark.parametrize("coding", ["br", "gzip"])
def test_a_coding_has_a_tag_of_its_own(app: ASGIApp, coding: str) -> None:
    # case P9
    plain, coded = ask(app, "/about/"), ask(app, "/about/", headers={"Accept-Encoding": coding})
    assert coded.header["content-encoding"] == coding
    assert coded.header["etag"] != plain.header["etag"]
    assert (plain.header["vary"], coded.header["vary"]) == ("Accept-Encoding", "Accept-Encoding")
    assert int(coded.header["content-length"]) == len(coded.body) < len(plain.body)


@pytest.mark.parametrize(
    ("ranges", "status", "body"),
    [
        ("bytes=0-3", 206, b"0123"),
        ("bytes=-2", 206, b"89"),
        ("bytes=299998-", 206, b"89"),
        ("bytes=299999-999999", 206, b"9"),
        ("bytes=300000-", 416, None),
        ("bytes=5-2", 200, None),
        ("lines=0-3", 200, None),
        ("bytes=a-b", 200, None),
    ],
)
def test_ranges(app: ASGIApp, ranges: str, status: int, body: bytes | None) -> None:
    # case P6
    answer = ask(app, "/large.bin", headers={"Range": ranges})
    assert answer.status == status
    assert body is None or answer.body == body


def test_a_thousand_ranges_are_bounded_work(app: ASGIApp) -> None:
    # case P6
    answer = ask(app, "/large.bin", headers={"Range": "bytes=" + ",".join(["0-"] * 1000)})
    assert len(answer.body) < 700_000


def test_a_file_that_a_newer_build_took_away_is_404(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"site.toml": MEMORY, "public/a.bin": b"x" * 300_000, "public/small.txt": "small"}
    root = write_site(tmp_path / "site", files)
    app = app_of(root)
    for name in ("a.bin", "small.txt"):
        (root / "dist/client" / name).unlink()
    assert ask(app, "/a.bin").status == 404
    assert ask(app, "/small.txt").text == "small"


def test_a_file_that_a_newer_build_changed_has_no_old_tag(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", {"site.toml": MEMORY, "public/a.bin": b"x" * 300_000})
    app = app_of(root)
    tag = ask(app, "/a.bin").header["etag"]
    (root / "dist/client/a.bin").write_bytes(b"y" * 400_000)
    answer = ask(app, "/a.bin")
    assert answer.body == b"y" * 400_000
    assert answer.header["content-length"] == "400000"
    assert answer.header["etag"] != tag


def test_a_budget_is_not_overdrawn() -> None:
    budget = Budget(10)
    assert [budget.take(size) for size in (6, 5, 4, 1, 0)] == [True, False, True, False, True]


def test_each_request_has_a_message_of_its_own(tmp_path: Path) -> None:
    # Middleware around the application adds a visitor's headers to the message that it sees.
    app = app_of(write_site(tmp_path / "site", {"site.toml": MEMORY, "pages/index.html": "x"}))

    async def marking(scope: Scope, receive: Receive, send: Send) -> None:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"set-cookie", scope["query_string"]))
            await send(message)

        await app(scope, receive, add)

    for visitor in ("alice", "bob"):
        answer = ask(marking, f"/?{visitor}")
        assert [value for name, value in answer.headers if name == "set-cookie"] == [visitor]
