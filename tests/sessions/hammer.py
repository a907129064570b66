"""A process that makes requests in one session until it is killed: `hammer.py folder cookie name count`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.sessions.support import Visitor, managed

AT_ONCE = 10


async def main(folder: Path, cookie: str, name: str, count: int) -> None:
    """Gives each request a number; it sets a key of its own, and adds itself to a cart."""
    numbers = iter(range(count))
    async with managed("sqlite", folder, time.time) as manager:

        async def worker() -> None:
            for number in numbers:
                label = f"{name}{number}"
                visitor = Visitor(manager, cookie)
                session = await visitor.open()
                await asyncio.sleep(0)  # lets others in between, as rendering a page would
                session[label] = "set"
                session.update("cart", adding(label), [])
                await visitor.save(session)
                print(json.dumps(label), flush=True)

        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


def adding(label: str) -> Callable[[list[str]], list[str]]:
    """Gives a function that adds to a list."""
    return lambda cart: [*cart, label]


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
