"""A text file of the site: read as UTF-8, taken apart into front matter and body, with the true line of each."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from hybridsite.documents import place
from hybridsite.errors import FrontMatterError, Location, SourceError
from hybridsite.frozen import frozen
from hybridsite.inheritance import inherited, signature
from hybridsite.plain_yaml import read_plain
from hybridsite.toml_positions import TomlFault, key_positions
from hybridsite.toml_positions import parse as parse_toml

MAX_FILE = 10_000_000
"""The size in bytes from which on a file is refused."""
MAX_FRONT_MATTER = 1_000_000
"""The size in characters from which on front matter is refused."""

_FENCES = {"---": re.compile(r"^---[ \t]*$", re.MULTILINE), "+++": re.compile(r"^\+\+\+[ \t]*$", re.MULTILINE)}
# The same in a file's bytes, where the end of a line may have any of its three forms, and has to be seen to be one.
_HEAD_FENCES = {
    b"---": re.compile(rb"(?<=[\r\n])---[ \t]*[\r\n]"),
    b"+++": re.compile(rb"(?<=[\r\n])\+\+\+[ \t]*[\r\n]"),
}
_MARK = b"\xef\xbb\xbf"
_CHUNK = 8192
_NOT_TEXT = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]"


@dataclass(frozen=True, slots=True)
class Source:
    """A text file of the site, taken apart.

    `file` is relative to the site's root, with forward slashes. `text` is the whole file, `body` what follows the front
    matter, and `body_line` the line of the file on which the body begins. `front_matter` can't be changed; `positions`
    has the line and the column of each of its keys.
    """

    file: str
    text: str
    front_matter: Mapping[str, object]
    body: str
    body_line: int
    positions: Mapping[str, tuple[int, int]]

    def location(self, key: str | None = None) -> Location:
        """Gives the place of a key of the front matter: line 1 where it isn't there, the file alone for None."""
        return Location(self.file) if key is None else Location(self.file, *self.positions.get(key, (1, 0)))

    def __reduce__(self) -> tuple[Callable[[str, str], Source], tuple[str, str]]:
        """Lets a source travel to another process as its text: read-only mappings can't be pickled."""
        return parse, (self.text, self.file)


def read_text(path: Path, shown: str) -> str:
    """Reads a file as UTF-8, without byte order mark, with LF at the ends of its lines.

    `shown` is the file's name in errors. Raises SourceError, with line and column where a byte is at fault, when the
    file is missing, is no file, can't be read, is over 10 MB, isn't UTF-8 or holds a NUL.
    """
    data = _read(path, shown, MAX_FILE)
    if len(data) > MAX_FILE:
        raise SourceError(
            f"the file is over {MAX_FILE // 1_000_000} MB",
            mend="put large files into public/, which is copied as it is",
            location=Location(shown),
        )
    return _decoded(data, shown)


