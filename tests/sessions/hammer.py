"""A process that makes requests in one session until it is killed: `hammer.py driver place cookie name count`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import cast

from tests.sessions.support import Driver, Visitor, managed

AT_ONCE = 10


async def main(driver: Driver, place: str, cookie: str, name: str, count: int) -> None:
    """Gives each request a number; it sets a key of its own, and adds itself to a cart."""
    numbers = iter(range(count))
    async with managed(driver, place, time.time) as manager:

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
    asyncio.run(main(cast(Driver, sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5])))
