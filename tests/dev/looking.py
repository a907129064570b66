"""What the tests of the pages below /_dev/ stand on: a site in dev, in this process, and its browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

from hybridsite.dev.app import DevApp
from hybridsite.dev.look.origins import NO_FLAGS, Flags
from tests.e2e.support import COOKIE
from tests.inprocess import ENVIRON, Answer, asked, scope_of

T = TypeVar("T")
OWN = "http://127.0.0.1"


class Browser:
    """A browser at this machine: it sends its cookie and the Origin of its forms, and keeps what it is given."""

    def __init__(self, app: DevApp) -> None:
        self.app = app
        self.cookie = ""

    async def get(self, target: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Answer:
        """Asks for a page."""
        return await self._ask(target, method, {"accept": "text/html", **(headers or {})})

    async def post(self, target: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        """Sends a form."""
        sent = {"origin": OWN, "content-type": "application/x-www-form-urlencoded", **(headers or {})}
        return await self._ask(target, "POST", sent, urlencode(fields).encode())

    async def followed(self, target: str, fields: Mapping[str, str]) -> Answer:
        """Sends a form, and follows to where it leads."""
        answer = await self.post(target, fields)
        assert answer.status == 303, answer.text
        return await self.get(answer.header["location"].partition("#")[0])

    async def _ask(self, target: str, method: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        sent = {**headers, **({"cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {})}
        answer = await asked(self.app, scope_of(target, method, sent), body)
        for name, value in answer.headers:
            if name == "set-cookie" and (found := re.match(rf"{COOKIE}=([^;]*)", value)):
                self.cookie = found[1]
        return answer


def looked(
    root: Path,
    visit: Callable[[Browser], Awaitable[T]],
    *,
    environ: Mapping[str, str] = ENVIRON,
    flags: Flags = NO_FLAGS,
) -> T:
    """Loads a site for dev, and gives what a browser found there."""

    async def run() -> T:
        app = DevApp(root, environ, say=lambda line: None, wrong=lambda line: None, flags=flags)
        await app.reload()
        try:
            return await visit(Browser(app))
        finally:
            await app.close()

    return asyncio.run(run())


def rows(text: str) -> dict[str, str]:
    """Gives the rows of a page's tables by the text of their heads, in words; of two of one head the first."""
    found: dict[str, str] = {}
    for row in re.findall(r"<tr[^>]*>(.*?)</tr>", text, re.DOTALL):
        if head := re.match(r'\s*<th scope="row">(.*?)</th>', row, re.DOTALL):
            found.setdefault(words(head[1]).removesuffix(" ↗"), words(row[head.end() :]))
    return found


def words(html: str) -> str:
    """Gives what is read of a piece of HTML."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())
