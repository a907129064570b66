"""Whether a server stays as it is: requests of all kinds by the million, each answer looked at.

    python benchmarks/memory.py [--requests 1000000] [--visitors 64] [--json FILE]

The site is that of `serve.py`, the visitors are those of `mixture.py`: they ask for files, parts of them, compressed
ones, those that they have, and by HEAD; for pages on demand and from the cache, sessions read and written, islands and
actions, and what isn't there. A tenth of the requests warms the server, at most 50,000. Then its own memory and its
descriptors are told, and after each tenth of the rest, when all visitors have gone. A wrong answer, a line in the
server's log, memory that grew by over 5 %, and a descriptor more than before end it with 1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from load import Server, free_port, running
from mixture import Visitor, ask
from served import island_path, write_site

MOST_GROWTH = 0.05
# How many requests warm a server: its caches fill, and the interpreter's own memory finds its size.
_WARM = 50_000
# How long connections may take to be gone.
_PATIENCE = 10.0
Figure = tuple[int, float, int]


def settled(server: Server) -> int:
    """Gives how many descriptors the server has, when connections that were ended are gone: their number stays."""
    deadline = time.monotonic() + _PATIENCE
    number, seen = server.descriptors(), 0
    while seen < 10 and time.monotonic() < deadline:
        time.sleep(0.05)
        before, number = number, server.descriptors()
        seen = seen + 1 if number == before else 0
    return number


def measure(requests: int, visitors: int) -> list[Figure]:
    """Gives how many requests there were, and the memory and the descriptors then."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_site(folder)
        port = free_port()
        python = [sys.executable, "-m", "hybridsite"]
        subprocess.run([*python, "build", folder], check=True, stdout=subprocess.DEVNULL)
        log = folder / "server.log"
        command = [*python, "serve", str(folder), "--port", str(port)]
        with log.open("w") as told, running(command, port, folder, errors=told) as server:
            crowd = [Visitor(port, island_path(folder)) for _ in range(visitors)]
            total = asyncio.run(ask(crowd, min(_WARM, requests // 10)))
            figures = [(total, server.own_memory(), settled(server))]
            tell(figures[-1], "warm")
            while total < requests:
                total += asyncio.run(ask(crowd, min(max(1, requests // 10), requests - total)))
                figures.append((total, server.own_memory(), settled(server)))
                tell(figures[-1], "")
            kinds = sum((visitor.counts for visitor in crowd), start=Counter[str]())
            print("; ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())))
        if log.read_text():
            raise SystemExit(f"the server said: {log.read_text()[-2000:]}")
        return figures


def tell(figure: Figure, word: str) -> None:
    """Prints a figure."""
    print(f"{figure[0]:9} requests: {figure[1]:6.1f} MB, {figure[2]} descriptors {word}", flush=True)


def main() -> None:
    """Reads the command line, measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--visitors", type=int, default=64)
    parser.add_argument("--json", type=Path, help="a file for all figures")
    asked = parser.parse_args()
    figures = measure(asked.requests, asked.visitors)
    growth = figures[-1][1] / figures[0][1] - 1
    more = figures[-1][2] - figures[0][2]
    print(f"memory grew by {growth * 100:.1f} % (goal: {MOST_GROWTH * 100:.0f} % at most)", end=", ")
    print(f"descriptors by {more} (goal: 0)")
    if asked.json:
        asked.json.write_text(json.dumps(figures) + "\n")
    raise SystemExit(int(growth > MOST_GROWTH or more > 0))


if __name__ == "__main__":
    main()
