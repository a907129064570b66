"""What is let in: heads that every program reads in one way, and that end."""

from __future__ import annotations

import re
import select
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from hybridsite.server.protocol import MOST_HEAD
from tests.e2e.support import MakeSite, Serve, Server, built


@pytest.fixture(scope="module")
def server(make_site: MakeSite) -> Iterator[Server]:
    site = make_site(
        {
            "pages/index.html": "home",
            "pages/now.html": "---\nprerender: false\n---\n<< request.url.path >> << url.path >>",
            "pages/echo.py": "async def POST(context):\n    return await context.request.body()",
        }
    )
    with Server(site) as running:
        yield running


def talk(server: Server, *chunks: bytes, until_closed: bool = True) -> bytes:
    """Sends bytes as they are, and gives all that comes back until the server closes."""
    answer = b""
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=20) as line:
        for chunk in chunks:
            line.sendall(chunk)
        while more := line.recv(65536):
            answer += more
            if not until_closed and b"\r\n\r\n" in answer:
                break
    return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


# case L3
@pytest.mark.parametrize("path", [b"/", b"/now/", b"/nowhere"])
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [b"Host: a.example", b"Host: b.example"],
        [b"Host: a.example", b"Host: a.example"],
        [b"Host:"],
        [b"Host: a.example/abc?bar="],
        [b"Host: user@a.example"],
        [b"Host: a.example, b.example"],
        [b"Host: a.example:80:80"],
        [b"Host: a.example:http"],
        [b"Host: [::1"],
        [b"Host: " + b"a" * 300],
        [b"Host: a.example", b"Content-Length: 0", b"Transfer-Encoding: chunked"],
        [b"Host: a.example", b"Content-Length: 0", b"Content-Length: 0"],
        [b"Host: a.example", b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"],
        [b"Host : a.example"],
        [b"Host: a.example", b" folded: line"],
        [b"Host: a.example", b"Content-Length: +5"],
        [b"Host: a.example", b"X: a\rb"],
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(server: Server, path: bytes, headers: list[bytes]) -> None:
    answer = talk(server, b"\r\n".join([b"GET %b HTTP/1.1" % path, *headers, b"", b""]))
    assert status(answer) == 400
    assert b"home" not in answer


@pytest.mark.parametrize(
    "host", [b"a.example", b"A.example:8000", b"[::1]:8000", b"127.0.0.1", b"my_host", b"a.example."]
)
def test_hosts_are_let_in(server: Server, host: bytes) -> None:
    request = b"GET / HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n" % host
    assert status(talk(server, request)) == 200


def test_http_1_0_needs_no_host(server: Server) -> None:
    assert status(talk(server, b"GET / HTTP/1.0\r\n\r\n")) == 200


# case L4
def test_a_host_does_not_make_the_path_lie(server: Server) -> None:
    answer = talk(server, b"GET /now/ HTTP/1.1\r\nHost: example.com/abc?bar=\r\n\r\n")
    assert status(answer) == 400
    fine = talk(server, b"GET /now/ HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n")
    assert fine.endswith(b"/now/ /now/")


@pytest.mark.parametrize(
    "head",
    [
        b"X: " + b"a" * (MOST_HEAD + 1),
        b"\r\n".join(b"X-%d: %b" % (n, b"a" * 1000) for n in range(80)),
        b"X: " + b"a" * 16_000_000,
    ],
    ids=["one", "many", "huge"],
)
@pytest.mark.parametrize("pieces", [1, 7])
def test_a_head_without_end_is_answered_431(server: Server, head: bytes, pieces: int) -> None:
    request = b"GET / HTTP/1.1\r\nHost: a.example\r\n" + head + b"\r\n\r\n"
    size = len(request) // pieces + 1
    answer = b""
    try:
        answer = talk(server, *(request[n : n + size] for n in range(0, len(request), size)))
    except (BrokenPipeError, ConnectionResetError):
        assert len(head) > 1_000_000  # the server hung up before all of it was sent
    assert not answer or status(answer) == 431
    assert status(talk(server, b"GET / HTTP/1.0\r\n\r\n")) == 200


def test_requests_that_are_none_don_t_fill_the_log(make_site: MakeSite, serve: Serve) -> None:
    # case B6
    server = serve(make_site({"pages/index.html": "home"}))
    large = b"GET / HTTP/1.1\r\nHost: a.example\r\nX: %b\r\n\r\n" % (b"a" * (MOST_HEAD + 1))
    for _ in range(50):
        assert status(talk(server, b"no request\r\n\r\n")) == 400
        assert status(talk(server, large)) == 431
    told = [line.partition(" WARNING ") for line in server.log().splitlines() if " WARNING " in line]
    assert [message for _, _, message in told] == [
        "a request from 127.0.0.1 is no HTTP: answered 400",
        "a request from 127.0.0.1 has a head of over 65,536 bytes, [limits] headers: answered 431",
    ]
    # In the one form that the lines of requests have, too.
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", when) for when, _, _ in told)


def test_a_connection_that_nobody_uses_stays_open_as_long_as_the_setting_says(
    server: Server, make_site: MakeSite, serve: Serve
) -> None:
    short = serve(make_site({"pages/index.html": "home", "site.toml": '[server]\nkeep_alive = "1s"\n'}))
    with ExitStack() as stack:
        usual, brief = (
            stack.enter_context(socket.create_connection(("127.0.0.1", each.port), timeout=20))
            for each in (server, short)
        )
        for line in (usual, brief):
            line.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            while b"home" not in line.recv(65536):
                pass
        assert select.select([usual, brief], [], [], 20)[0] == [brief]
        assert brief.recv(1) == b""


def test_a_large_target_is_refused_too(server: Server) -> None:
    target = b"/?" + b"a" * MOST_HEAD
    assert status(talk(server, b"GET %b HTTP/1.1\r\nHost: a.example\r\n\r\n" % target)) == 431


def test_a_large_body_is_no_large_head(server: Server) -> None:
    body = b"b" * 300_000
    post = b"POST /echo HTTP/1.1\r\nHost: a.example\r\nOrigin: http://a.example\r\nContent-Length: %d\r\n" % len(body)
    head = b"X: " + b"a" * (MOST_HEAD // 2)
    again = b"GET / HTTP/1.1\r\nHost: a.example\r\n" + head + b"\r\nConnection: close\r\n\r\n"
    answer = talk(server, post + b"\r\n" + body + again)
    assert status(answer) == 200
    assert body in answer
    assert answer.endswith(b"home")


# case L3
@pytest.mark.parametrize("path", [b"/", b"/now/", b"/nowhere"])
@pytest.mark.parametrize(
    "headers",
    [
        b"",
        b"Host: a\r\nHost: b\r\n",
        b"Host: a/b?c=\r\n",
        b"Host: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_the_other_parser_lets_no_more_in(others: Server, path: bytes, headers: bytes) -> None:
    assert status(talk(others, b"GET %b HTTP/1.1\r\n%b\r\n" % (path, headers))) == 400


@pytest.fixture(scope="module")
def others(make_site: MakeSite) -> Iterator[Server]:
    """Runs the site by uvicorn's command, with its parser in Python."""
    site = make_site({"pages/index.html": "home", "pages/now.html": "---\nprerender: false\n---\nnow"})
    built(site)

    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "uvicorn", "hybridsite.asgi:app", "--port", str(port), "--http", "h11"]

    with Server(site, env={"HYBRIDSITE_SITE": str(site)}, command=command) as running:
        yield running


CHUNKED = b"Transfer-Encoding: chunked\r\n"
END = b"\r\n0\r\n\r\n"


# case B6
@pytest.mark.parametrize(
    "sent",
    [
        b"Content-Length: 4\r\n" + CHUNKED + END,
        CHUNKED + b"Transfer-Encoding: x\r\n" + END,
        b"Transfer-Encoding: x, chunked, y\r\n" + END,
        b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        b"Content-Length: +4\r\n\r\nabcd",
        b"Content-Length : 4\r\n\r\nabcd",
        b"X: a\n" + CHUNKED + END,
        b"X: a\rB: c\r\n\r\n",
        b" X: folded\r\n\r\n",
        CHUNKED + b"\r\n4\nabcd\n0\n\n",
        CHUNKED + b"\r\n4;a=b\nx\r\nabcd\r\n0\r\n\r\n",
    ],
)
def test_what_could_be_two_requests_is_refused_and_the_line_closed(server: Server, sent: bytes) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n"
    answer = talk(server, head + sent + b"GET / HTTP/1.1\r\nHost: smuggled\r\n\r\n")
    assert not answer or status(answer) == 400
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert b"home" not in answer


def test_a_hundred_requests_in_one_piece_are_answered_in_order(server: Server) -> None:
    # case B6
    get = b"GET /now/?%d HTTP/1.1\r\nHost: a\r\n"
    last = get % 99 + b"Connection: close\r\n\r\n"
    answer = talk(server, b"".join(get % number + b"\r\n" for number in range(99)) + last)
    assert answer.count(b"HTTP/1.1 200 OK") == 100


def test_five_hundred_who_stand_still_leave_the_rest_served(make_site: MakeSite) -> None:
    # case B6
    large = "---\nprerender: false\n---\n<< 'x' * 8000000 >>"
    files = {"pages/index.html": "home", "pages/now.html": "---\nprerender: false\n---\nnow", "pages/large.txt": large}
    echo = "async def POST(context):\n    return await context.request.body()\n"
    get, site = b"GET /large.txt HTTP/1.1\r\nHost: a\r\n", make_site({**files, "pages/echo.py": echo})
    post = b"POST /echo HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\nContent-Length: 9\r\n\r\nhalf"
    with Server(site) as server, ExitStack() as stack:
        for beginning in (b"", get, post, get + b"\r\n", get + b"X: " + b"x" * 30_000) * 100:
            line = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            line.sendall(beginning)
        client = server.client()
        for _ in range(20):
            assert client.get("/").text == "home"
            assert client.get("/now/").text.strip() == "now"
            assert client.post("/echo", content=b"whole").text == "whole"
        assert "Traceback" not in server.log()
