"""The index of built files: what is given out is looked up by the URL as it was sent, never made from it."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from types import MappingProxyType

from starlette.responses import FileResponse, PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from hybridsite.answers import SAFE_HEADERS
from hybridsite.assets.table import IMMUTABLE
from hybridsite.given import ErrorFile, GivenFile
from hybridsite.manifest import CLIENT, BuiltFile, Manifest
from hybridsite.server.encoding import Coding, encode, wanted, worth_coding
from hybridsite.urls import UrlPolicy

# Bodies up to this size are kept in memory, until all of them reach the budget; the rest is read when asked for.
SMALL = 256 * 1024
BUDGET = 64 * 1024 * 1024

# RFC 9111, 5.2.2: caches may keep a page, and ask before each use whether it is still the same.
_CACHE_CONTROL = (b"cache-control", b"public, max-age=0, must-revalidate")
_VARY = (b"vary", b"Accept-Encoding")
_NO_BODY: Message = {"type": "http.response.body", "body": b""}
# RFC 9110, 14.1.1. Another unit, or what is no range at all, is passed over (14.2).
_RANGE = rb"(?:[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})"
_RANGES = re.compile(rb"bytes=%(one)b(?:[ \t]*,[ \t]*%(one)b)*" % {b"one": _RANGE}, re.IGNORECASE)

Header = tuple[bytes, bytes]


class Budget:
    """How many bytes of memory bodies may still take."""

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self, size: int) -> bool:
        """Takes `size` bytes, unless there are too few."""
        if size > self._left:
            return False
        self._left -= size
        return True


class Representation:
    """One form of a file, as it is or in a coding, with its messages made ahead."""

    __slots__ = ("body", "etag", "not_modified", "start")

    def __init__(self, headers: list[Header], etag: str, kind: str, size: int, body: bytes | None) -> None:
        self.etag = etag
        if all(name != b"etag" for name, _ in headers):
            headers = [*headers, (b"etag", etag.encode("ascii"))]
        described = [(b"content-type", kind.encode("latin-1")), (b"content-length", b"%d" % size)]
        self.start: Message = {"type": "http.response.start", "status": 200, "headers": [*described, *headers]}
        self.not_modified: Message = {"type": "http.response.start", "status": 304, "headers": headers}
        self.body: Message | None = None if body is None else {"type": "http.response.body", "body": body}


class StaticFile:
    """One built file. To send it is one start message and one body, where it is small or in a coding.

    A coding is made when a request first asks for it, in a thread, and kept while the budget allows.
    """

    def __init__(
        self, built: BuiltFile, path: Path, status: os.stat_result, budget: Budget, elsewhere: Path | None = None
    ) -> None:
        size = status.st_size
        own = [(name.encode("latin-1").lower(), value.encode("latin-1")) for name, value in built.headers]
        names = {name for name, _ in own}
        stamp = (b"last-modified", formatdate(int(status.st_mtime), usegmt=True).encode())
        codable = worth_coding(built.type, size) and not names & {b"content-encoding", b"vary", b"etag"}
        standard = [_CACHE_CONTROL, stamp, *SAFE_HEADERS, *([_VARY] if codable else [])]
        self._headers = [*own, *(pair for pair in standard if pair[0] not in names)]
        self.headers: Sequence[Header] = ((b"content-type", built.type.encode("latin-1")), *self._headers)
        self.guard = built.guard
        self._built = built
        self._path = path
        self.is_lasting = IMMUTABLE in built.headers
        self._elsewhere = elsewhere  # where a build keeps it that comes without it
        self._status = status
        self._codable = codable
        self._budget = budget
        self._codings: dict[Coding, asyncio.Task[Representation]] = {}
        body = path.read_bytes() if size <= SMALL and budget.take(size) else None
        self.is_streamed = body is None
        self._plain = Representation([(b"accept-ranges", b"bytes"), *self._headers], built.etag, built.type, size, body)

    async def opened(self) -> GivenFile:
        """Gives itself: its headers were made ahead."""
        return self

    async def is_replaced(self) -> bool:
        """Tells whether the file is another one by now, or gone."""
        try:
            return not self._is_same(self._path.stat())
        except OSError:
            return self._elsewhere is None or not self._elsewhere.exists()

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers GET and HEAD (RFC 9110: 12.5.3 Accept-Encoding, 13.1.2 and 13.1.3 conditions, 14.2 Range)."""
        none_match = modified_since = ranges = accepted = None
        for name, value in scope["headers"]:
            if name == b"accept-encoding":
                accepted = value if accepted is None else accepted + b"," + value
            elif name == b"if-none-match":
                none_match = value if none_match is None else none_match + b"," + value
            elif name == b"if-modified-since":
                modified_since = value
            elif name == b"range":
                ranges = value
        if scope["method"] == "HEAD" or (ranges is not None and not _are_ranges(ranges)):
            ranges = None
        form = self._plain
        if accepted is not None and self._codable and ranges is None and (coding := wanted(accepted)) is not None:
            form = await self._coded(coding)
        if (none_match or modified_since) and self._is_known(form, none_match, modified_since):
            await send(_own(form.not_modified))
            await send(_NO_BODY)
        elif scope["method"] == "HEAD":
            await send(_own(form.start))
            await send(_NO_BODY)
        elif form.body is not None and ranges is None:
            await send(_own(form.start))
            await send(form.body)
        else:
            await self._stream(scope if ranges else _without_range(scope), receive, send)

    async def _coded(self, coding: Coding) -> Representation:
        task = self._codings.get(coding)
        if task is None:
            # One thread works for all who wait; a visitor who leaves ends nobody else's wait.
            task = self._codings[coding] = asyncio.ensure_future(asyncio.to_thread(self._encode, coding))
        return task.result() if task.done() else await asyncio.shield(task)

    def _encode(self, coding: Coding) -> Representation:
        try:
            if self._plain.body is None and not self._is_same(self._path.stat()):
                return self._plain
            plain = self._plain.body["body"] if self._plain.body else self._path.read_bytes()
        except OSError:
            return self._plain
        body = encode(plain, coding)
        if len(body) >= len(plain) or not self._budget.take(len(body)):
            return self._plain
        etag = f'{self._built.etag[:-1]}-{coding}"'  # each form has a strong tag of its own (RFC 9110, 8.8.3.3)
        headers = [(b"content-encoding", coding.encode()), *self._headers]
        return Representation(headers, etag, self._built.type, len(body), body)

    def _is_known(self, form: Representation, none_match: bytes | None, modified_since: bytes | None) -> bool:
        if none_match is not None:
            tags = [tag.strip().removeprefix("W/") for tag in none_match.decode("latin-1").split(",")]
            return "*" in tags or form.etag in tags
        assert modified_since is not None
        try:
            moment = parsedate_to_datetime(modified_since.decode("latin-1")).timestamp()
        except (TypeError, ValueError, OverflowError):
            return False
        return moment >= int(self._status.st_mtime)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        text = {name.decode(): value.decode("latin-1") for name, value in self._plain.start["headers"]}
        del text["content-length"]
        try:
            path, status = await asyncio.to_thread(self._found)
        except FileNotFoundError:  # a newer build has come, without it
            await PlainTextResponse("Not Found", 404)(scope, receive, send)
            return
        if path == self._path and not self._is_same(status):
            del text["etag"], text["last-modified"]  # a newer build's file is told by what it is now

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 416:
                message["headers"] = [*message["headers"], *SAFE_HEADERS]
            await send(message)

        await FileResponse(path, headers=text, stat_result=status)(scope, receive, send_safely)

    def _found(self) -> tuple[Path, os.stat_result]:
        try:
            return self._path, self._path.stat()
        except FileNotFoundError:
            if self._elsewhere is None:
                raise
            return self._elsewhere, self._elsewhere.stat()

    def _is_same(self, status: os.stat_result) -> bool:
        return (status.st_size, status.st_mtime_ns) == (self._status.st_size, self._status.st_mtime_ns)


