"""The index of built files: what is given out is looked up by the URL as it was sent, never made from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from hybridsite.manifest import BuiltFile, Manifest
from hybridsite.rendering import SAFE_HEADERS

# Bodies up to this size are kept in memory, until all of them reach the budget; the rest is read when asked for.
SMALL = 256 * 1024
BUDGET = 64 * 1024 * 1024

# RFC 9111, 5.2.2: caches may keep a page, and ask before each use whether it is still the same.
_CACHE_CONTROL = (b"cache-control", b"public, max-age=0, must-revalidate")


class StaticFile:
    """One built file, with its answers made ahead: to send it is one start message and one body."""

    __slots__ = ("_body", "_etag", "_head", "_headers", "_modified", "_not_modified", "_path", "_start")

    def __init__(self, built: BuiltFile, path: Path, body: bytes | None, modified: int, size: int) -> None:
        own = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in built.headers]
        names = {name.lower() for name, _ in own}
        stamp = formatdate(modified, usegmt=True).encode()
        standard = [_CACHE_CONTROL, (b"etag", built.etag.encode()), (b"last-modified", stamp), *SAFE_HEADERS]
        self._path = path
        self._etag = built.etag
        self._modified = modified
        self._headers = [*own, *(pair for pair in standard if pair[0] not in names)]
        described = [
            (b"content-type", built.type.encode("latin-1")),
            (b"content-length", str(size).encode()),
            (b"accept-ranges", b"bytes"),
        ]
        self._start = {"type": "http.response.start", "status": 200, "headers": [*described, *self._headers]}
        self._not_modified = {"type": "http.response.start", "status": 304, "headers": self._headers}
        self._head = {"type": "http.response.body", "body": b""}
        self._body = None if body is None else {"type": "http.response.body", "body": body}

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers GET and HEAD (RFC 9110: 13.1.2 If-None-Match, 13.1.3 If-Modified-Since, 14.2 Range)."""
        none_match = modified_since = None
        ranged = False
        for name, value in scope["headers"]:
            if name == b"if-none-match":
                none_match = value if none_match is None else none_match + b"," + value
            elif name == b"if-modified-since":
                modified_since = value
            elif name == b"range":
                ranged = True
        if (none_match or modified_since) and self._is_known(none_match, modified_since):
            await send(self._not_modified)
            await send(self._head)
        elif scope["method"] == "HEAD":
            await send(self._start)
            await send(self._head)
        elif self._body is not None and not ranged:
            await send(self._start)
            await send(self._body)
        else:
            await self._stream(scope, receive, send)

    def _is_known(self, none_match: bytes | None, modified_since: bytes | None) -> bool:
        if none_match is not None:
            tags = [tag.strip().removeprefix("W/") for tag in none_match.decode("latin-1").split(",")]
            return "*" in tags or self._etag in tags
        assert modified_since is not None
        try:
            return parsedate_to_datetime(modified_since.decode("latin-1")).timestamp() >= self._modified
        except (TypeError, ValueError, OverflowError):
            return False

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(self._start["headers"])  # type: ignore[call-overload]
        text = {name.decode(): value.decode("latin-1") for name, value in headers.items() if name != b"content-length"}
        await FileResponse(self._path, headers=text)(scope, receive, send)


class FileIndex:
    """All built files by the bytes of their URLs' paths, and the error pages by status."""

    def __init__(self, files: Mapping[bytes, StaticFile], errors: Mapping[int, bytes]) -> None:
        self.files = files
        self.errors = errors

    @classmethod
    def load(cls, manifest: Manifest, client: Path) -> FileIndex:
        """Reads the files of a build: the small ones into memory, up to the budget."""
        files: dict[bytes, StaticFile] = {}
        budget = BUDGET
        for built in _ordered(manifest.files, manifest.errors):
            path = client / built.file
            status = path.stat()
            body = path.read_bytes() if status.st_size <= min(SMALL, budget) else None
            budget -= len(body or b"")
            file = StaticFile(built, path, body, int(status.st_mtime), status.st_size)
            files[built.url.encode("ascii")] = file
            if built.alias:
                files[built.alias.encode("ascii")] = file
        return cls(files, {status: (client / name).read_bytes() for status, name in manifest.errors.items()})


def _ordered(files: Iterable[BuiltFile], errors: Mapping[int, str]) -> list[BuiltFile]:
    pages = set(errors.values())
    return [file for file in files if file.file not in pages]


Message = dict[str, Any]
