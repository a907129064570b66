"""An application that is asked in its own process, without a socket between: one request, and its whole answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Scope

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Answer:
    """What an application sent: names of headers in lower case, `header` has the last of each name.

    `url` is the path that was asked for, with its query, and `history` has the redirects that led there.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    url: str = ""
    history: tuple[Answer, ...] = ()
    header: dict[str, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "header", dict(self.headers))

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """Gives what the body says in JSON. Raises ValueError where it is none."""
        return json.loads(self.body)


def scope_of(
    target: str | bytes, method: str = "GET", headers: Mapping[str, str] | None = None, *, host: str = HOST
) -> Scope:
    """Gives the scope that uvicorn makes of a request line."""
    raw, _, query = (target.encode() if isinstance(target, str) else target).partition(b"?")
    sent = {"host": host, **{name.lower(): value for name, value in (headers or {}).items()}}
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": raw.decode("latin-1"),
        "raw_path": raw,
        "query_string": query,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
        "server": (HOST, 80),
        "client": (HOST, 1),
    }


async def asked(app: ASGIApp, scope: Scope, body: bytes = b"") -> Answer:
    """Sends one request to an application, and gives its whole answer."""
    start: dict[str, Any] = {}
    chunks: list[bytes] = []
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()  # a visitor who stays
        sent = True
        return {"type": "http.request", "body": body}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            assert not start, "an answer begins once"
            start.update(message)
        else:
            chunks.append(message.get("body", b""))

    await app(scope, receive, send)
    headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in start["headers"]]
    query = scope["query_string"]
    url = scope["raw_path"].decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")
    return Answer(start["status"], headers, b"".join(chunks), url)
