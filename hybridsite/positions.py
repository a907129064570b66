"""Where in a document of data each value stands, found when there is a fault to show, and not before."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from hybridsite.documents import Lines
from hybridsite.errors import SourceError
from hybridsite.toml_positions import KeyPath, key_positions

Positions = Mapping[KeyPath, tuple[int, int]]
"""Line and column, both from 1, of each key and of each item of a list."""

_JSON_TOKEN = re.compile(r'(?P<text>"(?:[^"\\]|\\.)*")(?P<key>\s*:)?|[\[{\]}]|[^\s,:\[\]{}"]+', re.DOTALL)


def positions(text: str, suffix: str, *, line: int = 1) -> Positions:
    """Gives the places in a document that has been read: TOML, JSON or YAML, by the suffix of its name.

    `line` is the line of the file on which the text begins.
    """
    if suffix == ".toml":
        found = key_positions(text)
    elif suffix == ".json":
        found = _json_positions(text)
    else:
        from hybridsite.yamldoc import Part, value_positions

        found = value_positions(Part(text, "", "the text", SourceError))
    return {path: (at + line - 1, column) for path, (at, column) in found.items()} if line > 1 else found


def nearest(path: Sequence[object], known: Positions) -> tuple[int, int] | None:
    """Gives the place of a value, or of the nearest one around it that is known.

    Parts of the path that lead nowhere are passed over: a validator has names of its own among them.
    """
    way: KeyPath = ()
    for part in path:
        if isinstance(part, str | int) and (*way, part) in known:
            way = (*way, part)
    return known.get(way)


def _json_positions(text: str) -> Positions:
    lines = Lines(text)
    found: dict[KeyPath, tuple[int, int]] = {}
    way: list[str | int | None] = []  # by object or list that is open: its key, or index, under way
    for token in _JSON_TOKEN.finditer(text):
        word = token[0]
        if word in "]}":
            way.pop()
            continue
        if token["key"]:
            way[-1] = str(json.loads(token["text"]))
            found[_path(way)] = lines.place(token.start())
            continue
        if way and not isinstance(way[-1], str):  # an item of a list
            way[-1] = 0 if way[-1] is None else way[-1] + 1
            found[_path(way)] = lines.place(token.start())
        if word in "[{":
            way.append(None)
    return found


def _path(way: list[str | int | None]) -> KeyPath:
    return tuple(part for part in way if part is not None)
