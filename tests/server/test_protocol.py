"""The protocol: an answer written at once is the one that uvicorn would have written, and all others still are."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hybridsite.server.protocol import Cycle, Protocol

TEXT = (b"content-type", b"text/plain")


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers each path in a way of its own."""
    await {
        "/whole": whole,
        "/large": large,
        "/upper": upper,
        "/close": close,
        "/two": two,
        "/pieces": pieces,
        "/unknown": unknown,
        "/none": none,
        "/short": short,
        "/long": long,
        "/late": late,
        "/never": never,
        "/bad-name": bad_name,
        "/bad-value": bad_value,
    }[scope["path"]](send)


async def answer(send: Send, headers: list[tuple[bytes, bytes]], *bodies: bytes, status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for number, body in enumerate(bodies, 1):
        await send({"type": "http.response.body", "body": body, "more_body": number < len(bodies)})


async def whole(send: Send) -> None:
    await answer(send, [TEXT, (b"content-length", b"5"), (b"x-long", b"v" * 300)], b"hello")


async def large(send: Send) -> None:
    await answer(send, [TEXT, (b"content-length", b"200000")], b"x" * 200_000)


async def upper(send: Send) -> None:
    await answer(send, [(b"X-Upper", b"Kept"), (b"Content-Length", b"5"), (b"content-length", b"5")], b"hello")


async def close(send: Send) -> None:
    await answer(send, [(b"content-length", b"5"), (b"connection", b"close")], b"hello")


async def two(send: Send) -> None:
    await answer(send, [(b"content-length", b"10")], b"hello", b"hello")


async def pieces(send: Send) -> None:
    await answer(send, [TEXT], b"hel", b"lo")


async def unknown(send: Send) -> None:
    await answer(send, [TEXT], b"hello")


async def none(send: Send) -> None:
    await answer(send, [], b"", status=204)


async def short(send: Send) -> None:
    await answer(send, [(b"content-length", b"9")], b"hello")


async def long(send: Send) -> None:
    await answer(send, [(b"content-length", b"2")], b"hello")


async def late(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    raise OSError("between head and body")


async def never(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})


async def bad_name(send: Send) -> None:
    await answer(send, [(b"a b", b"1"), (b"content-length", b"5")], b"hello")


async def bad_value(send: Send) -> None:
    await answer(send, [(b"a", b"1\r\nset-cookie: x=1"), (b"content-length", b"5")], b"hello")


class Quiet(HttpToolsProtocol):
    """Notes no access: pytest, which captures what is logged, makes uvicorn think that somebody wants it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.access_log = False


class Ours(Protocol, Quiet):
    """Our protocol, as it is when nobody wants the accesses."""


@contextmanager
def serving(protocol: type[HttpToolsProtocol], app: ASGIApp = application) -> Iterator[int]:
    """Runs a server in a thread, and gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, http=protocol, lifespan="off", log_config=None))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """Gives the ports of a server with our protocol, and of one with uvicorn's own."""
    with serving(Ours) as ours, serving(Quiet) as own:
        yield ours, own


def said(port: int, request: bytes) -> bytes:
    """Sends bytes, and gives all that comes back until the line is closed, without the date."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(request)
        line.shutdown(socket.SHUT_WR)
        came = b""
        while chunk := line.recv(65536):
            came += chunk
    return b"\r\n".join(part for part in came.split(b"\r\n") if not part.startswith(b"date: "))


PATHS = ("whole", "large", "upper", "close", "two", "pieces", "unknown", "none", "short", "long")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("head", ["GET {} HTTP/1.1", "HEAD {} HTTP/1.1", "GET {} HTTP/1.0", "POST {} HTTP/1.1"])
def test_the_bytes_are_uvicorn_s(ports: tuple[int, int], head: str, path: str) -> None:
    request = f"{head.format('/' + path)}\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
    alive = f"{head.format('/' + path)}\r\nHost: a\r\nContent-Length: 0\r\n\r\n".encode()
    for asked in (request, alive, alive + alive, alive.replace(b"POST", b"GET") + request):
        ours, own = (said(port, asked) for port in ports)
        # Where the length is wrong, uvicorn has sent the head by then, and so do we.
        assert ours == own


def test_an_answer_of_known_length_is_one_piece(ports: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[bool] = []
    send_at_once = Cycle._send_at_once

    def noted(cycle: Cycle, start: Message, end: Message) -> bool:
        pieces.append(send_at_once(cycle, start, end))
        return pieces[-1]

    monkeypatch.setattr(Cycle, "_send_at_once", noted)
    for path, done in (("whole", [True]), ("large", [False]), ("upper", [False]), ("close", [False]), ("unknown", [])):
        pieces.clear()
        assert said(ports[0], f"GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()).startswith(b"HTTP/1.1 200 ")
        assert pieces == done, path


@pytest.mark.parametrize("path", ["late", "never", "bad-name", "bad-value"])
def test_what_goes_wrong_before_a_body_is_answered_500(ports: tuple[int, int], path: str) -> None:
    came = said(ports[0], f"GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert came.startswith(b"HTTP/1.1 500 ")
    assert b"set-cookie" not in came
    assert came.count(b"HTTP/1.1") == 1


def test_a_head_without_a_length_leaves_at_once() -> None:
    # A browser's EventSource is open when the head has come, long before the first event.
    gate = threading.Event()

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [TEXT]})
        await asyncio.to_thread(gate.wait, 10)
        await send({"type": "http.response.body", "body": b"x"})

    with serving(Ours, stream) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        began = time.monotonic()
        line.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
        assert time.monotonic() - began < 10
        gate.set()
        assert b"x" in line.recv(65536)
