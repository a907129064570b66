"""YAML of a site's author, in front matter and in data/: plain values only, and every fault at its place.

What could harm is refused before a value is made: tags that build objects, keys that stand twice, nesting without end,
aliases that refer to themselves or explode.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml
from yaml.constructor import ConstructorError
from yaml.error import Mark, MarkedYAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import Reader, ReaderError

from hybridsite.documents import MAX_DEPTH, Lines, clause, place
from hybridsite.errors import Location, SiteError

MAX_MORE = 100_000
"""How many values aliases may stand for beyond those that are written down."""

_STANDARD_TAG = "tag:yaml.org,2002:"
_NOT_YAML = Reader.NON_PRINTABLE
_BASE: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNFIT = (ValueError, LookupError, ArithmeticError, AttributeError, TypeError)
"""What PyYAML lets through, without a place, for a value that isn't of its kind, such as the date 2026-13-45."""


@dataclass(frozen=True, slots=True)
class Part:
    """A YAML text with LF at the ends of its lines, and how its faults are told.

    `file` is the file that it stands in, and `line` the line on which it begins there. `noun` is what errors call it,
    and `error` the class that they have.
    """

    text: str
    file: str
    noun: str
    error: type[SiteError]
    line: int = 1

    def fault(self, what: str, offset: int, *, why: str = "", mend: str = "") -> SiteError:
        """Gives the error for what stands at `offset`."""
        return self.error(what, why=why, mend=mend, location=self.location(offset))

    def location(self, offset: int) -> Location:
        """Gives the place in the file of an offset in the text."""
        line, column = place(self.text, offset)
        return Location(self.file, line + self.line - 1, column)


def read_value(part: Part) -> object:
    """Reads a document of any kind: None for an empty one. Raises the part's error."""
    return _read(part)[0]


def read_mapping(part: Part) -> tuple[dict[str, object], dict[str, tuple[int, int]]]:
    """Reads a mapping whose keys are text, and the line and column of each of its keys in the file.

    An empty document is an empty mapping. Raises the part's error.
    """
    value, keys = _read(part, mapping=True)
    lines = Lines(part.text)
    positions = {}
    for key, offset in keys:
        line, column = lines.place(offset)
        positions[key] = (line + part.line - 1, column)
    return (value if isinstance(value, dict) else {}), positions


def value_positions(part: Part) -> dict[tuple[str | int, ...], tuple[int, int]]:
    """Gives the line and column, in the part's own text, of each key and list item of a document that has been read."""
    root = _BASE(part.text).get_single_node()
    lines = Lines(part.text)
    found: dict[tuple[str | int, ...], tuple[int, int]] = {}

    def visit(node: Node, way: tuple[str | int, ...]) -> None:
        pairs: list[tuple[str | int, Node, Node]] = []
        if isinstance(node, SequenceNode):
            pairs = [(index, item, item) for index, item in enumerate(node.value)]
        elif isinstance(node, MappingNode):
            pairs = [(key.value, key, value) for key, value in node.value if isinstance(key, ScalarNode)]
        for part_of, key, value in pairs:
            if (*way, part_of) not in found:
                found[*way, part_of] = lines.place(_offset(key))
                visit(value, (*way, part_of))

    if root is not None:
        visit(root, ())
    return found


def _read(part: Part, *, mapping: bool = False) -> tuple[object, list[tuple[str, int]]]:
    try:
        # One pass of the C parser gives the nodes, which know their places; the values are made from the same nodes.
        loader = _BASE(part.text)
        root = loader.get_single_node()
        if root is None:
            return None, []
        keys = _text_keys(root, part) if mapping else []
        _weigh(root, part)
        return _constructed(loader, root, part), keys
    except MarkedYAMLError as error:
        raise _fault(error, part) from None
    except (ReaderError, UnicodeEncodeError):
        bad = _NOT_YAML.search(part.text)
        raise part.fault(
            f"{part.noun} holds a character that YAML allows in no text",
            bad.start() if bad else 0,
            why=f"it is U+{ord(bad[0]):04X}" if bad else "",
            mend='write it as an escape in double quotes, such as "\\u0001"',
        ) from None
    except RecursionError:
        raise _too_deep(part, 0) from None


def _text_keys(root: Node, part: Part) -> list[tuple[str, int]]:
    """Gives the keys of a mapping with their offsets; refuses what is no mapping, and keys that are no text."""
    if not isinstance(root, MappingNode):
        what, mend = f"{part.noun} is no mapping of keys to values", 'write lines such as "title: About"'
        raise part.fault(what, _offset(root), mend=mend)
    keys = []
    for key, _ in root.value:
        if key.tag == f"{_STANDARD_TAG}str":
            keys.append((key.value, _offset(key)))
        elif key.tag != f"{_STANDARD_TAG}merge":
            written = f'"{_short(key.value)}"' if isinstance(key, ScalarNode) else "a list or a mapping"
            why = f"YAML reads it as {key.tag.removeprefix(_STANDARD_TAG)}" if isinstance(key, ScalarNode) else ""
            raise part.fault(f"the key {written} is no text", _offset(key), why=why, mend="put it in quotes")
    return keys


