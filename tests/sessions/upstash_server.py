"""Upstash's REST protocol in front of a real Redis: a command as a JSON list in, its result as JSON out.

https://upstash.com/docs/redis/features/restapi
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import redis

TOKEN = "the token of these tests"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if (trouble := self.server.trouble) is not None:
            self.answer(502, trouble)
            return
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.answer(401, json.dumps({"error": "WRONGPASS invalid or missing auth token"}).encode())
            return
        try:
            result = self.server.redis.execute_command(*json.loads(body))
        except redis.RedisError as error:
            self.answer(400, json.dumps({"error": f"ERR {error}"}).encode())
            return
        encode = self.headers["Upstash-Encoding"] == "base64"
        self.answer(200, json.dumps({"result": plain(result, encode)}).encode())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


def plain(result: Any, encode: bool) -> Any:
    if isinstance(result, bytes):
        return base64.b64encode(result).decode() if encode else result.decode()
    if isinstance(result, list | tuple):
        return [plain(each, encode) for each in result]
    return result


class Server(ThreadingHTTPServer):
    daemon_threads = True
    trouble: bytes | None = None  # what is answered in the database's place

    def __init__(self, url: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.redis: Any = redis.Redis.from_url(url, protocol=2)
        self.redis.response_callbacks.clear()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def upstash(url: str) -> Iterator[Server]:
    """Serves the Redis at `url`."""
    with Server(url) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            server.redis.close()
