"""What the end-to-end tests stand on: sites on disk, the real command, and a server in a process group of its own."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from types import TracebackType
from typing import Protocol, Self

import httpx

from hybridsite.testing import write_files as write_files

COMMAND = (sys.executable, "-m", "hybridsite")
COOKIE = "hybridsite-session"
SECRET = "pW3v8Q-zRk1xT6yLm9Dc4HjNs0FbUg7E"  # long and odd enough to be taken

# An endpoint that runs the code it is sent: `session` and `context` are bound, `result` is answered as its repr,
# `await` is allowed, and `events` are shared by the requests of one server process.
CONSOLE = """
import ast, asyncio, datetime, decimal, inspect, math, os, uuid, zoneinfo
from collections import defaultdict
from hybridsite import SessionValueError

events = defaultdict(asyncio.Event)

async def POST(context):
    source = (await context.request.body()).decode()
    names = dict(globals(), context=context, session=context.session)
    code = compile(source, "sent", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = eval(code, names)
    if inspect.iscoroutine(running):
        await running
    return {"result": repr(names.get("result")), "pid": os.getpid()}
"""


class MakeSite(Protocol):
    """Writes a site and gives its folder."""

    def __call__(self, files: Mapping[str, str | bytes]) -> Path: ...


class Hybridsite(Protocol):
    """Runs the command to its end."""

    def __call__(
        self,
        *args: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]: ...


class Serve(Protocol):
    """Starts a server that ends with the test."""

    def __call__(self, path: Path, *args: str, env: Mapping[str, str] | None = None) -> Server: ...


def write_site(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Writes a site, with an empty site.toml unless there is one among the files."""
    write_files(folder, {"site.toml": "", **files})
    return folder


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Gives the environment of a child: this one's, without settings of ours, in plain text."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("HYBRIDSITE_")}
    return own | {"NO_COLOR": "1", "LC_ALL": "C.UTF-8"} | dict(extra or {})


def hybridsite(
    *args: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end, whatever its exit code."""
    return subprocess.run(
        [*COMMAND, *map(str, args)],
        cwd=cwd,
        env=environment(env),
        timeout=timeout,
        capture_output=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        check=False,
    )


def built(site: Path, *args: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Builds a site that has to build."""
    done = hybridsite("build", site, *args, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def page(site: Path, name: str) -> str:
    """Gives the text of a file that the build wrote for static hosts."""
    return (site / "dist" / "client" / name).read_text("utf-8")


def tree(folder: Path) -> dict[str, str]:
    """Gives a hash for each file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def bytes_below(folder: Path) -> bytes:
    """Gives all that the files below a folder hold, with their names."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return b"\n".join(str(path).encode() + b"\n" + path.read_bytes() for path in files)


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Waits for a condition, and fails with `what` was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def free_port() -> int:
    """Finds a port that nobody listens on, below those that the system hands to clients."""
    while True:
        port = random.SystemRandom().randrange(12000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@dataclass(frozen=True)
class RawAnswer:
    """An answer to a request that was sent byte for byte."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Server:
    """`hybridsite serve` (or another command) in a process group of its own, its output in a file."""

    def __init__(
        self,
        path: Path,
        *args: str,
        env: Mapping[str, str] | None = None,
        command: Callable[[int], Sequence[str]] | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.host = host
        where = () if host == "127.0.0.1" else ("--host", host)
        self.command = command or (lambda port: [*COMMAND, "serve", str(path), "--port", str(port), *where, *args])
        self.env = environment({"PYTHONUNBUFFERED": "1", **(env or {})})
        self.cwd = path.parent
        self.patience = 30.0  # seconds until it has to answer
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: list[httpx.Client] = []

    @property
    def url(self) -> str:
        """The origin of the server, without a slash at its end."""
        return f"http://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """The process that was started: the supervisor, where there are several."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for client in self._clients:
            client.close()
        self.kill()

    def start(self) -> None:
        """Starts the server and waits until it answers; a port that was taken meanwhile is exchanged once."""
        fresh = not self.port
        for last in (False, True):
            self.port = self.port or free_port()
            with self._log_path.open("ab") as log:
                self._process = subprocess.Popen(
                    self.command(self.port),
                    cwd=self.cwd,
                    env=self.env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            if self._answers():
                return
            if last or not fresh or "in use" not in self.log():
                self.kill()
                raise AssertionError(f"the server ended with {self._process.returncode}:\n{self.log()}")
            self.port = 0

    def restart(self) -> None:
        """Stops the server as an administrator would, and starts it on the same port."""
        self.stop()
        self.start()

    def stop(self) -> int:
        """Sends SIGTERM, waits, and gives the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Waits for the server to end by itself, and gives the exit code."""
        assert self._process is not None
        return self._process.wait(30)

    def kill(self) -> None:
        """Sends SIGKILL to the whole process group."""
        assert self._process is not None
        with suppress(ProcessLookupError):  # all of it has ended
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)

    def log(self) -> str:
        """Gives all that the server printed so far."""
        return self._log_path.read_text("utf-8", "replace")

    def client(self, cookie: str | None = None) -> httpx.Client:
        """Gives a browser without a history, or one with a session cookie: no redirects, an Origin on forms."""

        def add_origin(request: httpx.Request) -> None:
            if request.method not in ("GET", "HEAD", "OPTIONS"):
                request.headers.setdefault("Origin", self.url)

        client = httpx.Client(
            base_url=self.url, timeout=30, trust_env=False, event_hooks={"request": [add_origin]}, verify=False
        )
        if cookie is not None:
            client.cookies.set(COOKIE, cookie, domain=self.host)
        self._clients.append(client)
        return client

    def raw(self, target: str | bytes, *headers: str | bytes, method: str = "GET") -> RawAnswer:
        """Sends a request line and headers byte for byte, without a client that would tidy them."""
        lines = [f"{method} ".encode() + _bytes(target) + b" HTTP/1.1", f"Host: {self.host}:{self.port}".encode()]
        lines += [*map(_bytes, headers), b"Connection: close", b"", b""]
        with socket.create_connection((self.host, self.port), timeout=30) as connection:
            connection.sendall(b"\r\n".join(lines))
            answer = http.client.HTTPResponse(connection, method=method)
            answer.begin()
            with answer:
                return RawAnswer(answer.status, answer.headers, answer.read())

    @property
    def _log_path(self) -> Path:
        return self.cwd / f"server-{id(self)}.log"

    def _answers(self) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + self.patience
        while self._process.poll() is None:
            try:
                httpx.get(f"{self.url}/healthz", timeout=5, trust_env=False, verify=False)
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    self.kill()
                    raise AssertionError(f"the server did not answer in {self.patience} s:\n{self.log()}") from None
                time.sleep(0.02)
            else:
                return True
        return False


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def ask(client: httpx.Client, code: str) -> str:
    """Runs code in the site's console, which has to answer, and gives the repr of its `result`."""
    answer = client.post("/console", content=dedent(code).encode())
    assert answer.status_code == 200, f"{answer.status_code}: {answer.text}"
    result: str = answer.json()["result"]
    return result


def post_at_once(
    server: Server, requests: Iterable[str | tuple[str, str]], cookie: str, kind: str = "text/plain"
) -> list[httpx.Response]:
    """Posts to each path, or a body to each path, all at once, each by a connection of its own."""
    pairs = [(request, "") if isinstance(request, str) else request for request in requests]
    headers = {"Origin": server.url, "Cookie": f"{COOKIE}={cookie}", "Content-Type": kind}
    limits = httpx.Limits(max_connections=None)

    async def send() -> list[httpx.Response]:
        async with httpx.AsyncClient(
            base_url=server.url, headers=headers, limits=limits, timeout=60, trust_env=False, verify=False
        ) as client:
            return await asyncio.gather(*(client.post(path, content=body.encode()) for path, body in pairs))

    return asyncio.run(send())


def ask_at_once(server: Server, cookie: str, sources: Iterable[str]) -> list[httpx.Response]:
    """Runs each code in the console, all at once."""
    return post_at_once(server, [("/console", dedent(code)) for code in sources], cookie)


def session_cookie(answer: httpx.Response) -> dict[str, str] | None:
    """Gives the session cookie that an answer sets: `value`, and its attributes in lower case; None if it sets none."""
    headers = [header for header in answer.headers.get_list("set-cookie") if header.startswith(f"{COOKIE}=")]
    assert len(headers) <= 1, headers
    if not headers:
        return None
    first, *attributes = [part.strip() for part in headers[0].split(";")]
    pairs = [part.partition("=") for part in attributes]
    return {"value": first.partition("=")[2]} | {name.lower(): value for name, _, value in pairs}


def is_private(answer: httpx.Response) -> bool:
    """Tells whether no shared cache may keep the answer; half of the headers is a failure."""
    stored = {part.strip() for part in answer.headers.get("cache-control", "").lower().split(",")}
    varies = {part.strip() for part in answer.headers.get("vary", "").lower().split(",")}
    signs = [{"private", "no-store"} <= stored, "cookie" in varies]
    assert all(signs) or not any(signs), dict(answer.headers)
    return all(signs)


def errors_at(text: str, file: str, line: int) -> list[str]:
    """Gives the lines of stderr, or of a log, that tell of a fault at a place."""
    place = rf"(?<!\S){re.escape(file)}:{line}(:\d+)?: \S"
    return [told for told in text.splitlines() if re.search(place, told)]
