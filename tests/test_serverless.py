"""Lambda's handler: the events of each kind as AWS documents them, what a site makes of them, and what goes back."""

from __future__ import annotations

import asyncio
import base64
import copy
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from hybridsite.errors import ServeError, SiteErrors
from hybridsite.serverless import Handler, lambda_handler, sent_path
from tests.aws_events import ASKING, BODY, SENDING
from tests.e2e.support import write_site
from tests.inprocess import ENVIRON, ON_DEMAND, built_here
from tests.tools.lambda_host import EVENTS, body_of, headers_of, of_http

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
KINDS = list(EVENTS)
# In which of its fields a kind of host reads headers: a load balancer in one of both, as its event has them.
ANSWERED = {"balancer-many": {"multiValueHeaders"}, "http-api-1.0": {"headers", "multiValueHeaders"}}


def event(kind: str, method: str, target: str, body: bytes = b"", *headers: tuple[str, str]) -> dict[str, Any]:
    """Gives an event as the host of the end-to-end tests makes it."""
    path, _, query = target.partition("?")
    message = Message()
    for name, value in (("Host", "shop.example"), *headers):
        message[name] = value
    return EVENTS[kind](method, path, query, message, body)


@contextmanager
def running(folder: Path, base: str = "") -> Iterator[Handler]:
    """A site's handler, on a loop of the test's own: Mangum never closes the one that it makes."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    site = f'[site]\nurl = "https://shop.example"\nbase = "{base}"\n'
    settings = f'{site}[build]\nadapter = "lambda"\n[build.function]\npackages = false\n'
    files: dict[str, str | bytes] = {
        "site.toml": settings,
        "pages/index.html": f"{ON_DEMAND}q=<< request.query_params.get('q') >>",
        "pages/[name].html": f"{ON_DEMAND}name=<< params.name >>",
        "pages/echo.py": ECHO,
        "pages/who.html": f"{ON_DEMAND}<< client_address >> << url_for('pages/who.html') >> << request.url.path >>",
        "public/dot.bin": b"\x00\xff\x80",
        "public/a.txt": "ä",
    }
    root = write_site(folder, files)
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


@pytest.fixture
def handler(tmp_path: Path) -> Iterator[Handler]:
    with running(tmp_path) as handler:
        yield handler


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


@pytest.mark.parametrize("kind", ["url", "http", "http-1", "rest", "alb"])
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


@pytest.mark.parametrize("kind", KINDS)
def test_the_visitor_s_address_is_the_one_that_amazon_saw(handler: Handler, kind: str) -> None:
    answer = handler(event(kind, "GET", "/who/", b"", ("X-Forwarded-For", "198.51.100.1, 198.51.100.2")), None)
    assert answer["body"] == "203.0.113.7 /who/ /who/"


def test_a_load_balancer_s_own_question_has_no_visitor_and_no_host(handler: Handler) -> None:
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html#enable-health-checks-lambda
    asked: dict[str, Any] = {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-north-1:1:targetgroup/site/1"}},
        "httpMethod": "GET",
        "path": "/who/",
        "queryStringParameters": {},
        "headers": {"user-agent": "ELB-HealthChecker/2.0"},
        "body": "",
        "isBase64Encoded": False,
    }
    answer = handler(asked, None)
    assert (answer["statusCode"], answer["body"]) == (200, " /who/ /who/")


@pytest.mark.parametrize("kind", ["http", "http-1", "rest"])
def test_where_visitors_have_the_stage_in_the_path_it_is_the_base(tmp_path: Path, kind: str) -> None:
    with running(tmp_path, "/prod") as handler:
        assert handler(event(kind, "GET", "/who/"), None)["body"] == "203.0.113.7 /prod/who/ /prod/who/"
        other = handler(event(kind, "GET", "/who"), None)
        assert (other["statusCode"], dict(headers_of(other))["location"]) == (308, "/prod/who/")
        assert handler(event(kind, "GET", "/a.txt"), None)["body"] == "ä"
        assert handler(event(kind, "GET", "/"), None)["statusCode"] == 200


def test_behind_a_key_of_a_domain_s_mapping_the_key_is_the_base(tmp_path: Path) -> None:
    message = Message()
    message["Host"] = "shop.example"
    with running(tmp_path, "/shop") as handler:
        asked = of_http("GET", "/shop/who/", "", message, b"", key="/shop")
        assert asked["rawPath"] == "/prod/who/"
        assert handler(asked, None)["body"] == "203.0.113.7 /shop/who/ /shop/who/"


@pytest.mark.parametrize(
    ("told", "stage", "base", "path"),
    [
        ({"version": "2.0", "rawPath": "/prod/a/"}, "prod", "", "/a/"),
        ({"version": "2.0", "rawPath": "/prod"}, "prod", "", "/"),
        ({"version": "2.0", "rawPath": "/prod/"}, "prod", "", "/"),
        ({"version": "2.0", "rawPath": "/products/"}, "prod", "", "/products/"),
        ({"version": "2.0", "rawPath": "/prod/prod/"}, "prod", "", "/prod/"),
        ({"version": "2.0", "rawPath": "/a/"}, "$default", "", "/a/"),
        ({"version": "2.0", "rawPath": "/$default/"}, "$default", "", "/$default/"),
        ({"version": "2.0", "rawPath": "/prod/a/"}, "prod", "/prod", "/prod/a/"),
        ({"version": "2.0", "rawPath": "/prod/prod/a/"}, "prod", "/prod", "/prod/prod/a/"),
        ({"version": "2.0", "rawPath": "/prod/shop/a/"}, "prod", "/shop", "/shop/a/"),
        ({"version": "2.0", "rawPath": "/prod/a/"}, "prod", "/shop", "/shop/a/"),
        ({"version": "2.0", "rawPath": "/shopping/"}, "$default", "/shop", "/shopping/"),
        ({"version": "1.0", "path": "/prod/a/"}, "prod", "", "/a/"),
        ({"path": "/prod/"}, "prod", "", "/prod/"),  # a REST API leaves the stage out: this is a page
        ({"path": "/a/", "context": "/prod/a/"}, "prod", "/prod", "/prod/a/"),
        ({"path": "/prod/a/", "context": "/prod/prod/a/"}, "prod", "/prod", "/prod/prod/a/"),
        ({"path": "/shop/a/", "context": "/shop/a/"}, "prod", "/shop", "/shop/a/"),
        ({"path": "/else/", "context": "/prod/else/"}, "prod", "/shop", "/else/"),
        ({"path": ""}, None, "", "/"),  # a load balancer
    ],
)
def test_a_path_is_the_one_that_visitors_have(told: dict[str, str], stage: str | None, base: str, path: str) -> None:
    context = {"stage": stage} | ({"path": told["context"]} if "context" in told else {})
    assert sent_path({**told, "requestContext": context}, base) == path


@pytest.mark.parametrize(
    "given",
    [
        {"key1": "value1", "key2": "value2", "key3": "value3"},  # what the console's test begins with
        {"version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {}},
        {"Records": [{"cf": {"config": {"eventType": "viewer-request"}}}]},
        {"requestContext": {"connectionId": "L0SM9cOFvHcCIhw=", "eventType": "CONNECT"}},
        "ping",
        None,
    ],
)
def test_an_event_that_is_no_request_is_refused_with_what_can_be(handler: Handler, given: Any) -> None:
    with pytest.raises(ServeError, match="the event is no request; it has to be one of a function URL"):
        handler(given, None)


@pytest.mark.parametrize("sample", ASKING)
def test_a_page_is_given_to_what_aws_publishes_as_samples(handler: Handler, sample: str) -> None:
    answer = handler(copy.deepcopy(ASKING[sample]), None)
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    assert "q=ink" in answer["body"] or "q=pen" in answer["body"]  # the last of two, where both are told
    assert {"headers", "multiValueHeaders"} & set(answer) == ANSWERED.get(sample, {"headers"})


@pytest.mark.parametrize("sample", SENDING)
def test_a_body_and_cookies_of_what_aws_publishes_as_samples_arrive(handler: Handler, sample: str) -> None:
    answer = handler(copy.deepcopy(SENDING[sample]), None)
    assert (answer["statusCode"], body_of(answer)) == (200, BODY.encode()[::-1])
    cookies = [value for name, value in headers_of(answer) if name.lower() == "set-cookie"]
    assert [cookie.split(";")[0] for cookie in cookies] == ["a=11", "b=22"]


def test_all_that_is_missing_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = '[build]\nadapter = "lambda"\n[build.function]\npackages = false\n[session]\ndriver = "redis"\n'
    root = write_site(tmp_path, {"site.toml": settings, "pages/index.html": ON_DEMAND})
    built_here(root)
    for module in ("mangum", "hybridsite.sessions.redis"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SiteErrors) as caught:
        lambda_handler(root / "dist", {**ENVIRON, "HYBRIDSITE_STATE": str(root / "state")})
    told = "\n".join(map(str, caught.value.faults))
    assert len(caught.value.faults) == 2
    assert told.count('pip install "hybridsite[lambda,redis]"') == 2
