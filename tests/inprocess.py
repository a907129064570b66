"""What tests in one process stand on: a site that is built and asked without a socket between."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Scope

from hybridsite.build.build import BuildOptions, build_site
from hybridsite.build.rows import BuildReport
from hybridsite.server.deployment import Deployment, create_app
from hybridsite.site import Mode, Site, load_site
from tests.e2e.support import SECRET, write_site

ENVIRON: Mapping[str, str] = {"HYBRIDSITE_SECRET": SECRET}
MEMORY = '[session]\ndriver = "memory"\n'
ON_DEMAND = "---\nprerender: false\n---\n"


@dataclass(frozen=True)
class Answer:
    """What an application sent: names of headers in lower case, `header` has the last of each name."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    header: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "header", dict(self.headers))

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def scope_of(target: str | bytes, method: str = "GET", headers: Mapping[str, str] | None = None) -> Scope:
    """Gives the scope that uvicorn makes of a request line."""
    raw, _, query = (target.encode() if isinstance(target, str) else target).partition(b"?")
    sent = {"host": "127.0.0.1", **{name.lower(): value for name, value in (headers or {}).items()}}
    return {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": raw.decode("latin-1"),
        "raw_path": raw,
        "query_string": query,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
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
    return Answer(start["status"], headers, b"".join(chunks))


def ask(
    app: ASGIApp,
    target: str | bytes,
    method: str = "GET",
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Answer:
    """Sends one request on a loop of its own."""
    return asyncio.run(asked(app, scope_of(target, method, headers), body))


def request(target: str | bytes = "/", method: str = "GET", headers: Mapping[str, str] | None = None) -> Request:
    """Gives a request as the server makes it."""
    return Request(scope_of(target, method, headers))


def built_here(root: Path, **options: Any) -> BuildReport:
    """Builds a site in this process, with what BuildOptions has."""
    return build_site(root, root / ".hybridsite", environ=ENVIRON, options=BuildOptions(**options))


def app_of(root: Path) -> Deployment:
    """Builds a site and gives its application."""
    built_here(root)
    return create_app(root, environ=ENVIRON)


def loaded(folder: Path, files: Mapping[str, str | bytes], *, prerendering: bool = False) -> Site:
    """Writes a site and loads it."""
    return load_site(write_site(folder, files), Mode(prerendering=prerendering), environ=ENVIRON)
