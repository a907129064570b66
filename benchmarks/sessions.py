"""How fast sessions are read and written, for each driver that this machine has a server for.

    python benchmarks/sessions.py [--stored 100000] [--requests 5000] [--json FILE]

Through the session manager, as a request does: a read opens a session by its identifier and asks it for a value; a
write sets one, and saves. Twenty requests are under way at once. Sessions of 1 KB and of 100 KB; `--stored` sessions
of 1 KB lie in the store meanwhile (a tenth of it for files and servers, or it would take long to fill). Redis and
PostgreSQL are started on free ports, where they are installed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hybridsite.sessions.cookie import CookieSettings, new_identifier
from hybridsite.sessions.drivers import create_store
from hybridsite.sessions.manager import SessionManager
from hybridsite.sessions.session import Session
from tests.sessions.servers import PostgresServer, RedisServer, binary

AT_ONCE = 20
SIZES = {"1 KB": 1_000, "100 KB": 100_000}


async def begin(manager: SessionManager, size: int) -> str:
    """Stores a session, and gives its identifier."""
    session = await manager.open(None)
    session["text"] = secrets.token_hex(size // 2)
    cookie = (await manager.save(session, https=False)).set_cookie
    assert cookie is not None
    identifier = manager.identifier([cookie.partition(";")[0].encode()])
    assert identifier is not None
    return identifier


async def timed(act: Callable[[], Awaitable[None]], requests: int) -> tuple[float, float]:
    """Runs requests, twenty at once. Gives how many a second, and the slowest but one percent, in milliseconds."""
    times: list[float] = []

    async def worker() -> None:
        for _ in range(requests // AT_ONCE):
            began = time.perf_counter()
            await act()
            times.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    rate = len(times) / (time.perf_counter() - began)
    return rate, statistics.quantiles(times, n=100)[98] * 1000


async def measure(driver: str, options: dict[str, object], stored: int, requests: int) -> dict[str, object]:
    """Fills a store, and gives the figures of one driver."""
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as state:
        store = create_store(driver, options, state=Path(state))
        cookie = CookieSettings(name="session")
        manager = SessionManager(store, keys=[secrets.token_urlsafe(32)], ttl=3600.0, cookie=cookie)
        await manager.start()
        for _ in range(stored):
            await begin(manager, SIZES["1 KB"])
        for name, size in SIZES.items():
            identifiers = [await begin(manager, size) for _ in range(100)]

            async def opened(identifiers: list[str] = identifiers) -> Session:
                return await manager.open(random.choice(identifiers))

            async def read(opened: Callable[[], Awaitable[Session]] = opened) -> None:
                session = await opened()
                assert session.get("text")
                await manager.save(session, https=False)

            async def write(opened: Callable[[], Awaitable[Session]] = opened) -> None:
                session = await opened()
                session["number"] = random.random()
                await manager.save(session, https=False)

            few = requests if size < 10_000 else requests // 5
            for act, told in ((read, "read"), (write, "write")):
                rate, slow = await timed(act, few)
                figures[f"{told} {name}"] = {"per second": round(rate), "p99 ms": round(slow, 2)}
                print(f"{driver:9} {told:5} {name:>6} {rate:9.0f} a second, p99 {slow:7.2f} ms")
        assert await manager.open(new_identifier()) is not None
        await manager.stop()
    return figures


def main() -> None:
    """Reads the command line, measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stored", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=5_000)
    parser.add_argument("--json", type=Path, help="a file for all figures")
    asked = parser.parse_args()
    results: dict[str, object] = {}
    with ExitStack() as stack:
        places: dict[str, dict[str, object]] = {"memory": {}, "sqlite": {}, "fs": {}}
        for driver, program, make in (
            ("redis", "redis-server", RedisServer),
            ("postgres", "postgres", PostgresServer),
        ):
            if binary(program) is None:
                print(f"{driver}: {program} is not installed")
                continue
            server = make()
            stack.callback(server.end)
            places[driver] = {"url": server.url}
        for driver, options in places.items():
            stored = asked.stored if driver in ("memory", "sqlite") else asked.stored // 10
            results[driver] = asyncio.run(measure(driver, options, stored, asked.requests))
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
