"""Vercel on this machine: the rules of .vercel/output/config.json, its files, and its function by Vercel's own runtime.

Run with nothing but the standard library: vercel_host.py OUTPUT PORT. The function is called by the handler that its
.vc-config.json names, which is `vc_handler` of vercel-runtime, the package that Vercel runs Python functions by. The
rules are read as https://vercel.com/docs/build-output-api/configuration#routes says.
"""

from __future__ import annotations

import base64
import importlib
import json
import mimetypes
import os
import re
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Answer = tuple[int, list[tuple[str, str]], bytes]
_NOT_FOUND: Answer = (404, [("Content-Type", "text/plain")], b"NOT_FOUND")


class Router:
    """Finds what answers a request."""

    def __init__(self, output: Path, function: Callable[..., Answer] | None) -> None:
        config = json.loads((output / "config.json").read_text("utf-8"))
        assert config["version"] == 3
        self.routes: list[dict[str, Any]] = config["routes"]
        self.overrides: dict[str, dict[str, str]] = config["overrides"]
        self.static = output / "static"
        self.function = function

    def answer(self, method: str, path: str, ask: Callable[[Callable[..., Answer]], Answer]) -> Answer:
        """Goes through the rules. A rule with `dest` is one that looks for a file, or the function, there."""
        headers: dict[str, str] = {}
        for number, route in enumerate(self.routes):
            if route.get("handle") == "filesystem":
                if found := self.file(path):
                    return self.given(200, found, headers)
                continue
            if route.get("handle") == "error":
                return self.error(number + 1, path, headers)
            match = re.match(route["src"], path, re.NOFLAG if route.get("caseSensitive") else re.IGNORECASE)
            if match is None:
                continue
            headers |= {name: _filled(value, match) for name, value in route.get("headers", {}).items()}
            if route.get("continue"):
                continue
            if route.get("dest") == "/_hybridsite" and self.function is not None:
                status, own, body = ask(self.function)
                names = {name.lower() for name, _ in own}
                return (
                    status,
                    own + [(name, value) for name, value in headers.items() if name.lower() not in names],
                    body,
                )
            if "dest" in route and (found := self.file(_filled(route["dest"], match))):
                return self.given(200, found, headers)
            if "status" in route:
                return route["status"], list(headers.items()), b""
        return _NOT_FOUND

    def error(self, first: int, path: str, headers: dict[str, str]) -> Answer:
        for route in self.routes[first:]:
            if re.match(route["src"], path) and (found := self.file(route["dest"])):
                return self.given(route["status"], found, headers)
        return _NOT_FOUND

    def file(self, path: str) -> Path | None:
        name = path.strip("/")
        if ".." in name.split("/"):
            return None
        for found in (self.static / name, self.static / name / "index.html"):
            if found.is_file():
                return found
        return None

    def given(self, status: int, file: Path, headers: dict[str, str]) -> Answer:
        name = file.relative_to(self.static).as_posix()
        kind = self.overrides.get(name, {}).get("contentType") or mimetypes.guess_type(name)[0] or "text/plain"
        known = {"Cache-Control": "public, max-age=0, must-revalidate"} | headers
        return status, [("Content-Type", kind), *known.items()], file.read_bytes()


def _filled(text: str, match: re.Match[str]) -> str:
    return re.sub(r"\$(\d)", lambda found: match[int(found[1])] or "", text)


def load_function(folder: Path) -> Callable[..., Answer]:
    """Loads a function as its .vc-config.json says."""
    config = json.loads((folder / ".vc-config.json").read_text("utf-8"))
    assert config["runtime"] == f"python{sys.version_info.major}.{sys.version_info.minor}"
    os.environ.update(config["environment"])
    os.chdir(folder)
    sys.path[:0] = [str(folder), str(folder / config["environment"]["PYTHONPATH"])]
    module, _, name = config["handler"].partition(".")
    handler = getattr(importlib.import_module(module), name)

    def ask(method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        payload = {
            "method": method,
            "path": target,
            "headers": headers,
            "body": base64.b64encode(body).decode(),
            "encoding": "base64",
        }
        given = handler({"Action": "Invoke", "body": json.dumps(payload)}, None)
        content = given["body"]
        body = base64.b64decode(content) if given.get("encoding") == "base64" else content.encode()
        pairs = [(name, value) for name, values in given["headers"].items() for value in values]
        return given["statusCode"], pairs, body

    return ask


def main(output: str, port: str) -> None:
    """Serves until it is killed."""
    folder = Path(output) / "functions/_hybridsite.func"
    router = Router(Path(output), load_function(folder) if folder.is_dir() else None)

    class Edge(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): ", ".join(self.headers.get_all(name) or []) for name in self.headers}
            headers |= {"x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "http"}
            answer = router.answer(
                self.command,
                self.path.partition("?")[0],
                lambda function: function(self.command, self.path, headers, body),
            )
            self.send_response_only(answer[0])
            for name, value in answer[1]:
                if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            self.send_header("Content-Length", str(len(answer[2])))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer[2])

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = handle_any

    ThreadingHTTPServer(("127.0.0.1", int(port)), Edge).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