def _read(path: Path, shown: str, most: int, enough: Callable[[bytearray], bool] | None = None) -> bytearray:
    """Reads a file up to its end, or until it is over `most` bytes, or until `enough` says so after some of it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would be waited for
    except FileNotFoundError:
        raise SourceError("there is no such file", location=Location(shown)) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _unreadable(path, error, shown) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise SourceError("this is no file", location=Location(shown))
        chunk = _CHUNK if enough is not None else min(status.st_size, most) + 1
        data = bytearray()
        while len(data) <= most and (part := os.read(descriptor, chunk)):
            data += part
            if enough is not None and enough(data):
                break
        return data
    except OSError as error:
        raise _unreadable(path, error, shown) from None
    finally:
        os.close(descriptor)


def _unreadable(path: Path, error: OSError | ValueError, shown: str) -> SourceError:
    if getattr(error, "errno", None) == errno.ENXIO and not path.is_file():  # a socket can't be opened
        return SourceError("this is no file", location=Location(shown))
    reason = getattr(error, "strerror", None) or str(error)
    return SourceError("the file can't be read", why=reason.lower(), location=Location(shown))


def _decoded(data: bytearray, shown: str) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            why = "it looks like UTF-16"
        else:
            why = f"byte 0x{data[error.start]:02x} can't stand there"
        before = _with_plain_newlines(data[: error.start].decode("utf-8"))
        raise SourceError(
            "the file isn't text in UTF-8",
            why=why,
            mend="save it as UTF-8, or put it into public/ where it is no text",
            location=Location(shown, *place(before, len(before))),
        ) from None
    text = _with_plain_newlines(text)
    nul = text.find("\0")
    if nul >= 0:
        raise SourceError(
            "the file holds a NUL, so it is no text",
            mend="save it as UTF-8",
            location=Location(shown, *place(text, nul)),
        )
    return text


def _with_plain_newlines(text: str) -> str:
    # Jinja and YAML count a lone CR as the end of a line, so every line number needs it to be one here.
    text = text.removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def load(path: Path, file: str) -> Source:
    """Reads and parses a file, which errors call `file`. Raises SourceError and FrontMatterError."""
    return inherited("source", file, (path, signature(path)), lambda: parse(read_text(path, file), file))


def load_head(path: Path, file: str) -> Source:
    """Reads the front matter of a file alone: the text and the body of what it gives end there.

    Raises SourceError and FrontMatterError as `load` does, for what stands up to there.
    """
    searched = 3

    def is_whole(head: bytearray) -> bool:
        """Tells whether the front matter has ended, or there is none, which leaves nothing."""
        nonlocal searched
        start = 3 if head.startswith(_MARK) else 0
        fence = _HEAD_FENCES.get(bytes(head[start : start + 3]))
        if fence is None:
            head.clear()
            return True
        closing = fence.search(head, searched)
        if closing is not None:
            del head[closing.end() :]
        searched = max(len(head) - _CHUNK, 3)  # a fence with its line ends may lie across two chunks
        return closing is not None

    # What is larger, or has no end, `parse` tells.
    return parse(_decoded(_read(path, file, 4 * MAX_FRONT_MATTER, is_whole), file), file)


def load_body(path: Path, file: str) -> tuple[str, int]:
    """Reads what follows the front matter of a file, and gives it with its first line. Raises as `load` does."""
    _, _, body, line = split(read_text(path, file), file)
    return body, line


def parse(text: str, file: str) -> Source:
    """Takes a file's text apart into front matter and body. `file` is its name in errors.

    Front matter is YAML between lines of `---`, or TOML between lines of `+++`, and begins on the first line; a fence
    further down is part of the body. Raises FrontMatterError with the line and column in the file.
    """
    text = _with_plain_newlines(text)
    fence, block, body, body_line = split(text, file)
    if not fence:
        return Source(file, text, MappingProxyType({}), text, 1, MappingProxyType({}))
    values, positions = (_yaml if fence == "---" else _toml)(block, file)
    shared = MappingProxyType({key: frozen(value) for key, value in values.items()})
    return Source(file, text, shared, body, body_line, MappingProxyType(positions))


def split(text: str, file: str) -> tuple[str, str, str, int]:
    """Gives the fence, the block between the two, the body, and its line. There is no fence where the text has none."""
    fence = text[:3]
    pattern = _FENCES.get(fence)
    opening = pattern.match(text) if pattern else None
    if pattern is None or opening is None:
        return "", "", text, 1
    start = opening.end() + 1
    closing = pattern.search(text, start)
    if closing is None:
        raise FrontMatterError(
            f"the front matter that begins with {fence} never ends",
            mend=f"close it with a line {fence}, or put a blank line first where a rule is meant",
            location=Location(file, 1, 1),
        )
    block = text[start : closing.start()]
    if len(block) > MAX_FRONT_MATTER:
        raise FrontMatterError(
            f"the front matter is over {MAX_FRONT_MATTER // 1_000_000} MB",
            mend="put the data into data/ or content/",
            location=Location(file, 1, 1),
        )
    return fence, block, text[closing.end() + 1 :], block.count("\n") + 3


def _toml(block: str, file: str) -> tuple[dict[str, object], dict[str, tuple[int, int]]]:
    try:
        values = parse_toml(block)
    except TomlFault as fault:
        place = Location(file, fault.line + 1, fault.column)  # the fence is line 1
        raise FrontMatterError("the front matter is no valid TOML", why=fault.why, location=place) from None
    positions = key_positions(block)
    return values, {str(path[0]): (line + 1, column) for path, (line, column) in positions.items() if len(path) == 1}


def _yaml(block: str, file: str) -> tuple[dict[str, object], dict[str, tuple[int, int]]]:
    plain = read_plain(block, line=2)
    if plain is not None:
        return plain
    from hybridsite.yamldoc import Part, read_mapping

    return read_mapping(Part(block, file, "the front matter", FrontMatterError, line=2))


def excerpt(text: str, line: int, around: int = 2) -> str:
    """Gives the lines around `line` (from 1) with their numbers and a marker; nothing where the text has no such line.

    Long lines are cut, and characters that would command a terminal are replaced.
    """
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        return ""
    first, last = max(1, line - around), min(len(lines), line + around)
    width = len(str(last))
    shown = []
    for number in range(first, last + 1):
        content = re.sub(_NOT_TEXT, "\ufffd", lines[number - 1].expandtabs(4))
        content = content if len(content) <= 160 else content[:159] + "…"
        marker = ">" if number == line else " "
        shown.append(f"{marker} {number:>{width}} | {content}".rstrip())
    return "\n".join(shown)
