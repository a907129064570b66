"""What dev tells of while it runs: each fault once, what takes long, and the requests where somebody wants to know."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from starlette.types import Message, Scope, Send

from hybridsite.errors import count
from hybridsite.news import News, fault_news

PATIENCE = 2.0
"""The seconds from which on work is told of, and between two times that it is."""

Say = Callable[[str], object]


class Faults:
    """Tells each fault when it is met, and not again while it stands: what was told of a state or the one before."""

    def __init__(self, wrong: Say) -> None:
        self._wrong = wrong
        self._before: set[str] = set()
        self._now: set[str] = set()
        self._folded: set[str] = set()

    def tell(self, text: str, error: Exception) -> bool:
        """Tells of a fault, unless that is known. Gives whether it has told."""
        is_known = text in self._before or text in self._now
        if is_known:
            self._folded.add(text)
        else:
            self._wrong(fault_news(text, error))
        self._now.add(text)
        return not is_known

    def next_state(self) -> None:
        """Begins with another state of the site. Those that nobody meets in it are told when they come again."""
        self._before, self._now, self._folded = self._now, set(), set()

    def as_before(self) -> str:
        """Says how many faults of this state have been told of before."""
        return f" · {count(len(self._folded), 'fault')} as before" if self._folded else ""


@asynccontextmanager
async def told_when_long(say: Say, what: Callable[[], str], patience: float = PATIENCE) -> AsyncIterator[None]:
    """Says every few seconds what is under way, for work that takes so long."""

    async def tell() -> None:
        began = time.monotonic()
        while True:
            await asyncio.sleep(patience)
            took = time.monotonic() - began
            say(News(f"{what()} · {took:.0f} s", "progress", seconds=round(took, 1)))

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling


class Told:
    """Passes an answer on, and tells of it when it has ended."""

    def __init__(self, scope: Scope, send: Send, say: Say) -> None:
        self._scope = scope
        self._send = send
        self._say = say
        self._status = 0
        self._began = time.perf_counter()

    async def __call__(self, message: Message) -> None:
        """Takes a message of ASGI."""
        await self._send(message)
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            took = (time.perf_counter() - self._began) * 1000
            method, path = self._scope["method"], self._scope["path"]
            path = path if path.isprintable() else ascii(path)
            told = {"method": method, "path": path, "status": self._status, "milliseconds": round(took, 1)}
            self._say(News(f"{method} {path} · {self._status} · {took:.0f} ms", "request", **told))
