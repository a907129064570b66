"""The files of data/: TOML, JSON and YAML, read once into `data.<stem>`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from hybridsite import sources
from hybridsite.documents import MAX_DEPTH, clause, place, too_deep
from hybridsite.errors import Faults, Location, SourceError
from hybridsite.frozen import frozen
from hybridsite.inheritance import inherited, signature
from hybridsite.toml_positions import TomlFault
from hybridsite.toml_positions import parse as parse_toml

DATA_SUFFIXES = (".toml", ".json", ".yaml", ".yml")

_JSON_TOKEN = re.compile(r'(?P<text>"(?:[^"\\]|\\.)*")(?P<key>\s*+:)?|[\[{\]}]|NaN|-?Infinity|-?\d++', re.DOTALL)
_HALF = re.compile("[\ud800-\udfff]")
_HALF_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_LONGEST_NUMBER = 4300
"""The digits from which on Python reads no whole number."""


def load_data(index: Mapping[str, Path]) -> Mapping[str, object]:
    """Reads the data files in `index` (names below the site's root to their paths) into a mapping by stem.

    Raises SourceError, or SiteErrors, with line and column in each file that doesn't parse, and for two files of one
    stem.
    """
    data: dict[str, object] = {}
    owners: dict[str, str] = {}
    faults = Faults()
    for file, path in index.items():
        if path.suffix not in DATA_SUFFIXES:
            continue
        with faults.collect():
            if path.stem in owners:
                raise SourceError(
                    f"{owners[path.stem]} and {file} both make data.{path.stem}",
                    mend="rename one of them",
                    location=Location(file),
                )
            owners[path.stem] = file
            data[path.stem] = inherited("data", file, (path, signature(path)), partial(_document, path, file))
    faults.raise_any()
    return MappingProxyType(data)


def _document(path: Path, file: str) -> object:
    return frozen(read_document(path, file))


def read_document(path: Path, file: str) -> object:
    """Reads a TOML, JSON or YAML file, which errors call `file`. Raises SourceError with line and column."""
    text = sources.read_text(path, file)
    if path.suffix == ".toml":
        try:
            return parse_toml(text)
        except TomlFault as fault:
            at = Location(file, fault.line, fault.column)
            raise SourceError("the file is no valid TOML", why=fault.why, location=at) from None
    if path.suffix == ".json":
        return _json(text, file)
    from hybridsite.yamldoc import Part, read_value

    return read_value(Part(text, file, "the file", SourceError))


class _RefusedError(ValueError):
    """Raised while JSON is parsed, where json.loads would take what other readers don't."""


def _json(text: str, file: str) -> object:
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_constant)
        if _HALF_ESCAPE.search(text) or too_deep(value):
            _refuse(text, file)
    except json.JSONDecodeError as error:
        at = Location(file, *place(text, error.pos))
        raise SourceError("the file is no valid JSON", why=clause(error.msg), location=at) from None
    except (RecursionError, ValueError):  # ValueError: ours, and integers that Python refuses for their length
        _refuse(text, file)
        raise SourceError("the file can't be read", location=Location(file)) from None
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise _RefusedError
    return values


def _constant(_: str) -> object:
    raise _RefusedError


def _refuse(text: str, file: str) -> None:
    """Raises SourceError at the first thing that is refused, in a text that is JSON up to there."""

    def fault(offset: int, what: str, why: str = "", mend: str = "") -> SourceError:
        return SourceError(what, why=why, mend=mend, location=Location(file, *place(text, offset)))

    opened: list[dict[str, int]] = []  # by object or list that is open: its keys
    for token in _JSON_TOKEN.finditer(text):
        word, offset = token[0], token.start()
        if word in "[{":
            opened.append({})
            if len(opened) > MAX_DEPTH:
                raise fault(offset, "the file is nested too deep", f"{MAX_DEPTH} levels are the most")
        elif word in "]}":
            opened.pop()
        elif token["text"]:
            value: str = json.loads(token["text"])
            if _HALF.search(value):
                why = "it holds half of a surrogate pair, which is no character"
                raise fault(offset, "the file is no valid JSON", why, "write the character itself")
            if token["key"] and opened:
                first = opened[-1].setdefault(value, offset)
                if first != offset:
                    why = f"it is on line {place(text, first)[0]} already"
                    raise fault(offset, f'the key "{value}" stands twice', why)
        elif word[-1] in "Ny":
            raise fault(offset, "the file is no valid JSON", f"JSON has no {word}", "write null, or text in quotes")
        elif len(word.removeprefix("-")) > _LONGEST_NUMBER:
            raise fault(offset, "the file is no valid JSON", "a number has too many digits")
