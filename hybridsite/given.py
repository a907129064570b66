"""What a site gives out without rendering it: built files, and the error pages among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from starlette.types import Receive, Scope, Send


class ErrorFile(NamedTuple):
    """A prerendered error page: its HTML, and the headers that its front matter has."""

    body: bytes
    headers: tuple[tuple[str, str], ...]


class GivenFile(Protocol):
    """A built file, as the server gives it out: with conditions, ranges and codings.

    `headers` are those of the whole file. `guard` is the source of the page with `guard: true` that it is, or None.
    `is_streamed` tells that its bytes are read when they are asked for.
    """

    headers: Sequence[tuple[bytes, bytes]]
    guard: str | None
    is_streamed: bool

    async def opened(self) -> GivenFile:
        """Gives the file with its headers known: where files are made when they are asked for, it is made now."""
        ...

    async def is_replaced(self) -> bool:
        """Tells whether the file that it was made from is another one by now, or gone."""
        ...

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers GET and HEAD."""
