"""uvicorn's protocol, with the limits that it lacks, and answers written at once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

MOST_HEAD = 64 * 1024
"""How many bytes the head of a request may have: request line and headers."""

_LINGER = 2.0  # seconds
# What says how a body is framed, and when a connection ends: uvicorn's own way is taken for these.
_FRAMING = (b"content-length", b"transfer-encoding", b"connection")
# The longest header that is remembered, and how many are: most answers of a site have the same ones.
_SHORT = 256
_LINES = 512
# A longer body is not copied to be sent in one piece with its head.
_ONE_PIECE = 64 * 1024


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 over one connection. A request's head has an end: 431 beyond it (RFC 6585, 5)."""

    _in_head = False
    _chunk_size = 0
    _first_size = 0  # of the chunk in which the head began, perhaps behind the end of another request
    _head_size = 0  # of the chunks since, which are the head's alone
    _refused = False

    def on_message_begin(self) -> None:
        """Is called by the parser at the first byte of a request."""
        super().on_message_begin()
        self._in_head = True
        self._first_size = self._chunk_size
        self._head_size = 0

    def on_headers_complete(self) -> None:
        """Is called by the parser at the end of a head."""
        self._in_head = False
        if self._first_size + self._head_size > MOST_HEAD and self._exact_size() > MOST_HEAD:
            self._refuse()
            raise ValueError  # ends the parser's work on this chunk
        super().on_headers_complete()
        cycle: Any = self.cycle
        if cycle is not None:
            cycle.__class__ = Cycle  # before its task, which was made just now, has begun

    def data_received(self, data: bytes) -> None:
        """Takes what has arrived."""
        if self._refused:
            return
        if self._in_head:
            self._head_size += len(data)
            if self._head_size > MOST_HEAD:
                self._refuse()
                return
        self._chunk_size = len(data)
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Answers a head that doesn't parse; not in the midst of another answer."""
        if self._refused:
            return
        if self._is_answering():
            self.transport.close()
        else:
            super().send_400_response(msg)

    def _exact_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _refuse(self) -> None:
        self._refused = True
        if self._is_answering():
            self.transport.close()
            return
        text = b"the headers are too large\n"
        head = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[431] + head % len(text) + text)
        # Closed at once, with bytes of the request unread, the line would be reset, and the answer lost with it.
        self.transport.write_eof()
        self.loop.call_later(_LINGER, self.transport.close)

    def _is_answering(self) -> bool:
        cycle: Any = self.cycle  # None before the first request, whatever uvicorn's types say
        return cycle is not None and not cycle.response_complete


class Cycle(RequestResponseCycle):
    """One request and its answer. A whole answer of known length is written at once, its headers checked once.

    That is what nearly every answer is. All others, and all that isn't said here, go uvicorn's own way.
    """

    _waiting: Message | None = None  # the start of an answer of known length

    async def send(self, message: Message) -> None:  # type: ignore[override]
        """Takes a message of the application."""
        if not self.response_started and _has_length(message):
            self._waiting = message
            return
        start, self._waiting = self._waiting, None
        if start is not None:
            if message["type"] == "http.response.body" and self._send_at_once(start, message):
                return
            await super().send(start)  # type: ignore[arg-type]
        await super().send(message)  # type: ignore[arg-type]

    def _send_at_once(self, start: Message, end: Message) -> bool:
        """Writes a whole answer. False, and nothing written, where there is more to it than that."""
        body = end.get("body", b"")
        if end.get("more_body") or not self.keep_alive or self.access_log or len(body) > _ONE_PIECE:
            return False
        if self.flow.write_paused or self.disconnected or self.scope["method"] == "HEAD":
            return False
        length = (b"content-length", b"%d" % len(body))
        lengths = 0
        parts = [STATUS_LINE[start["status"]]]
        for pair in (*self.default_headers, *start["headers"]):
            if pair == length:
                lengths += 1
                parts += (b"content-length: ", length[1], b"\r\n")
            elif (line := (_line if len(pair[1]) <= _SHORT else _line.__wrapped__)(*pair)) is not None:
                parts.append(line)
            else:
                return False
        if lengths != 1:
            return False
        parts += (b"\r\n", body)
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(b"".join(parts))
        self.message_event.set()
        self.on_response()
        return True


def _has_length(message: Message) -> bool:
    return message["type"] == "http.response.start" and any(
        name == b"content-length" for name, _ in message.get("headers", ())
    )


@lru_cache(maxsize=_LINES)
def _line(name: bytes, value: bytes) -> bytes | None:
    """Gives the line of a header; None for one that has to be understood. Raises RuntimeError as uvicorn does."""
    if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
        raise RuntimeError(f"the header {name!r} can't be sent")
    name = name.lower()
    return None if name in _FRAMING else b"%b: %b\r\n" % (name, value)
