"""A text file of the site: read as UTF-8, taken apart into front matter and body, with the true line of each."""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import yaml
from yaml.constructor import ConstructorError
from yaml.error import Mark, MarkedYAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import Reader, ReaderError

from hybridsite.errors import FrontMatterError, Location, SourceError

MAX_FILE = 10_000_000
"""The size in bytes from which on a file is refused."""
MAX_FRONT_MATTER = 1_000_000
"""The size in characters from which on front matter is refused."""
MAX_ALIASES = 100
MAX_NODES = 100_000
"""How many values YAML may stand for once each alias is written out."""
MAX_DEPTH = 100

_FENCES = {"---": re.compile(r"^---[ \t]*$", re.MULTILINE), "+++": re.compile(r"^\+\+\+[ \t]*$", re.MULTILINE)}
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_STANDARD_TAG = "tag:yaml.org,2002:"
_NOT_TEXT = re.compile(r"[^\t\n\x20-\U0010ffff]|[\x7f-\x9f\ud800-\udfff]")
_BASE: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Source:
    """A text file of the site, taken apart.

    `file` is relative to the site's root, with forward slashes. `text` is the whole file, `body` what follows the front
    matter, and `body_line` the line of the file on which the body begins. `front_matter` can't be changed; `positions`
    has the line of each of its keys.
    """

    file: str
    text: str
    front_matter: Mapping[str, object]
    body: str
    body_line: int
    positions: Mapping[str, int]

    def padded_body(self) -> str:
        """Gives the body with blank lines in place of the front matter, so that line numbers in it are the file's."""
        return "\n" * (self.body_line - 1) + self.body

    def location(self, key: str | None = None) -> Location:
        """Gives the place of a key of the front matter: line 1 where it isn't there, the file alone for None."""
        return Location(self.file) if key is None else Location(self.file, self.positions.get(key, 1))

    def __reduce__(self) -> tuple[Callable[[str, str], Source], tuple[str, str]]:
        """Lets a source travel to another process as its text: read-only mappings can't be pickled."""
        return parse, (self.text, self.file)


def read_text(path: Path, shown: str) -> str:
    """Reads a file as UTF-8, without byte order mark, with LF at the ends of its lines.

    `shown` is the file's name in errors. Raises SourceError, with line and column where a byte is at fault, when the
    file is missing, is no file, can't be read, is over 10 MB, isn't UTF-8 or holds a NUL.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise SourceError("this is no file", location=Location(shown))
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        raise SourceError("there is no such file", location=Location(shown)) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError("the file can't be read", why=reason.lower(), location=Location(shown)) from None
    if len(data) > MAX_FILE:
        raise SourceError(
            f"the file is over {MAX_FILE // 1_000_000} MB",
            mend="put large files into public/, which is copied as it is",
            location=Location(shown),
        )
    return _decoded(data, shown)


def _decoded(data: bytes, shown: str) -> str:
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
            mend="save it as UTF-8",
            location=_place(shown, before, len(before)),
        ) from None
    text = _with_plain_newlines(text)
    nul = text.find("\0")
    if nul >= 0:
        raise SourceError(
            "the file holds a NUL, so it is no text", mend="save it as UTF-8", location=_place(shown, text, nul)
        )
    return text


def _with_plain_newlines(text: str) -> str:
    # Jinja and YAML count a lone CR as the end of a line, so every line number needs it to be one here.
    text = text.removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _place(file: str, text: str, offset: int) -> Location:
    return Location(file, text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def load(path: Path, file: str) -> Source:
    """Reads and parses a file, which errors call `file`. Raises SourceError and FrontMatterError."""
    return parse(read_text(path, file), file)


def parse(text: str, file: str) -> Source:
    """Takes a file's text apart into front matter and body. `file` is its name in errors.

    Front matter is YAML between lines of `---`, or TOML between lines of `+++`, and begins on the first line; a fence
    further down is part of the body. Raises FrontMatterError with the line and column in the file.
    """
    text = _with_plain_newlines(text)
    fence = text[:3]
    pattern = _FENCES.get(fence)
    opening = pattern.match(text) if pattern else None
    if pattern is None or opening is None:
        return Source(file, text, MappingProxyType({}), text, 1, MappingProxyType({}))
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
    values, positions = (_yaml if fence == "---" else _toml)(block, file)
    body_line = block.count("\n") + 3
    body = text[closing.end() + 1 :]
    return Source(file, text, MappingProxyType(values), body, body_line, MappingProxyType(positions))


# ---- TOML


def _toml(block: str, file: str) -> tuple[dict[str, object], dict[str, int]]:
    from hybridsite.toml_positions import key_positions

    try:
        values: dict[str, object] = tomllib.loads(block)
        positions = key_positions(block)
    except RecursionError:
        raise _too_deep(Location(file, 2)) from None
    except ValueError as error:  # TOMLDecodeError, and integers that Python refuses for their length
        match = _TOML_PLACE.search(str(error))
        place = _place(file, block, len(block))
        if match and match[1]:
            place = Location(file, int(match[1]), int(match[2]))
        what = "the front matter isn't TOML"
        why = _TOML_PLACE.sub("", str(error))
        raise FrontMatterError(what, why=_clause(why), location=_one_further(place)) from None
    return values, {str(path[0]): line + 1 for path, (line, _) in positions.items() if len(path) == 1}


def _one_further(place: Location) -> Location:
    """Moves a place in the block to the file's, where the fence is line 1."""
    return Location(place.file, place.line + 1, place.column)


