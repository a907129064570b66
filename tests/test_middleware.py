"""Middleware: around every answer that is rendered, with one path, and answers alone."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.e2e.support import write_site
from tests.inprocess import MEMORY, ON_DEMAND, app_of, ask, built_here

HEAD = "from starlette.responses import PlainTextResponse, StreamingResponse\n\n"


def site(tmp_path: Path, middleware: str, **files: str) -> Path:
    """Writes a site with middleware, a page, one that fails and one that counts how often it is rendered."""
    own = {
        "site.toml": MEMORY,
        "middleware.py": HEAD + middleware,
        "pages/a.html": ON_DEMAND + "a",
        "pages/fails.html": ON_DEMAND + "<< 1 // 0 >>",
        "pages/built.html": "built << locals.word >>",
        "pages/times.py": "times = []\ndef GET(context):\n    times.append(1)\n    return str(len(times))",
    }
    return write_site(tmp_path / "site", {**own, **files})


def test_call_next_may_be_called_with_nothing(tmp_path: Path) -> None:
    code = "async def on_request(context, call_next):\n    return await call_next()"
    assert ask(app_of(site(tmp_path, code, **{"pages/built.html": ""})), "/a/").text == "a"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("await call_next(context)\n    return await call_next(context)", "calls call_next twice"),
        ("return await call_next(context.request)", "calls on with another context"),
        ("await call_next(context)", "gave NoneType"),
        ("return 'text'", "gave str"),
    ],
)
def test_what_middleware_does_wrong_is_told_with_its_place(
    tmp_path: Path, code: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_of(
        site(tmp_path, f"async def on_request(context, call_next):\n    {code}", **{"pages/built.html": ON_DEMAND})
    )
    with caplog.at_level(logging.ERROR, "hybridsite"):
        assert ask(app, "/times").status == 500
    assert caplog.messages[0].startswith(f"middleware.py:3: the middleware on_request {told}")


def test_middleware_may_catch_what_a_page_raises(tmp_path: Path) -> None:
    code = """
async def on_request(context, call_next):
    try:
        return await call_next(context)
    except ZeroDivisionError:
        return PlainTextResponse("not today", 409)
    except Exception as error:
        return PlainTextResponse(type(error).__name__, 418)
"""
    app = app_of(site(tmp_path, code, **{"pages/built.html": "", "pages/z.py": "def GET(context):\n    1 / 0"}))
    assert [(ask(app, path).status, ask(app, path).text) for path in ("/z", "/fails/")] == [
        (409, "not today"),
        (418, "TemplateError"),
    ]


def test_middleware_may_stream(tmp_path: Path) -> None:
    code = """
async def on_request(context, call_next):
    async def parts():
        for part in ("one ", "two"):
            yield part
    return StreamingResponse(parts(), media_type="text/plain")
"""
    answer = ask(app_of(site(tmp_path, code, **{"pages/built.html": ON_DEMAND})), "/a/")
    assert (answer.text, answer.header["x-content-type-options"]) == ("one two", "nosniff")


def test_it_runs_at_build_for_prerendered_pages_and_never_for_their_files(tmp_path: Path) -> None:
    code = """
async def on_request(context, call_next):
    context.locals.word = "at build" if context.prerendering else "now"
    answer = await call_next(context)
    answer.headers["x-seen"] = context.locals.word
    return answer
"""
    root = site(tmp_path, code)
    app = app_of(root)
    (root / "middleware.py").write_text(HEAD + "raise SystemExit")  # nothing asks it any more
    answer = ask(app, "/built/")
    assert (answer.text, answer.header["x-seen"]) == ("built at build", "at build")
    assert ask(app, "/a/").header["x-seen"] == "now"


def test_middleware_has_session_cookies_and_the_answer(tmp_path: Path) -> None:
    code = """
