"""Visitors who ask for everything that the site of served.py has, in turn, and look at each answer.

wrk neither takes the answer to a HEAD nor knows which answer belongs to which request; so these are Python's own.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import dataclass, field
from http.cookies import SimpleCookie

# After how many rounds a visitor connects anew.
_ROUNDS = 100


class WrongAnswer(Exception):
    """An answer that isn't what the request asks for."""


@dataclass
class Visitor:
    """One browser: a connection, a cookie, and what the site has told it before."""

    port: int
    island: str
    counts: Counter[str] = field(default_factory=Counter)
    cookie: str = ""
    count: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    lines: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, kind: str, method: str, path: str, status: int, body: str = "", **headers: str) -> bytes:
        """Sends a request, and gives the body of the answer. Raises WrongAnswer where the status is another."""
        if self.lines is None:
            self.lines = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.lines
        own = f"http://127.0.0.1:{self.port}"
        sent = {"Host": own[7:], "Cookie": self.cookie, **headers}
        if body:
            form = "application/x-www-form-urlencoded"
            sent |= {"Origin": own, "Content-Type": form, "Content-Length": str(len(body))}
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in sent.items() if value)
        writer.write(f"{method} {path} HTTP/1.1\r\n{lines}\r\n{body}".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.headers = dict(re.findall(r"^([a-z-]+): (.*)\r$", head, re.MULTILINE))
        if head[9:12] != str(status):
            raise WrongAnswer(f"{kind}, {method} {path}: {head}")
        if given := SimpleCookie(self.headers.get("set-cookie", "")):
            self.cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in given.items())
        self.counts[kind] += 1
        length = 0 if method == "HEAD" or status == 304 else int(self.headers["content-length"])
        return await reader.readexactly(length)

    async def round(self) -> None:
        """Asks for each kind once."""
        page = await self.ask("prerendered", "GET", "/", 200)
        etag = self.headers["etag"]
        await self.ask("HEAD", "HEAD", "/", 200)
        self.expect("HEAD", self.headers["content-length"], str(len(page)))
        part = await self.ask("range", "GET", "/", 206, Range="bytes=100-299")
        self.expect("range", part, page[100:300])
        await self.ask("conditional", "GET", "/", 304, If_None_Match=etag)
        await self.ask("compressed", "GET", "/", 200, Accept_Encoding="gzip")
        self.expect("compressed", self.headers["content-encoding"], "gzip")
        self.expect("on demand", len(await self.ask("on demand", "GET", "/now/", 200)), len(page))
        self.expect("cached", len(await self.ask("cached", "GET", "/kept/", 200)), len(page))
        await self.ask("missing", "GET", "/nowhere/", 404)
        written = await self.ask("session write", "GET", "/write/", 200)
        self.count += 1
        shown = b"<p>%d so far</p>" % self.count
        self.expect("session write", shown in written, True)
        self.expect("session read", shown in await self.ask("session read", "GET", "/read/", 200), True)
        piece = await self.ask("island", "GET", self.island, 200)
        self.expect("island", b"<b>%d</b>" % self.count in piece, True)
        await self.ask("action", "POST", "/_actions/order", 303, "product=woad&quantity=2")

    def expect(self, kind: str, found: object, wanted: object) -> None:
        """Raises WrongAnswer where these differ."""
        if found != wanted:
            raise WrongAnswer(f"{kind}: {found!r}, not {wanted!r}")

    async def leave(self) -> None:
        """Ends the connection."""
        if self.lines is not None:
            self.lines[1].close()
            await self.lines[1].wait_closed()
            self.lines = None


async def ask(visitors: list[Visitor], least: int) -> int:
    """Has all visitors ask until it was so often at least, and go; gives how often it was. Raises WrongAnswer."""
    before = sum(visitor.counts.total() for visitor in visitors)

    def asked() -> int:
        return sum(visitor.counts.total() for visitor in visitors) - before

    async def go_on(visitor: Visitor) -> None:
        while asked() < least:
            for _ in range(_ROUNDS):
                await visitor.round()
                if asked() >= least:
                    break
            await visitor.leave()

    async with asyncio.TaskGroup() as group:
        for visitor in visitors:
            group.create_task(go_on(visitor))
    return asked()
