"""A server's process: deadlines for visitors who stand still, room where there are too many, and an end for certain."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from hybridsite.config import load_settings
from hybridsite.server import process, protocol
from hybridsite.server.deployment import Deployment
from hybridsite.server.process import Server
from hybridsite.server.run import _config
from tests.e2e.support import wait_until, write_site
from tests.inprocess import MEMORY, app_of

SLOW = """
import asyncio

events = []

async def POST(context):
    events.append("begun")
    try:
        body = await context.request.body()
    finally:
        events.append("ended")
    return str(len(body))

async def PUT(context):
    await asyncio.sleep(1.6)
    return str(len(await context.request.body()))
"""
FILES = {
    "site.toml": MEMORY,
    "pages/index.html": "home",
    "pages/slow.py": SLOW,
    "pages/large.txt": "---\nprerender: false\n---\n<< 'x' * 8000000 >>",
}
POST = b"POST /slow HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\nContent-Length: 10\r\n\r\n"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return app_of(write_site(tmp_path_factory.mktemp("process") / "site", FILES))


@contextmanager
def serving(app: Deployment, root: Path, *, connections: int = 1000, grace: float = 5) -> Iterator[tuple[int, Server]]:
    """Runs a server as `serve` does, in a thread, and gives its port."""
    settings = load_settings(root, {}, serving=True)
    config = _config(app, settings, {"version": 1, "disable_existing_loggers": False})
    config.most_connections = connections
    config.timeout_graceful_shutdown = int(grace)
    server = Server(config, 60.0, lambda: app)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        try:
            wait_until(lambda: server.started, "the server")
            yield int(listener.getsockname()[1]), server
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def port(app: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Gives the port of a server whose deadlines are short."""
    monkeypatch.setattr(process, "_LOOKS", 1)
    monkeypatch.setattr(protocol, "HEAD_TIME", 1.0)
    monkeypatch.setattr(protocol, "STILL_TIME", 1.0)
    with serving(app, app.current.site.root) as (port, _):
        yield port


