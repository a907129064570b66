"""What visitors who mean no good take from the others: the rate of the rest, beside that of a quiet server.

    python benchmarks/attacks.py [--rounds 3] [--seconds 3] [--number 500] [--only NAME …] [--json FILE]

Each attack is held while wrk asks for a prerendered page and for one on demand, in turns with rounds without it: what
is told is the median of the rounds' ratios. The goal is 0.8. The server has a processor for itself, so that what the
attackers take is taken from wrk, which has some to spare. Beside the rates stand the times of the processor that the
server took for one request, all that it did for the attackers included, turned round as in serve.py; and what part of a
processor the attackers took: where that is much, and the second ratio is better than the first, wrk went short.

    silent       connections that say nothing, opened anew when they are closed
    slow heads   a byte of a head a second
    slow bodies  a byte of a body a second
    slow readers a file of 8 MB, of which a byte is read a second
    large heads  heads of 100 KB, each attacker one a second
    half-open    connections that are reset in the midst of a request, each attacker one a second
    pipelining   a hundred requests in one piece, and hardly any of the answers is read
    smuggling    two framings of one body, each attacker one a second
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from load import Server, free_port, load, running
from served import write_site

GOAL = 0.8
PATHS = ("/", "/now/")
LARGE = b"x" * 8_000_000
GET = b"GET /now/ HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /_actions/order HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\nContent-Length: 1000\r\n\r\n"
TWO = GET.replace(b"GET", b"POST") + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"


async def connected(port: int, *, small: bool = False) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Opens a connection; `small` has the system take little of what comes."""
    line = socket.socket()
    line.setblocking(False)
    if small:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", port))
    return await asyncio.open_connection(sock=line, limit=2048)


async def silent(port: int) -> None:
    """Says nothing, until the server has had enough."""
    reader, _ = await connected(port)
    await reader.read()


async def dripping(port: int, head: bytes) -> None:
    """Sends a beginning, then a byte a second."""
    reader, writer = await connected(port)
    writer.write(head)
    ended = asyncio.ensure_future(reader.read())
    while not ended.done():
        writer.write(b"x")
        await asyncio.wait([ended], timeout=1)


async def slow_heads(port: int) -> None:
    """Sends a head as slowly as can be."""
    await dripping(port, GET + b"X: ")


async def slow_bodies(port: int) -> None:
    """Sends a body as slowly as can be."""
    await dripping(port, POST)


async def slow_readers(port: int) -> None:
    """Reads a long answer as slowly as can be."""
    reader, writer = await connected(port, small=True)
    writer.write(GET.replace(b"/now/", b"/large.txt") + b"\r\n")
    while await reader.read(1):
        await asyncio.sleep(1)


async def sent(port: int, request: bytes) -> None:
    """Sends a request, and waits for the end of the connection."""
    reader, writer = await connected(port)
    writer.write(request)
    await reader.read()
    writer.close()
    await asyncio.sleep(1)


async def large_heads(port: int) -> None:
    """Sends a head that is refused."""
    await sent(port, GET + b"X: " + b"x" * 100_000 + b"\r\n\r\n")


async def smuggling(port: int) -> None:
    """Sends what two programs could read in two ways."""
    await sent(port, TWO)


async def pipelining(port: int) -> None:
    """Sends many requests at once, and reads their answers as slowly as can be."""
    reader, writer = await connected(port, small=True)
    writer.write((GET + b"\r\n") * 100)
    while await reader.read(1):
        await asyncio.sleep(1)


async def half_open(port: int) -> None:
    """Resets the connection in the midst of a request."""
    _, writer = await connected(port)
    writer.write(POST[:-4])
    await asyncio.sleep(1)
    line = writer.get_extra_info("socket")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


ATTACKS: dict[str, Callable[[int], Coroutine[Any, Any, None]]] = {
    "silent": silent,
    "slow heads": slow_heads,
    "slow bodies": slow_bodies,
    "slow readers": slow_readers,
    "large heads": large_heads,
    "half-open": half_open,
    "pipelining": pipelining,
    "smuggling": smuggling,
}
# Those that have no beginning to wait for: they go on at one rate.
STEADY = ("large heads", "half-open", "smuggling")