def _clause(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


def _too_deep(location: Location) -> FrontMatterError:
    return FrontMatterError(
        "the front matter is nested too deep", why=f"{MAX_DEPTH} levels are the most", location=location
    )


# ---- YAML


def _yaml(block: str, file: str) -> tuple[dict[str, object], dict[str, int]]:
    def place(offset: int) -> Location:
        return _one_further(_place(file, block, offset))

    try:
        # One pass of the C parser gives the nodes, which know their places; the values are made from the same nodes.
        loader = _BASE(block)
        root = loader.get_single_node()
        if root is None:
            return {}, {}
        positions = _checked(root, place)
        values: dict[str, object] = _constructed(loader, root, place)
    except MarkedYAMLError as error:
        raise _yaml_fault(error, block, place) from None
    except (ReaderError, UnicodeEncodeError):
        bad = _NOT_TEXT.search(block) or re.search(Reader.NON_PRINTABLE, block)
        raise FrontMatterError(
            "the front matter holds a character that YAML allows in no text",
            why=f"it is U+{ord(bad[0]):04X}" if bad else "",
            mend='write it as an escape in double quotes, such as "\\u0001"',
            location=place(bad.start() if bad else 0),
        ) from None
    except RecursionError:
        raise _too_deep(place(0)) from None
    return values, positions


def _checked(root: Node, place: Callable[[int], Location]) -> dict[str, int]:
    """Gives the line of each key; refuses, before any value is made, too many nodes, too deep ones and doubled keys."""
    if not isinstance(root, MappingNode):
        raise FrontMatterError(
            "the front matter is no mapping of keys to values",
            mend='write lines such as "title: About"',
            location=place(_offset(root)),
        )
    _weighed(root, place)
    positions = {}
    for key, _ in root.value:
        if key.tag == "tag:yaml.org,2002:str":
            positions[key.value] = key.start_mark.line + 2  # counted from 0, and below the opening line
        elif key.tag != "tag:yaml.org,2002:merge":
            written = f'"{key.value}"' if isinstance(key, ScalarNode) else "a list or a mapping"
            kind = key.tag.removeprefix(_STANDARD_TAG)
            raise FrontMatterError(
                f"the key {written} is no text",
                why=f"YAML reads it as {kind}" if isinstance(key, ScalarNode) else "",
                mend="put it in quotes",
                location=place(_offset(key)),
            )
    return positions


def _weighed(root: Node, place: Callable[[int], Location]) -> None:
    """Raises FrontMatterError for doubled keys, for nesting, and for aliases that refer to themselves or explode."""
    sizes: dict[int, int] = {}  # by node: how many values it stands for, its aliases written out; 0 while it is open
    aliases = 0

    def weigh(node: Node, depth: int) -> int:
        nonlocal aliases
        if isinstance(node, ScalarNode):
            return 1
        known = sizes.get(id(node))
        if known is not None:
            aliases += 1
            if known == 0:
                raise FrontMatterError("an alias in the front matter refers to itself", location=place(_offset(node)))
            if aliases > MAX_ALIASES:
                what = f"the front matter has over {MAX_ALIASES} aliases"
                raise FrontMatterError(what, mend="write the values out", location=place(_offset(node)))
            return known
        if depth > MAX_DEPTH:
            raise _too_deep(place(_offset(node)))
        sizes[id(node)] = 0
        size = 1
        for child in _children(node, place):
            size += weigh(child, depth + 1)
            if size > MAX_NODES:
                raise FrontMatterError(
                    "the front matter explodes",
                    why=f"its aliases stand for over {MAX_NODES} values",
                    mend="write the values out",
                    location=place(_offset(child)),
                )
        sizes[id(node)] = size
        return size

    weigh(root, 1)


def _children(node: Node, place: Callable[[int], Location]) -> Iterator[Node]:
    if isinstance(node, SequenceNode):
        yield from node.value
        return
    seen: dict[tuple[str, str], Node] = {}
    for key, value in node.value:
        if isinstance(key, ScalarNode):
            first = seen.setdefault((key.tag, key.value), key)
            if first is not key:
                raise FrontMatterError(
                    f'the key "{key.value}" stands twice',
                    why=f"it is on line {place(_offset(first)).line} already",
                    location=place(_offset(key)),
                )
        yield key
        yield value


def _offset(node: Node) -> int:
    # The mark's line would be wrong after U+2028 and its like, which are line ends to YAML alone.
    mark: Mark = node.start_mark
    return mark.index


def _constructed(
    loader: yaml.SafeLoader | yaml.CSafeLoader, root: Node, place: Callable[[int], Location]
) -> dict[str, object]:
    try:
        values: dict[str, object] = loader.construct_document(root)
    except (ValueError, LookupError, ArithmeticError, AttributeError, TypeError) as error:
        # PyYAML lets these through without a place, as for the date 2026-13-45: the value that raises again is it.
        for node in _scalars(root, set()):
            try:
                loader.construct_document(node)
            except (ValueError, LookupError, ArithmeticError, AttributeError, TypeError):
                kind = node.tag.removeprefix(_STANDARD_TAG)
                raise FrontMatterError(
                    f'"{_short(node.value)}" is no {kind}',
                    why=_clause(str(error)) if kind == "timestamp" else "",
                    mend="put it in quotes where text is meant",
                    location=place(_offset(node)),
                ) from None
        raise FrontMatterError("the front matter can't be read", why=str(error), location=place(0)) from None
    return values


def _scalars(node: Node, seen: set[int]) -> Iterator[ScalarNode]:
    if isinstance(node, ScalarNode):
        yield node
    elif id(node) not in seen:
        seen.add(id(node))
        for child in node.value:
            for part in child if isinstance(child, tuple) else (child,):
                yield from _scalars(part, seen)


def _yaml_fault(error: MarkedYAMLError, block: str, place: Callable[[int], Location]) -> FrontMatterError:
    mark = error.problem_mark or error.context_mark
    offset = mark.index if mark is not None else 0
    problem = error.problem or error.context or "it doesn't parse"
    what, mend = "the front matter isn't YAML", ""
    tag = re.search(r"for the tag '(.*)'", problem, re.DOTALL)
    if isinstance(error, ConstructorError) and tag:
        name = tag[1].replace(_STANDARD_TAG, "!!")
        what, problem = f"the tag {_short(name)} builds an object", "front matter holds plain values only"
        mend = "take the tag away"
    elif "\t" in block and (
        "tab" in problem or block[offset : offset + 1] == "\t" or "cannot start any token" in problem
    ):
        offset = offset if block[offset : offset + 1] == "\t" else max(block.find("\t", offset), offset)
        problem, mend = "there is a tab", "indent with spaces"
    elif "nesting depth" in problem:
        return _too_deep(place(offset))
    elif "mapping values are not allowed" in problem:
        mend = "put a value that holds a colon in quotes"
    return FrontMatterError(what, why=_clause(problem), mend=mend, location=place(offset))


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


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
        content = _NOT_TEXT.sub("\ufffd", lines[number - 1].expandtabs(4))
        content = content if len(content) <= 160 else content[:159] + "…"
        marker = ">" if number == line else " "
        shown.append(f"{marker} {number:>{width}} | {content}".rstrip())
    return "\n".join(shown)