def said(port: int, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Sends pieces, and gives all that comes back until the line is closed by the server."""
    came = b""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line, ExitStack() as stack:
        if pause:
            thread = threading.Thread(target=lambda: _drip(line, pieces, pause))
            thread.start()
            stack.callback(thread.join)
        else:
            line.sendall(b"".join(pieces))
        try:
            while chunk := line.recv(65536):
                came += chunk
        except ConnectionResetError:
            pass
        line.shutdown(socket.SHUT_WR) if _is_open(line) else None
    return came


def _drip(line: socket.socket, pieces: tuple[bytes, ...], pause: float) -> None:
    try:
        for piece in pieces:
            line.sendall(piece)
            time.sleep(pause)
    except OSError:
        pass  # the server has had enough


def _is_open(line: socket.socket) -> bool:
    try:
        line.getpeername()
    except OSError:
        return False
    return True


HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"
BYTES = tuple(bytes([byte]) for byte in b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 400)


@pytest.mark.parametrize(
    ("pieces", "pause", "status"),
    [
        ((b"",), 0.0, b""),
        ((b"\r\n\r\n",), 0.0, b""),
        ((b"\r\n",) * 400, 0.02, b""),
        ((HEAD,), 0.0, b"408"),
        (BYTES, 0.02, b"408"),
        ((b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + HEAD,), 0.0, b"200"),
    ],
    ids=["silence", "blank lines", "a drip of blank lines", "half a head", "a drip of a head", "half a second head"],
)
def test_a_head_has_its_time(port: int, pieces: tuple[bytes, ...], pause: float, status: bytes) -> None:
    # case L1
    answer = said(port, *pieces, pause=pause)
    assert answer[9:12] == status
    assert answer.count(b"HTTP/1.1 ") == (2 if status == b"200" else bool(status))
    assert answer.endswith(b"the request took too long\n") or not status
    assert b"home" in said(port, b"GET / HTTP/1.0\r\n\r\n")


@pytest.mark.parametrize(
    ("pieces", "pause"),
    [
        ((POST,), 0.0),
        ((POST + b"12345",), 0.0),
        ((POST.replace(b": 10\r", b": 900\r"), *(b"x",) * 400), 0.02),
        ((POST.replace(b"Content-Length: 10", b"Transfer-Encoding: chunked"), b"5\r\nab"), 0.01),
    ],
    ids=["none of it", "half of it", "a drip of it", "half a chunk"],
)
def test_a_body_has_its_time_too(
    app: Deployment, port: int, monkeypatch: pytest.MonkeyPatch, pieces: tuple[bytes, ...], pause: float
) -> None:
    # case L1
    monkeypatch.setattr(protocol, "SLOWEST", 1e9)
    module = app.current.site.resources["pages/slow.py"].module
    events = module.value("events") if module else None
    assert isinstance(events, list)
    events.clear()
    answer = said(port, *pieces, pause=pause)
    assert answer[9:12] == b"408"
    assert answer.count(b"HTTP/1.1 ") == 1
    wait_until(lambda: events == ["begun", "ended"], "the handler to learn that its visitor is gone")


def test_a_body_that_comes_fast_enough_may_take_its_time(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # case L1
    monkeypatch.setattr(protocol, "SLOWEST", 1)
    monkeypatch.setattr(protocol, "STILL_TIME", 5.0)
    post = POST.replace(b": 10\r", b": 40\r").replace(b"Host: a", b"Connection: close\r\nHost: a")
    assert said(port, post, *(b"x",) * 40, pause=0.03).endswith(b"\r\n40")


@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"])
def test_the_servers_own_time_isnt_the_visitors(port: int, expect: bytes) -> None:
    # case L1
    put = POST.replace(b"POST", b"PUT").replace(b"Host", expect + b"Connection: close\r\nHost")
    body = b"x" * 10
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        line.sendall(put if expect else put + body)
        if expect:
            assert line.recv(65536).startswith(b"HTTP/1.1 100 ")
            line.sendall(body)
        came = b""
        while chunk := line.recv(65536):
            came += chunk
    assert came.startswith(b"HTTP/1.1 200 ")
    assert came.endswith(b"\r\n10")


def test_an_answer_that_nobody_reads_is_given_up(app: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    # case L1, case B6
    monkeypatch.setattr(process, "_LOOKS", 1)
    monkeypatch.setattr(protocol, "STILL_TIME", 0.3)
    with serving(app, app.current.site.root) as (port, server), socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(("127.0.0.1", port))
        line.sendall(b"GET /large.txt HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: bool(server.server_state.connections), "the request")
        wait_until(lambda: not server.server_state.connections, "the end of the connection")
        assert app.current.under_way == 0


def test_silent_sockets_take_no_room_from_requests(app: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    # case L2
    with serving(app, app.current.site.root, connections=20) as (port, server), ExitStack() as stack:
        begun = stack.enter_context(closing(socket.create_connection(("127.0.0.1", port), timeout=30)))
        begun.sendall(POST + b"12345")
        wait_until(lambda: app.current.under_way == 1, "the request to begin")
        silent = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(60)]
        for _ in range(5):
            assert b"home" in said(port, b"GET / HTTP/1.0\r\n\r\n")
        wait_until(lambda: len(server.server_state.connections) <= 20, "room")
        begun.sendall(b"67890")
        assert begun.recv(65536).startswith(b"HTTP/1.1 200 ")  # no request gave way
        assert len(silent) == 60


@pytest.mark.parametrize("sent", [POST + b"12345", HEAD, b"", POST + b"1234567890"])
def test_a_stop_has_an_end_whatever_visitors_do(app: Deployment, sent: bytes) -> None:
    # case L1
    with ExitStack() as stack:
        with serving(app, app.current.site.root, grace=1) as (port, server):
            line = stack.enter_context(closing(socket.create_connection(("127.0.0.1", port), timeout=30)))
            line.sendall(sent)
            wait_until(lambda: bool(server.server_state.connections), "the connection")
            server.should_exit = True
        assert not server.server_state.tasks
