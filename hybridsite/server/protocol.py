"""uvicorn's protocol, with the limits that it lacks, and answers written at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import lru_cache
from itertools import islice
from typing import Any

import httptools
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

# How long a visitor may take, in seconds: for a head; for the next piece of a body, or to read some of an answer. A
# whole body has that time and what it takes at the slowest rate, in bytes a second: a bad line has ten times that.
HEAD_TIME = 10.0
STILL_TIME = 30.0
SLOWEST = 4096
_LINGER = 2.0
_LOOKED_AT = 64  # connections, where one has to make room
# What says how a body is framed, and when a connection ends: uvicorn's own way is taken for these.
_FRAMING = (b"content-length", b"transfer-encoding", b"connection")
# The longest header that is remembered, and how many are: most answers of a site have the same ones.
_SHORT = 256
_LINES = 512
# A longer body is not copied to be sent in one piece with its head.
_ONE_PIECE = 64 * 1024


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 over one connection. A request's head has an end: 431 beyond it (RFC 6585, 5); and so has its time.

    `most_head` and `most_connections` of uvicorn's settings, where they are there, say how much is taken.
    """

    _since = 0.0  # when the visitor last did what was waited for, by the loop's clock
    _body_since = 0.0
    _body_size = 0
    _unsent = 0  # bytes that the visitor hadn't read when that was last looked at
    _unsent_since = 0.0
    _in_head = False
    _chunk_size = 0
    _first_size = 0  # of the chunk in which the head began, perhaps behind the end of another request
    _head_size = 0  # of the chunks since, which are the head's alone
    _refused = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._most_head: int = getattr(self.config, "most_head", MOST_HEAD)
        self._most_connections: int | None = getattr(self.config, "most_connections", None)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Is called when a visitor has connected."""
        super().connection_made(transport)
        self._since = self.loop.time()
        if self._most_connections is not None and len(self.connections) > self._most_connections:
            self._make_room()

    def on_message_begin(self) -> None:
        """Is called by the parser at the first byte of a request."""
        super().on_message_begin()
        self._since = self.loop.time()
        self._in_head = True
        self._first_size = self._chunk_size
        self._head_size = 0

    def on_headers_complete(self) -> None:
        """Is called by the parser at the end of a head."""
        self._in_head = False
        if self._first_size + self._head_size > self._most_head and self._exact_size() > self._most_head:
            self._refuse()
            raise ValueError  # ends the parser's work on this chunk
        super().on_headers_complete()
        self._body_since, self._body_size = self._since, 0
        cycle: Any = self.cycle
        if cycle is not None:
            cycle.__class__ = Cycle  # before its task, which was made just now, has begun

    def data_received(self, data: bytes) -> None:
        """Takes what has arrived."""
        if self._refused:
            return
        if self._in_head:
            self._head_size += len(data)
            if self._head_size > self._most_head:
                self._refuse()
                return
        self._chunk_size = len(data)
        # As uvicorn has it, which would say of a head that is too large that it is no HTTP.
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            if not self._refused:
                self.logger.warning("a request from %s is no HTTP: answered 400", self._address)
                self.send_400_response("Invalid HTTP request received.")
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
            else:
                self._unsupported_upgrade_warning()

    def send_400_response(self, msg: str) -> None:
        """Answers a head that doesn't parse; not in the midst of another answer."""
        if self._is_answering():
            self.transport.close()
        else:
            super().send_400_response(msg)

    @property
    def _address(self) -> str:
        return self.client[0] if self.client else "nowhere"

    def _exact_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        """Is called by the parser with a piece of a body."""
        self._since = self.loop.time()
        self._body_size += len(body)
        super().on_body(body)

    def look(self, now: float) -> None:
        """Ends the connection where its visitor has stood still for too long. To be called about once a second."""
        cycle: Any = self.cycle
        if self._stands_unread(now):
            self.transport.abort()
        elif self._refused or self.transport.is_closing():
            return
        elif cycle is not None and cycle.more_body:
            self._look_at_body(cycle, now)
        elif self._is_answering() or (self.timeout_keep_alive_task is not None and not self._in_head):
            return  # it's our turn, or uvicorn looks after it
        elif now - self._since > HEAD_TIME:
            self._time_out()

    def _stands_unread(self, now: float) -> bool:
        """Tells whether the visitor has read nothing of what is there for him, for too long."""
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        return now - self._unsent_since > STILL_TIME

    def _look_at_body(self, cycle: Any, now: float) -> None:
        if self.flow.read_paused or cycle.waiting_for_100_continue:  # it is we who are waited for
            self._since, self._body_since, self._body_size = now, now, 0
        elif now - self._since > STILL_TIME or now - self._body_since > STILL_TIME + self._body_size / SLOWEST:
            self._time_out()

    @property
    def is_waiting(self) -> bool:
        """Whether there is no request, or not the whole head of one."""
        return not self._is_answering()

    def _make_room(self) -> None:
        """Ends a connection without a request: the oldest of the address that has most of them."""
        others = (other for other in self.connections if isinstance(other, Protocol) and other is not self)
        waiting = [*islice((other for other in others if other.is_waiting), _LOOKED_AT)]
        numbers = Counter(other.client and other.client[0] for other in waiting)
        victim = min(
            waiting, key=lambda other: (-numbers[other.client and other.client[0]], other._since), default=self
        )
        victim.transport.abort()

    def _time_out(self) -> None:
        cycle: Any = self.cycle
        is_begun = self._in_head or (cycle is not None and not cycle.response_complete)
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.abort()
                return
        if is_begun:
            self._end_with(408, b"the request took too long\n")
        else:
            self.transport.close()

    def _refuse(self) -> None:
        most = f"{self._most_head:,} bytes, [limits] headers"
        self.logger.warning("a request from %s has a head of over %s: answered 431", self._address, most)
        if self._is_answering():
            self._refused = True
            self.transport.close()
        else:
            self._end_with(431, b"the headers are too large\n")

    def _end_with(self, status: int, text: bytes) -> None:
        self._refused = True
        head = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + head % len(text) + text)
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
