"""Where each key of a TOML document stands, for errors that point at it.

`tomllib` gives positions of syntax errors only. The scan is for documents that `tomllib` has accepted, and only when
there is a fault to show. It imports nothing of hybridsite.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]
"""The way to a value: keys of tables, and indexes of arrays."""

_BLANK = re.compile(r"(?:[ \t\r\n]|\#[^\n]*)*+")
_KEY = re.compile(r"""[ \t]*(?:([A-Za-z0-9_-]+)|("(?:[^"\\\n]|\\.)*+")|'([^'\n]*)')[ \t]*""")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}'
    r"|'''(?:[^']|'(?!''))*+'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*+"'
    r"|'[^'\n]*+'",
    re.DOTALL,
)
_BARE = re.compile(r"[^,\]}#\n]+")


def key_positions(text: str) -> Mapping[KeyPath, tuple[int, int]]:
    """Gives line and column, both from 1, of each key and of each item of an array in `text`.

    `text` is a TOML document that parses, with LF at the ends of its lines. In one that doesn't parse, the keys up to
    the fault are given. A table that several headers name stands where the first of them names it. Raises nothing but
    RecursionError, for nesting that `tomllib` refuses as well.
    """
    scan = _Scan(text)
    scan.document()
    lines = _Lines(text)
    return {path: lines.place(offset) for path, offset in scan.offsets.items()}


class _Lines:
    """Turns offsets that only grow into lines and columns, each line counted once."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def place(self, offset: int) -> tuple[int, int]:
        """Gives the line and the column, both from 1, of `offset`."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


class _Scan:
    """One pass over a document, which notes the offset of each key."""

    def __init__(self, text: str) -> None:
        self.offsets: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._counts: dict[KeyPath, int] = {}  # how many tables an array of tables has so far

    def document(self) -> None:
        """Scans headers and assignments until the end, or until something that is neither."""
        table: KeyPath = ()
        while True:
            self._blank()
            before = self._at
            if self._text.startswith("[", self._at):
                table = self._header()
            elif self._at < len(self._text):
                self._assignment(table)
            if self._at == before:
                return

    def _blank(self) -> None:
        match = _BLANK.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _header(self) -> KeyPath:
        many = self._text.startswith("[[", self._at)
        self._at += 2 if many else 1
        path: KeyPath = ()
        parts = self._dotted()
        for number, (name, offset) in enumerate(parts, 1):
            path = (*path, name)
            self.offsets.setdefault(path, offset)
            if many and number == len(parts):
                self._counts[path] = self._counts.get(path, 0) + 1
            if path in self._counts:  # a header below an array of tables means its newest one
                path = (*path, self._counts[path] - 1)
                self.offsets.setdefault(path, offset)
        while self._text.startswith("]", self._at):
            self._at += 1
        return path

    def _dotted(self) -> list[tuple[str, int]]:
        parts = []
        while match := _KEY.match(self._text, self._at):
            bare, basic, literal = match.groups()
            offset = match.start(match.lastindex or 0) - (1 if literal is not None else 0)
            parts.append((_unquoted(basic) if basic else bare or literal or "", offset))
            self._at = match.end()
            if not self._text.startswith(".", self._at):
                break
            self._at += 1
        return parts

    def _assignment(self, table: KeyPath) -> None:
        path = table
        for name, offset in self._dotted():
            path = (*path, name)
            self.offsets.setdefault(path, offset)
        if self._text.startswith("=", self._at):
            self._at += 1
            self._value(path)

    def _value(self, path: KeyPath) -> None:
        self._blank()
        if self._text.startswith("[", self._at):
            self._array(path)
        elif self._text.startswith("{", self._at):
            self._inline_table(path)
        elif match := _STRING.match(self._text, self._at) or _BARE.match(self._text, self._at):
            self._at = match.end()

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while self._goes_on("]"):
            self.offsets.setdefault((*path, index), self._at)
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while self._goes_on("}"):
            self._assignment(path)

    def _goes_on(self, end: str) -> bool:
        """Steps over what stands between two items. False at the end of the list, and where the scan is lost."""
        self._blank()
        if self._text.startswith(",", self._at):
            self._at += 1
            self._blank()
        if self._text.startswith(end, self._at):
            self._at += 1
            return False
        return self._at < len(self._text) and self._text[self._at] not in ",]}="


def _unquoted(quoted: str) -> str:
    try:
        return str(tomllib.loads(f"key = {quoted}")["key"])
    except tomllib.TOMLDecodeError:  # only in a document that doesn't parse
        return quoted
