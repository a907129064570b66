"""The lifespan of an application that no server runs."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.types import Message

from hybridsite.server.deployment import Deployment


class Life:
    """Runs it as a task, which ends in good order with the loop, at the latest."""

    def __init__(self, app: Deployment) -> None:
        self._app = app
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Opens the site, on the loop that it will live on. Raises what keeps it from that."""
        begun = asyncio.get_running_loop().create_future()
        is_begun = False

        async def receive() -> Message:
            nonlocal is_begun
            if not is_begun:
                is_begun = True
                return {"type": "lifespan.startup"}
            with suppress(asyncio.CancelledError):  # the loop ends; the stores are still closed in good order
                await self._ending.wait()
            return {"type": "lifespan.shutdown"}

        async def send(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete" and not begun.done():
                begun.set_result(None)

        self._task = asyncio.create_task(self._app({"type": "lifespan"}, receive, send))
        await asyncio.wait([begun, self._task], return_when=asyncio.FIRST_COMPLETED)
        if not begun.done():
            await self._task

    async def end(self) -> None:
        """Closes the site."""
        self._ending.set()
        if self._task is not None:
            await self._task