def _weigh(root: Node, part: Part) -> None:
    """Raises the part's error for doubled keys, for nesting, and for aliases that refer to themselves or explode."""
    sizes: dict[int, int] = {}  # by node: how many values it stands for, its aliases written out; 0 while it is open
    written = 0

    def weigh(node: Node, depth: int) -> int:
        nonlocal written
        if isinstance(node, ScalarNode):
            written += 1
            return 1
        known = sizes.get(id(node))
        if known is not None:
            if known == 0:
                raise part.fault(f"an alias in {part.noun} refers to itself", _offset(node))
            return known
        if depth > MAX_DEPTH:
            raise _too_deep(part, _offset(node))
        sizes[id(node)] = 0
        before, size = written, 1
        written += 1
        for child in _children(node, part):
            size += weigh(child, depth + 1)
            if size - (written - before) > MAX_MORE:
                why = f"its aliases stand for over {MAX_MORE} values"
                raise part.fault(f"{part.noun} explodes", _offset(child), why=why, mend="write the values out")
        sizes[id(node)] = size
        return size

    weigh(root, 1)


def _children(node: Node, part: Part) -> Iterator[Node]:
    if isinstance(node, SequenceNode):
        yield from node.value
        return
    seen: dict[tuple[str, str], Node] = {}
    for key, value in node.value:
        if isinstance(key, ScalarNode):
            first = seen.setdefault((key.tag, key.value), key)
            if first is not key:
                why = f"it is on line {part.location(_offset(first)).line} already"
                raise part.fault(f'the key "{_short(key.value)}" stands twice', _offset(key), why=why)
        yield key
        yield value


def _offset(node: Node) -> int:
    # The mark's line would be wrong after U+2028 and its like, which are line ends to YAML alone.
    mark: Mark = node.start_mark
    return mark.index


def _constructed(loader: yaml.SafeLoader | yaml.CSafeLoader, root: Node, part: Part) -> object:
    try:
        value: object = loader.construct_document(root)
    except _UNFIT as error:
        for node in _scalars(root, set()):  # the value that raises again is the one at fault
            try:
                loader.construct_document(node)
            except _UNFIT:
                kind = node.tag.removeprefix(_STANDARD_TAG)
                why = clause(str(error)) if kind == "timestamp" else ""
                mend = "put it in quotes where text is meant"
                raise part.fault(f'"{_short(node.value)}" is no {kind}', _offset(node), why=why, mend=mend) from None
        raise part.fault(f"{part.noun} can't be read", 0, why=clause(str(error))) from None
    return value


def _scalars(node: Node, seen: set[int]) -> Iterator[ScalarNode]:
    if isinstance(node, ScalarNode):
        yield node
    elif id(node) not in seen:
        seen.add(id(node))
        for child in node.value:
            for each in child if isinstance(child, tuple) else (child,):
                yield from _scalars(each, seen)


def _fault(error: MarkedYAMLError, part: Part) -> SiteError:
    """Turns PyYAML's error into one that says what to do."""
    mark = error.problem_mark or error.context_mark
    offset = mark.index if mark is not None else 0
    problem = error.problem or error.context or "it doesn't parse"
    what, mend = f"{part.noun} is no valid YAML", ""
    text = part.text
    tag = re.search(r"for the tag '(.*)'", problem, re.DOTALL)
    if isinstance(error, ConstructorError) and tag:
        name = tag[1].replace(_STANDARD_TAG, "!!")
        what, problem = f"the tag {_short(name)} builds an object", f"{part.noun} holds plain values only"
        mend = "take the tag away"
    elif "\t" in text and (
        "tab" in problem or text[offset : offset + 1] == "\t" or "cannot start any token" in problem
    ):
        offset = offset if text[offset : offset + 1] == "\t" else max(text.find("\t", offset), offset)
        problem, mend = "there is a tab", "indent with spaces"
    elif "nesting depth" in problem:
        return _too_deep(part, offset)
    elif "mapping values are not allowed" in problem:
        mend = "put a value that holds a colon in quotes"
    elif "found another document" in problem:
        problem, mend = "it holds several documents", "keep one"
    return part.fault(what, offset, why=clause(problem), mend=mend)


def _too_deep(part: Part, offset: int) -> SiteError:
    return part.fault(f"{part.noun} is nested too deep", offset, why=f"{MAX_DEPTH} levels are the most")


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
