"""TOML with its places: of what is no TOML, and of each key, for errors that point at it.

`tomllib` gives positions of syntax errors only, in its message. The scan for keys is for documents that `parse` has
accepted, and only when there is a place to show.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress

from hybridsite.documents import MAX_DEPTH, Lines, clause, place, too_deep

KeyPath = tuple[str | int, ...]
"""The way to a value: keys of tables, and indexes of arrays."""

# No group is repeated possessively here: Python up to 3.11.4 gets that wrong (python/cpython#106052).
_BLANK = re.compile(r"(?:[ \t\r\n]|\#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*(?:([A-Za-z0-9_-]+)|("(?:[^"\\\n]|\\.)*")|'([^'\n]*)')[ \t]*""")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*+'",
    re.DOTALL,
)
_BARE = re.compile(r"[^,\]}#\n]+")
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_LONG_NUMBER = re.compile(rf"{_STRING.pattern}|\#[^\n]*+|(\d[\d_]{{4000,}})", re.DOTALL)
_LONG_KEY = re.compile(rf"(?:\.[ \t]*+(?:[A-Za-z0-9_-]++|\"[^\"\n]*+\"|'[^'\n]*+')[ \t]*+){{{MAX_DEPTH}}}")


class TomlFault(ValueError):
    """A text is no TOML that hybridsite reads: `why` as a clause, `line` and `column` from 1."""

    def __init__(self, why: str, line: int, column: int) -> None:
        super().__init__(why)
        self.why = why
        self.line = line
        self.column = column


def parse(text: str) -> dict[str, object]:
    """Gives the values of a TOML document with LF at the ends of its lines. Raises TomlFault and nothing else."""
    try:
        if _LONG_KEY.search(text):  # tomllib would take time by the square of its length
            _Scan(text).document()
        values: dict[str, object] = tomllib.loads(text)
        if too_deep(values):
            raise RecursionError
    except _TooDeepError as deep:
        raise _nested(text, deep.offset) from None
    except RecursionError:
        raise _nested(text, _first_too_deep(text)) from None
    except ValueError as error:  # TOMLDecodeError, and integers that Python refuses for their length
        message = str(error)
        match = _PLACE.search(message)
        if match is not None:
            at = (int(match[1]), int(match[2])) if match[1] else place(text, len(text.rstrip()))
            raise TomlFault(clause(message[: match.start()]), *at) from None
        long = next((found.start() for found in _LONG_NUMBER.finditer(text) if found[1]), 0)
        raise TomlFault("a number has too many digits", *place(text, long)) from None
    return values


def _nested(text: str, offset: int) -> TomlFault:
    return TomlFault(f"it is nested too deep: {MAX_DEPTH} levels are the most", *place(text, offset))


def _first_too_deep(text: str) -> int:
    try:
        _Scan(text).document()
    except _TooDeepError as deep:
        return deep.offset
    return 0


class _TooDeepError(Exception):
    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


def key_positions(text: str) -> Mapping[KeyPath, tuple[int, int]]:
    """Gives line and column, both from 1, of each key and of each item of an array in `text`.

    `text` is a TOML document that `parse` accepts. In one that it doesn't, the keys up to the fault are given. A table
    that several headers name stands where the first of them names it.
    """
    scan = _Scan(text)
    with suppress(_TooDeepError):
        scan.document()
    lines = Lines(text)
    return {path: lines.place(offset) for path, offset in scan.offsets.items()}


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

    def _note(self, path: KeyPath, offset: int) -> None:
        if len(path) > MAX_DEPTH:
            raise _TooDeepError(offset)
        self.offsets.setdefault(path, offset)

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
            self._note(path, offset)
            if many and number == len(parts):
                self._counts[path] = self._counts.get(path, 0) + 1
            if path in self._counts:  # a header below an array of tables means its newest one
                path = (*path, self._counts[path] - 1)
                self._note(path, offset)
        while self._text.startswith("]", self._at):
            self._at += 1
        return path

    def _dotted(self) -> list[tuple[str, int]]:
        parts: list[tuple[str, int]] = []
        while match := _KEY.match(self._text, self._at):
            bare, basic, literal = match.groups()
            offset = match.start(match.lastindex or 0) - (1 if literal is not None else 0)
            if len(parts) == MAX_DEPTH:
                raise _TooDeepError(offset)
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
            self._note(path, offset)
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
            self._note((*path, index), self._at)
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        before = -1
        while self._goes_on("}") and self._at != before:  # it stands still in a document that doesn't parse
            before = self._at
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
