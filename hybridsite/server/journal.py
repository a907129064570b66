"""The journal: a line for each request, written beside the requests. No cookie, no query, nothing of a session."""

from __future__ import annotations

import json
import logging
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Container
from typing import Any, Literal, NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hybridsite.answers import NOTES
from hybridsite.news import stamp
from hybridsite.security import forwarded

_log = logging.getLogger("hybridsite.access")
_EVERY = 0.25  # seconds
# What is more than that in one moment is counted and left out: a log is no reason to stop, or to fill the memory.
_MOST = 50_000
# So much is written at once, in letters: less than a pipe takes in one piece, so that no worker writes amid another's.
_PIECE = 3500
_ID = re.compile(rb"[A-Za-z0-9._:@=+/-]{1,128}")


class Note(NamedTuple):
    """What is told of one request. `seconds` is from its head to the end of its answer, `cache` what X-Cache said."""

    moment: float
    id: str
    client: str | None
    method: str
    path: str
    version: str
    status: int
    size: int
    seconds: float
    session: bool
    cache: str | None

    def as_text(self) -> str:
        """Gives a line for people."""
        session = " session" if self.session else ""
        cache = f" {self.cache}" if self.cache else ""
        asked = f'"{self.method} {_printable(self.path)} HTTP/{self.version}" {self.status} {self.size}'
        return (
            f"{stamp(self.moment)} {self.client or '-'} {asked} {self.seconds * 1000:.1f}ms{session}{cache} {self.id}"
        )

    def as_json(self) -> str:
        """Gives an object in one line, for programs."""
        return as_object(
            "info",
            _log.name,
            self.moment,
            id=self.id,
            client=self.client,
            method=self.method,
            path=self.path,
            status=self.status,
            size=self.size,
            ms=round(self.seconds * 1000, 3),
            session=self.session,
            cache=self.cache,
        )


class Journal:
    """Notes requests, and writes what it noted four times a second, from a thread of its own.

    A request's name is that which a proxy of ours gave it by X-Request-ID, or a new one; the answer carries it.
    """

    def __init__(self, form: Literal["text", "json"], proxies: Container[str]) -> None:
        self._form = Note.as_json if form == "json" else Note.as_text
        self._proxies = proxies
        self._notes: deque[Note] = deque()
        self._left_out = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to write."""
        self._thread = threading.Thread(target=self._write_for_ever, name="journal", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Writes the rest."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5)
        self.write()

    async def noted(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Has a request answered, and notes it."""
        began, moment = time.perf_counter(), time.time()
        status, size, cache = 0, 0, None
        peer = scope["client"][0] if scope.get("client") else None
        name = self._name(scope, peer)
        notes: dict[str, Any] = {"id": name.decode("ascii")}
        scope[NOTES] = notes

        async def sending(message: Message) -> None:
            nonlocal status, size, cache
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), (b"x-request-id", name)]
                cache = next((value.decode("latin-1") for key, value in headers if key == b"x-cache"), None)
                message = {**message, "headers": headers}
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            await app(scope, receive, sending)
        finally:
            seconds = time.perf_counter() - began
            client = forwarded(scope["headers"], peer, self._proxies)[1] or peer
            note = Note(
                *(moment, name.decode("ascii"), client, scope["method"], scope["path"], scope["http_version"]),
                *(status, size, seconds, bool(notes.get("session")), cache),
            )
            if len(self._notes) < _MOST:
                self._notes.append(note)
            else:
                self._left_out += 1

    def _name(self, scope: Scope, peer: str | None) -> bytes:
        if peer in self._proxies:
            for key, value in scope["headers"]:
                if key == b"x-request-id" and _ID.fullmatch(value):
                    given: bytes = value
                    return given
        return secrets.token_hex(8).encode()

    def _write_for_ever(self) -> None:
        while not self._stop.wait(_EVERY):
            self.write()

    def write(self) -> None:
        """Writes what was noted so far, several lines as one record of the log."""
        notes = [self._notes.popleft() for _ in range(len(self._notes))]
        piece: list[str] = []
        for line in map(self._form, notes):
            if piece and sum(map(len, piece)) + len(line) > _PIECE:
                _log.info("%s", "\n".join(piece))
                piece = []
            piece.append(line)
        if piece:
            _log.info("%s", "\n".join(piece))
        left_out, self._left_out = self._left_out, 0
        if left_out:
            logging.getLogger("hybridsite").warning("%d requests were left out of the log", left_out)


class Seldom(logging.Filter):
    """Lets a warning that anybody can cause, by requests that are none, into the log once a minute, with a count."""

    EVERY = 60.0  # seconds
    MOST = 100  # what is remembered

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tells whether a record is written. All but warnings are."""
        if record.levelno != logging.WARNING:
            return True
        kind = str(record.msg)  # whatever address stands in it
        since, left_out = self._told.get(kind, (-self.EVERY, 0))
        if record.created - since < self.EVERY:
            self._told[kind] = (since, left_out + 1)
            return False
        if len(self._told) >= self.MOST:
            self._told.clear()
        self._told[kind] = (record.created, 0)
        if left_out:
            record.msg, record.args = f"{record.getMessage()} ({left_out:,} more since that was last told)", ()
        return True


class JsonFormatter(logging.Formatter):
    """Writes each record of the log as an object in one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Gives the line. A traceback is one of its values."""
        more = {"trace": self.formatException(record.exc_info)} if record.exc_info else {}
        return as_object(record.levelname.lower(), record.name, record.created, message=record.getMessage(), **more)


def as_object(level: str, logger: str, moment: float, /, **more: object) -> str:
    """Gives one line of the log in JSON."""
    return json.dumps({"time": stamp(moment), "level": level, "logger": logger, **more})


def _printable(text: str) -> str:
    """Gives a path without what would end a line, or fool a terminal."""
    return "".join(letter if letter.isprintable() and letter != '"' else f"\\x{ord(letter):02x}" for letter in text)