def _own(start: Message) -> Message:
    """Gives a request its own message: what wraps the application may add a visitor's headers to it."""
    return {**start, "headers": [*start["headers"]]}


def _are_ranges(ranges: bytes) -> bool:
    """Tells whether a Range header has the form of byte ranges, none of which ends before it begins."""
    if not _RANGES.fullmatch(ranges):
        return False
    pairs = (part.strip().split(b"-") for part in ranges.partition(b"=")[2].split(b","))
    return all(not first or not last or int(first) <= int(last) for first, last in pairs)


def _without_range(scope: Scope) -> Scope:
    return {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"range"]}


class FileIndex:
    """The built files by their URLs' paths, and the error pages by language and status.

    `files`, by bytes, are those that everybody may have; `built`, by text, has the guarded ones too.
    """

    def __init__(self, built: Mapping[str, StaticFile], errors: Mapping[str, Mapping[int, ErrorFile]]) -> None:
        self.built = built
        self.files = {url.encode("ascii"): file for url, file in built.items() if file.guard is None}
        self.errors = errors

    def segments(self, policy: UrlPolicy) -> Container[tuple[str, ...]]:
        """Gives the paths of the files that everybody may have."""
        return {policy.read(url).segments for url in self.files}

    @classmethod
    def load(
        cls,
        manifest: Manifest,
        dist: Path,
        earlier: Iterable[tuple[BuiltFile, Path]] = (),
        kept: Path | None = None,
        carried: Mapping[str, StaticFile] = MappingProxyType({}),
    ) -> FileIndex:
        """Reads the files of a build, the small ones into memory, up to the budget; and those of `earlier` builds.

        `kept` is the folder to which the next build will take what has a name of its own for ever; `carried` are such
        files that a server has still in memory.
        """
        files = {**carried}
        budget = Budget(BUDGET)
        for built, path in earlier:
            files[built.url] = StaticFile(built, path, path.stat(), Budget(0))
        for built in manifest.files:
            if built.file in manifest.error_pages:
                continue
            path = dist / built.place
            elsewhere = kept / built.file if kept is not None and IMMUTABLE in built.headers else None
            file = StaticFile(built, path, path.stat(), budget, elsewhere)
            files[built.url] = file
            if built.alias:
                files[built.alias] = file
        headers = {built.file: built.headers for built in manifest.files}
        errors = {
            locale: {
                status: ErrorFile((dist / CLIENT / name).read_bytes(), headers.get(name, ()))
                for status, name in own.items()
            }
            for locale, own in manifest.errors.items()
        }
        return cls(files, errors)