async def on_request(context, call_next):
    context.session["seen"] = context.session.get("seen", 0) + 1
    context.cookies.set("theme", "dark")
    context.response.headers["x-own"] = "1"
    if context.url.query == "away":
        return context.redirect("/elsewhere/")
    return await call_next(context)
"""
    files = {
        "pages/built.html": ON_DEMAND,
        "pages/seen.py": "def GET(context):\n    return str(context.session['seen'])",
    }
    app = app_of(site(tmp_path, code, **files))
    first = ask(app, "/a/")
    cookie = next(value for name, value in first.headers if value.startswith("hybridsite-session"))
    assert "theme=dark" in str(first.headers)
    assert first.header["x-own"] == "1"
    assert ask(app, "/seen", headers={"cookie": cookie.partition(";")[0]}).text == "2"
    away = ask(app, "/a/?away")
    assert (away.status, away.header["location"], away.header["cache-control"]) == (
        302,
        "/elsewhere/",
        "private, no-store",
    )


@pytest.mark.parametrize("page", ["<< 1 // 0 >>", "<< none_such >>"])
@pytest.mark.parametrize("path", ["/nowhere/", "/gone/"])
def test_a_page_for_404_that_fails_itself_is_a_plain_one(
    tmp_path: Path, page: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    files = {
        "site.toml": MEMORY,
        "pages/404.html": ON_DEMAND + "{% do session.set('a', 1) %}" + page,
        "pages/gone.html": ON_DEMAND,
        "pages/gone.py": "from hybridsite import NotFound\ndef load(context):\n    raise NotFound",
    }
    app = app_of(write_site(tmp_path / "site", files))
    with caplog.at_level(logging.ERROR, "hybridsite"):
        answer = ask(app, path)
    assert (answer.status, "<h1>404 Not Found</h1>" in answer.text) == (404, True)
    assert "set-cookie" not in answer.header
    assert [message.partition(" ")[0] for message in caplog.messages] == ["pages/404.html:4:"] or caplog.messages[
        0
    ].startswith("pages/404.html:4")


def test_a_page_for_404_that_fails_at_build_is_a_fault(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", {"site.toml": MEMORY, "pages/404.html": "<< none_such >>"})
    with pytest.raises(Exception, match="none_such"):
        built_here(root)


def test_a_page_for_503_that_fails_itself_is_a_plain_one(tmp_path: Path) -> None:
    files = {
        "site.toml": MEMORY,
        "pages/503.html": ON_DEMAND + "<< none_such >>",
        "pages/a.py": "from starlette.exceptions import HTTPException\n"
        "def GET(context):\n    raise HTTPException(503, headers={'Retry-After': '7'})",
    }
    answer = ask(app_of(write_site(tmp_path / "site", files)), "/a")
    assert (answer.status, answer.header["retry-after"]) == (503, "7")
    assert "<h1>503 Service Unavailable</h1>" in answer.text


INTERNAL = [
    *("x-middleware-subrequest", "x-middleware-rewrite", "x-middleware-next", "x-hybridsite-rewrite"),
    *("x-original-url", "x-rewrite-url", "x-forwarded-uri", "x-forwarded-prefix", "x-http-method-override"),
    *("x-astro-path", "x-matched-path", "x-prerender", "x-invoke-path"),
]


def test_no_header_of_a_client_leads_past_the_middleware(tmp_path: Path) -> None:
    # case H5
    code = """
async def on_request(context, call_next):
    if context.url.path == "/a/":
        return PlainTextResponse("refused", 403)
    return await call_next(context)
"""
    app = app_of(site(tmp_path, code, **{"pages/built.html": "", "pages/b.html": ON_DEMAND + "<< url.path >>"}))
    for name in INTERNAL:
        for value in ("1", "true", "/a/", "/b/", "GET", ":".join(["middleware"] * 5), "src/middleware"):
            assert ask(app, "/a/", headers={name: value}).text == "refused", (name, value)
            assert ask(app, "/b/", headers={name: value}).text == "/b/", (name, value)
