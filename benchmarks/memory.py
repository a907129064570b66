"""Whether a server's memory stays flat: requests with sessions, read and written in turns, by the million.

    python benchmarks/memory.py [--requests 1000000] [--visitors 64] [--json FILE]

The site and the load are those of `serve.py`. The server is warmed by a hundredth of the requests; its resident memory
is told then, and after each tenth of the rest.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from load import Server, cookies, fetch, free_port, running
from served import write_site

# How long one round of load is.
_ROUND_SECONDS = 5


def resident(server: Server) -> float:
    """Gives the megabytes that a server holds in memory."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{server.process}/status").read_text())
    assert found
    return int(found[1]) / 1000


def ask(server: Server, script: Path, visitors: int, least: int) -> int:
    """Asks as many times at least, half of them writing, and gives how often it was."""
    asked = 0
    while asked < least:
        for path in ("/read/", "/write/"):
            command = ["wrk", "-t1", f"-c{visitors}", f"-d{_ROUND_SECONDS}s", "-s", str(script)]
            url = f"http://127.0.0.1:{server.port}{path}"
            told = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
            requests = re.search(r"(\d+) requests in", told)
            if "Non-2xx" in told or requests is None:
                raise SystemExit(told)
            asked += int(requests[1])
    return asked


def measure(requests: int, visitors: int) -> list[tuple[int, float]]:
    """Gives how many requests there were, and the memory then."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_site(folder)
        port = free_port()
        python = [sys.executable, "-m", "hybridsite"]
        subprocess.run([*python, "build", folder], check=True, stdout=subprocess.DEVNULL)
        with running([*python, "serve", str(folder), "--port", str(port)], port, folder) as server:
            assert fetch(port, "/read/").status == 200
            script = folder / "wrk.lua"
            cookies(port, visitors, script)
            total = ask(server, script, visitors, requests // 100)
            figures = [(total, resident(server))]
            print(f"{total:9} requests: {figures[-1][1]:6.1f} MB, warm", flush=True)
            while total < requests:
                total += ask(server, script, visitors, requests // 10)
                figures.append((total, resident(server)))
                print(f"{total:9} requests: {figures[-1][1]:6.1f} MB", flush=True)
            return figures


def main() -> None:
    """Reads the command line, measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--visitors", type=int, default=64)
    parser.add_argument("--json", type=Path, help="a file for all figures")
    asked = parser.parse_args()
    figures = measure(asked.requests, asked.visitors)
    print(f"grown by {(figures[-1][1] / figures[0][1] - 1) * 100:.1f} % (goal: 5 % at most)")
    if asked.json:
        asked.json.write_text(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
