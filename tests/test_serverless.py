"""Lambda's handler: the events of each kind as AWS documents them, what a site makes of them, and what goes back."""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from hybridsite.errors import SiteErrors
from hybridsite.serverless import Handler, lambda_handler
from tests.e2e.support import write_site
from tests.inprocess import ENVIRON, ON_DEMAND, built_here
from tests.tools.lambda_host import EVENTS, body_of, headers_of

ECHO = """
from hybridsite.endpoints import Response


async def POST(context):
    body = await context.request.body()
    cookies = context.request.cookies
    answer = Response(body[::-1], media_type="application/octet-stream")
    for name in sorted(cookies):
        answer.set_cookie(name, cookies[name] * 2)
    return answer
"""
KINDS = [*EVENTS, "alb-single"]


def event(kind: str, method: str, target: str, body: bytes = b"", *headers: tuple[str, str]) -> dict[str, Any]:
    """Gives an event as the host of the end-to-end tests makes it; "alb-single" has one value a header."""
    path, _, query = target.partition("?")
    message = Message()
    for name, value in (("Host", "shop.example"), *headers):
        message[name] = value
    made = EVENTS[kind.removesuffix("-single")](method, path, query, message, body)
    if kind == "alb-single":
        many, queries = made.pop("multiValueHeaders"), made.pop("multiValueQueryStringParameters")
        made["headers"] = {name: values[-1] for name, values in many.items()}
        made["queryStringParameters"] = {name: values[-1] for name, values in queries.items()}
    return made


@pytest.fixture
def handler(tmp_path: Path) -> Iterator[Handler]:
    """A site's handler, on a loop of the test's own: Mangum never closes the one that it makes."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    settings = '[site]\nurl = "https://shop.example"\n[build]\nadapter = "lambda"\n[build.function]\npackages = false\n'
    files: dict[str, str | bytes] = {
        "site.toml": settings,
        "pages/index.html": f"{ON_DEMAND}q=<< request.query_params.get('q') >>",
        "pages/[name].html": f"{ON_DEMAND}name=<< params.name >>",
        "pages/echo.py": ECHO,
        "public/dot.bin": b"\x00\xff\x80",
        "public/a.txt": "ä",
    }
    root = write_site(tmp_path, files)
    with ThreadPoolExecutor(1) as others:  # a build has a loop of its own
        others.submit(built_here, root).result()
    yield lambda_handler(root / "dist", {**ENVIRON, "HYBRIDSITE_STATE": str(root / "state")})
    tasks = asyncio.all_tasks(loop)  # what a warm function keeps going
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    asyncio.set_event_loop(None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_text_with_its_query(handler: Handler, kind: str) -> None:
    answer = handler(event(kind, "GET", "/?q=ink"), None)
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    assert "q=ink" in answer["body"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_bytes_goes_back_in_base64_and_text_as_text(handler: Handler, kind: str) -> None:
    answer = handler(event(kind, "GET", "/dot.bin"), None)
    assert (answer["isBase64Encoded"], base64.b64decode(answer["body"])) == (True, b"\x00\xff\x80")
    answer = handler(event(kind, "GET", "/a.txt"), None)
    assert (answer["isBase64Encoded"], answer["body"]) == (False, "ä")


@pytest.mark.parametrize("kind", KINDS)
def test_bodies_of_bytes_come_in_and_each_cookie_goes_out_by_itself(handler: Handler, kind: str) -> None:
    sent = event(kind, "POST", "/echo", bytes(range(256)), ("Cookie", "a=1; b=2"), ("Origin", "https://shop.example"))
    answer = handler(sent, None)
    assert (answer["statusCode"], body_of(answer)) == (200, bytes(range(256))[::-1])
    cookies = [value for name, value in headers_of(answer) if name.lower() == "set-cookie"]
    assert [cookie.split(";")[0] for cookie in cookies] == ["a=11", "b=22"]


@pytest.mark.parametrize("kind", ["url", "rest", "alb"])
def test_cookies_of_several_headers_are_all_read(handler: Handler, kind: str) -> None:
    headers = (("Cookie", "a=1"), ("Cookie", "b=2"), ("Origin", "https://shop.example"))
    answer = handler(event(kind, "POST", "/echo", b"", *headers), None)
    assert len([name for name, _ in headers_of(answer) if name.lower() == "set-cookie"]) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_an_escaped_path_reaches_its_route_once_decoded(handler: Handler, kind: str) -> None:
    assert "name=ä b" in handler(event(kind, "GET", "/%C3%A4%20b/"), None)["body"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_isn_t_there_is_not_found(handler: Handler, kind: str) -> None:
    assert handler(event(kind, "GET", "/no/where"), None)["statusCode"] == 404


def test_all_that_is_missing_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = '[build]\nadapter = "lambda"\n[build.function]\npackages = false\n[session]\ndriver = "redis"\n'
    root = write_site(tmp_path, {"site.toml": settings, "pages/index.html": ON_DEMAND})
    built_here(root)
    for module in ("mangum", "hybridsite.sessions.redis"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SiteErrors) as caught:
        lambda_handler(root / "dist", {**ENVIRON, "HYBRIDSITE_STATE": str(root / "state")})
    told = "\n".join(map(str, caught.value.faults))
    assert 'pip install "hybridsite[lambda]"' in told
    assert 'pip install "hybridsite[redis]"' in told
