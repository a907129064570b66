"""Connections to PostgreSQL, kept for the next call, and torn when a call is cut short.

psycopg_pool waits longer and longer between its attempts to connect, so a database that is back would not be used at
once; and psycopg's own way of cancelling may take ten seconds, where a call has to end there and then.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

import psycopg

from hybridsite.sessions.store import StoreDown

_T = TypeVar("_T")
Connection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]
Act = Callable[[Connection], Coroutine[Any, Any, _T]]


class Connections:
    """At most `most` of them. Each use, connecting and waiting for one included, ends within `timeout` seconds."""

    def __init__(self, url: str, *, most: int, timeout: float) -> None:
        self._url = url
        self._turns = asyncio.Semaphore(most)
        self._timeout = timeout
        self._is_open = True
        self._idle: list[Connection] = []

    async def close(self) -> None:
        """Closes those that nobody uses; the others are closed after their use."""
        self._is_open = False
        while self._idle:
            await self._idle.pop().close()

    async def use(self, act: Act[_T], *, again: bool = False) -> _T:
        """Gives what `act` makes of a connection. Raises StoreDown.

        What only reads may be done `again` where a connection that was kept turns out to be dead. A write may not: one
        that was done, and whose answer was lost, would meet itself as a conflict.
        """
        try:
            async with asyncio.timeout(self._timeout), self._turns:
                connection = self._kept()
                if connection is not None:
                    try:
                        return await self._do(connection, act)
                    except psycopg.OperationalError:
                        if not again:
                            raise
                return await self._do(await psycopg.AsyncConnection.connect(self._url, autocommit=True), act)
        except TimeoutError as error:
            raise StoreDown(f"PostgreSQL did not answer in {self._timeout} s") from error
        except (psycopg.Error, OSError) as error:
            raise StoreDown(f"PostgreSQL can't be used: {str(error).strip()}") from error

    def _kept(self) -> Connection | None:
        """Gives a connection that was used before, on which nothing has come since: neither an end nor an answer."""
        while self._idle:
            connection = self._idle.pop()
            if not _has_input(connection):
                return connection
            connection.pgconn.finish()
        return None

    async def _do(self, connection: Connection, act: Act[_T]) -> _T:
        """Uses a connection, and keeps it where all went well. One that is cut short is torn, and ends at once."""
        task = asyncio.create_task(act(connection))
        try:
            result = await asyncio.shield(task)
        except BaseException:
            if not task.done():
                _tear(connection)
            task.add_done_callback(lambda done: _finish(connection, done))
            await asyncio.wait({task})
            raise
        if self._is_open:
            self._idle.append(connection)
        else:
            connection.pgconn.finish()
        return result


def _finish(connection: Connection, task: asyncio.Task[Any]) -> None:
    """Closes a connection that nobody waits for any more."""
    if not task.cancelled():
        task.exception()  # it has been seen
    connection.pgconn.finish()


def _has_input(connection: Connection) -> bool:
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))


def _tear(connection: Connection) -> None:
    """Ends the traffic of a connection, whoever waits for it. Its descriptor stays until that one has seen it."""
    if connection.closed:
        return
    with socket.socket(fileno=os.dup(connection.pgconn.socket)) as twin, suppress(OSError):  # it has ended already
        twin.shutdown(socket.SHUT_RDWR)