async def attack(name: str, port: int, number: int, begun: Event) -> None:
    """Has so many visitors attack, each again and again."""

    async def again(start: float) -> None:
        await asyncio.sleep(start)
        while True:
            try:
                await ATTACKS[name](port)
            except OSError:
                await asyncio.sleep(1)

    async def tell() -> None:
        await asyncio.sleep(2)
        begun.set()

    await asyncio.gather(*(again(each / number) for each in range(number)), tell())


def attacking(name: str, port: int, number: int, begun: Event) -> None:
    """Is what the attacker's process does."""
    asyncio.run(attack(name, port, number, begun))


def wait_until_settled(server: Server, name: str = "") -> None:
    """Waits until all attackers are there, or gone: what they stream at first is what any visitor may have."""
    quiet = 0
    while name not in STEADY and quiet < 3:
        before = server.cpu()
        time.sleep(0.5)
        quiet = quiet + 1 if server.cpu() - before < 0.08 else 0


@contextmanager
def own_processor() -> Iterator[None]:
    """Has what is started within run on one processor, and what is started later on the others."""
    every = os.sched_getaffinity(0)
    if len(every) == 1:
        raise SystemExit("the server needs a processor for itself, and there is one alone")
    os.sched_setaffinity(0, {min(every)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, every - {min(every)})


def ratios(name: str, path: str, server: Server, number: int, rounds: int, seconds: int) -> tuple[float, float, float]:
    """Gives the medians of the ratios with an attack and without it, of the rates and of the processor's time, and what
    part of a processor the attackers took."""
    rates, costs, taken = [], [], []
    for _ in range(rounds):
        quiet = load(server, path, 16, seconds, None)
        begun = multiprocessing.Event()
        attacker = multiprocessing.Process(target=attacking, args=(name, server.port, number, begun), daemon=True)
        attacker.start()
        begun.wait()
        wait_until_settled(server, name)
        assert attacker.pid is not None
        theirs = Server(server.port, attacker.pid, 0)
        before = theirs.cpu()
        under = load(server, path, 16, seconds, None)
        taken.append((theirs.cpu() - before) / seconds)
        attacker.kill()
        attacker.join()
        wait_until_settled(server)
        rates.append(under.rate / quiet.rate)
        costs.append(quiet.cpu / under.cpu)
    return statistics.median(rates), statistics.median(costs), statistics.median(taken)


def main() -> None:
    """Reads the command line, measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of load for each figure")
    parser.add_argument("--number", type=int, default=500, help="of attackers")
    parser.add_argument("--only", nargs="+", default=[], choices=list(ATTACKS), metavar="NAME")
    parser.add_argument("--json", type=Path, help="a file for all figures")
    asked = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: apt install wrk")
    results: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_site(folder)
        (folder / "public").mkdir()
        (folder / "public/large.txt").write_bytes(LARGE)
        port = free_port()
        python = [sys.executable, "-m", "hybridsite"]
        subprocess.run([*python, "build", folder], check=True, stdout=subprocess.DEVNULL)
        with ExitStack() as stack:
            with own_processor():
                command = [*python, "serve", str(folder), "--port", str(port)]
                server = stack.enter_context(running(command, port, folder))
            for kind in asked.only or ATTACKS:
                found = {path: ratios(kind, path, server, asked.number, asked.rounds, asked.seconds) for path in PATHS}
                results[kind] = {path: [round(ratio, 2) for ratio in told] for path, told in found.items()}
                told = (
                    f"{path} {rate:.2f} of the rate, {cost:.2f} by CPU (attackers took {taken:.2f} of one)"
                    for path, (rate, cost, taken) in found.items()
                )
                print(f"{kind:13} {'; '.join(told)} (goal {GOAL})", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
