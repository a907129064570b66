"""Load by wrk on a server that runs as a process of its own, and what the server took for it.

wrk has one thread and a connection a visitor; each visitor may have a cookie of its own.
"""

from __future__ import annotations

import http.client
import os
import re
import secrets
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

WRK = """
local cookies = {}
for line in io.lines(%r) do cookies[#cookies + 1] = line end
local turn = 0
request = function()
  turn = turn %% #cookies + 1
  return wrk.format(%s)
end
"""


GET = '"GET", nil, {["Cookie"] = cookies[turn]}'
POST = (
    '"POST", nil, {["Cookie"] = cookies[turn], ["Origin"] = "http://127.0.0.1:" .. wrk.port, '
    '["Content-Type"] = "application/x-www-form-urlencoded"}, "product=woad&quantity=2"'
)
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True)
class Server:
    """A server that runs: where it listens, its process, and the seconds from its start to its first answer."""

    port: int
    process: int
    first_answer: float

    def cpu(self) -> float:
        """The seconds of the processor that it has taken, its own and the kernel's for it."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """The megabytes that it holds in memory: its own, and its share of what others hold too (PSS)."""
        found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{self.process}/smaps_rollup").read_text(), re.MULTILINE)
        assert found
        return int(found[1]) / 1024

    def own_memory(self) -> float:
        """The megabytes that nobody else has: PSS changes with how many programs run that share a library with it."""
        told = Path(f"/proc/{self.process}/status").read_text()
        return sum(int(size) for size in re.findall(r"^(?:RssAnon|VmSwap):\s+(\d+)", told, re.MULTILINE)) / 1024

    def descriptors(self) -> int:
        """How many files and connections it has open."""
        return len(os.listdir(f"/proc/{self.process}/fd"))


@dataclass(frozen=True)
class Figure:
    """One round of load: requests a second, microseconds of the server's processor for one, and milliseconds until the
    answer, for the half and for the hundredth that waited longest."""

    rate: float
    cpu: float
    p50: float
    p99: float


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    folder: Path,
    environ: Mapping[str, str] | None = None,
    errors: IO[str] | None = None,
) -> Iterator[Server]:
    """Runs a server until it is no longer needed."""
    began = time.perf_counter()
    environ = {**os.environ, "HYBRIDSITE_SECRET": secrets.token_urlsafe(32), **(environ or {})}
    server = subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=errors)
    try:
        while True:
            try:
                fetch(port, "/")
                break
            except OSError:
                if server.poll() is not None:
                    raise SystemExit(f"{command} ended with {server.returncode}") from None
                time.sleep(0.005)
        yield Server(port, server.pid, time.perf_counter() - began)
    finally:
        server.terminate()
        server.wait()


def fetch(port: int, path: str) -> http.client.HTTPResponse:
    """Sends one request, with the whole answer read."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def size(port: int, path: str) -> int:
    """Gives how many bytes the body of an answer has."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return len(answer.read())


def free_port() -> int:
    """Gives a port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def cookies(port: int, visitors: int, into: Path) -> None:
    """Lets visitors begin a session, and writes wrk scripts that ask, and post, as each of them in turn."""
    lines = []
    for _ in range(visitors):
        given = fetch(port, "/write/").getheader("set-cookie")
        assert given, "no session was begun"
        lines.append(given.partition(";")[0])
    (into.with_suffix(".txt")).write_text("\n".join(lines) + "\n")
    for script, asked in ((into, GET), (posting(into), POST)):
        script.write_text(WRK % (str(into.with_suffix(".txt")), asked))


def posting(script: Path) -> Path:
    """Gives the place of the script that posts, beside the one that asks."""
    return script.with_name(f"post-{script.name}")


def load(server: Server, path: str, visitors: int, seconds: int, script: Path | None) -> Figure:
    """Runs one round. Anything but 2xx and 3xx ends the benchmark: errors are fast."""
    command = ["wrk", "-t1", f"-c{visitors}", f"-d{seconds}s", "--latency", *(["-s", str(script)] if script else [])]
    began = server.cpu()
    told = subprocess.run(
        [*command, f"http://127.0.0.1:{server.port}{path}"], capture_output=True, text=True, check=True
    ).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise SystemExit(f"{path}: {told}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told)
    requests = re.search(r"(\d+) requests in", told)
    assert rate, told
    assert requests, told
    cpu = (server.cpu() - began) / int(requests[1]) * 1e6
    return Figure(float(rate[1]), cpu, _waited(told, 50), _waited(told, 99))


def _waited(told: str, share: int) -> float:
    found = re.search(rf"^\s+{share}%\s+([\d.]+)([a-z]+)$", told, re.MULTILINE)
    assert found, told
    return float(found[1]) * _UNITS[found[2]]
