"""The channel by which open pages hear of changes: server-sent events, and the script that listens in the browser."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import escape
from starlette.types import Message, Receive, Scope, Send

PLACE = "/_dev/"
EVENTS = f"{PLACE}events"
SCRIPT = f"{PLACE}client.js"
_QUIET = 15.0  # seconds until a line keeps a connection from being taken for dead
_END_OF_BODY = re.compile(rb"</body\s*>", re.IGNORECASE)


class Channel:
    """Tells every page that listens of each new state of the site. `state` is the name of the one there is now."""

    def __init__(self, start: str) -> None:
        self._start = start
        self._number = 0
        self._open = True
        self._told: Mapping[str, Any] = {}
        self._news = asyncio.Condition()

    @property
    def state(self) -> str:
        """The name of the state: another one after each change, and in each process."""
        return f"{self._start}-{self._number}"

    async def tell(self, **told: Any) -> None:
        """Tells of a new state, with what is known of it."""
        async with self._news:
            self._number += 1
            self._told = told
            self._news.notify_all()

    async def close(self) -> None:
        """Ends all connections."""
        async with self._news:
            self._open = False
            self._news.notify_all()

    async def respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a page that listens until it leaves. It hears of the state that there is at once."""
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            known = ""
            while self._open and not gone.done():
                text = ":\n\n"
                if known != self.state:
                    text = f"data: {json.dumps({**self._told, 'state': self.state})}\n\n"
                    known = self.state
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
                await self._changed(known, gone)
            if not gone.done():
                await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()

    async def _changed(self, known: str, gone: asyncio.Future[None]) -> None:
        waiting = asyncio.ensure_future(self._other_than(known))
        await asyncio.wait({waiting, gone}, timeout=_QUIET, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()

    async def _other_than(self, known: str) -> None:
        async with self._news:
            await self._news.wait_for(lambda: self.state != known or not self._open)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@cache
def client_script() -> bytes:
    """Gives the script of the browser's side."""
    return files("hybridsite").joinpath("dev/client.js").read_bytes()


class Injector:
    """Adds dev's script to an answer on its way, where that is a whole page in HTML. All else goes on as it is."""

    def __init__(self, send: Send, state: str, notes: Callable[[], Sequence[str]] = lambda: ()) -> None:
        self._send = send
        self._state = state
        self._notes = notes
        self._start: Message | None = None
        self._is_page = False
        self._first = b""

    async def __call__(self, message: Message) -> None:
        """Takes a message of ASGI."""
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            self._is_page = headers.get(b"content-type", b"").startswith(b"text/html")
            self._is_page = self._is_page and b"content-encoding" not in headers
            if self._is_page:
                self._start = message
                return
        elif self._is_page and message["type"] == "http.response.body":
            message = self._with_tag(message)
            if self._start is not None:
                start, self._start = self._start, None
                await self._send(_with_headers(start, message))
        await self._send(message)

    def _tag(self) -> bytes:
        notes = escape(json.dumps(self._notes()))
        tag = f'<script type="module" src="{SCRIPT}" data-state="{self._state}" data-notes="{notes}"></script>'
        return tag.encode()

    def _with_tag(self, message: Message) -> Message:
        body, last = message.get("body", b""), not message.get("more_body", False)
        self._first = self._first or body[:200]
        ends = list(_END_OF_BODY.finditer(body))
        if ends:
            at = ends[-1].start()
            body, self._is_page = body[:at] + self._tag() + body[at:], False
        elif last and self._first.lstrip().lower().startswith(b"<!doctype html"):  # the tag at its end may be left out
            body += self._tag()
        return {**message, "body": body}


def _with_headers(start: Message, first: Message) -> Message:
    headers = []
    for name, value in start["headers"]:
        if name == b"content-length":
            if first.get("more_body", False) or not first.get("body"):
                continue
            value = str(len(first["body"])).encode()
        elif name == b"content-security-policy":
            value = allowing_dev(value.decode("latin-1")).encode("latin-1")
        headers.append((name, value))
    return {**start, "headers": headers}


def allowing_dev(policy: str) -> str:
    """Gives a Content-Security-Policy that lets dev's script run and listen, and is the same for all else."""
    directives = {words[0].lower(): words[1:] for part in policy.split(";") if (words := part.split())}
    changed = False
    for name in ("script-src-elem", "script-src", "connect-src"):
        given = directives.get(name)
        if given is None:
            if name == "script-src-elem" or "default-src" not in directives:
                continue
            given = directives["default-src"]
        if "'self'" not in given:
            directives[name] = [*(source for source in given if source != "'none'"), "'self'"]
            changed = True
    return "; ".join(" ".join([name, *sources]) for name, sources in directives.items()) if changed else policy
