"""uvicorn's protocol, with the limits that it lacks."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MOST_HEAD = 64 * 1024
"""How many bytes the head of a request may have: request line and headers."""

_LINGER = 2.0  # seconds


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
