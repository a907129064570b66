"""The gate: how many requests are worked on at once, an address's share of them, and how long one may take."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable

from starlette.types import Message, Receive, Scope, Send

from hybridsite.answers import plain_error
from hybridsite.modules import CALLS, ThreadCall
from hybridsite.settings import LimitSettings

_log = logging.getLogger("hybridsite")

BUSY = {"Retry-After": "1", "Cache-Control": "no-store"}
LATE = {"Retry-After": "5", "Cache-Control": "no-store"}
# What was given up ends at its next `await`, unless it doesn't want to.
_ENDING = 1.0


class Work:
    """A request that is worked on, until its answer begins."""

    __slots__ = (
        *("address", "began", "calls", "is_answered", "is_late", "is_receiving"),
        *("receive", "scope", "send", "task"),
    )

    def __init__(self, address: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        self.address = address
        self.scope, self.receive, self.send = scope, receive, send
        self.task = asyncio.current_task()
        self.began = time.monotonic()
        self.calls: list[ThreadCall] = []
        self.is_receiving = False  # the visitor's time, which isn't ours
        self.is_late = False
        self.is_answered = False

    async def received(self, receive: Receive) -> Message:
        """Gives the next piece of the body. The time that it takes is no part of the answer's."""
        began, self.is_receiving = time.monotonic(), True
        try:
            return await receive()
        finally:
            self.is_receiving = False
            self.began += time.monotonic() - began


class Gate:
    """Lets requests in, and gives up those that take too long. One a process, over all builds that it serves.

    An address may have half of what is worked on at once, so that nobody locks the others out. `stuck` is called where
    a function goes on long after it was given up: it holds a thread that nobody gets back.
    """

    def __init__(self, limits: LimitSettings, stuck: Callable[[], None] = lambda: None) -> None:
        self.limits = limits
        self.stuck = stuck
        self._works: set[Work] = set()
        self._of: Counter[str] = Counter()
        self._ending: set[asyncio.Task[None]] = set()
        self._loose: list[tuple[ThreadCall, float, str]] = []  # until when, of which path

    def enter(self, address: str | None, scope: Scope, receive: Receive, send: Send) -> Work | None:
        """Lets a request in, or gives None. `address` is None where a proxy stands for all of its visitors."""
        most = self.limits.concurrency
        if len(self._works) >= most or (address is not None and self._of[address] >= max(1, most // 2)):
            return None
        work = Work(address, scope, receive, send)
        self._works.add(work)
        CALLS.set(work.calls)
        if address is not None:
            self._of[address] += 1
        return work

    def leave(self, work: Work) -> None:
        """Notes that the answer to a request begins."""
        self._works.discard(work)
        if work.is_late:
            until = time.monotonic() + self.limits.time
            self._loose += [(call, until, work.scope["path"]) for call in work.calls if not call.is_done]
        if work.address is not None:
            self._of[work.address] -= 1
            if not self._of[work.address]:
                del self._of[work.address]

    def look(self) -> None:
        """Gives up what has taken too long. To be called about once a second."""
        now, most = time.monotonic(), self.limits.time
        for work in [*self._works]:
            over = now - work.began - most
            if over <= 0 or work.is_receiving:
                continue
            if not work.is_late:
                work.is_late = True
                _log.error("%s took over %g s, and is answered 503", work.scope["path"], most)
                if work.task is not None:
                    work.task.cancel()
            elif over > _ENDING and not work.is_answered:
                work.is_answered = True
                task = asyncio.ensure_future(_give_up(work))
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)
        self._look_at_threads(now, most)

    def _look_at_threads(self, now: float, most: float) -> None:
        """Tells of functions that go on in threads, as long again after they were given up: nobody can end them."""
        waiting, self._loose = self._loose, []
        for call, until, path in waiting:
            if call.is_done:
                continue
            if now > until:
                _log.error("%s goes on after it was given up, and holds a thread", path)
                self.stuck()
                until = now + most
            self._loose.append((call, until, path))


async def _give_up(work: Work) -> None:
    await plain_error(503, LATE)(work.scope, work.receive, work.send)
