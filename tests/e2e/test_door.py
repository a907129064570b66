"""What is let in: heads that every program reads in one way, and that end."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from hybridsite.server.protocol import MOST_HEAD
from tests.e2e.support import MakeSite, Server


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
