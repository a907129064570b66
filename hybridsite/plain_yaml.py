"""The front matter that nearly every file has, read without libyaml: a line a key, each with a plain value.

The form is so narrow that YAML can read it in one way alone. Whatever isn't of it is left to `yamldoc`, with all of its
rules and its faults; `tests/test_plain_yaml.py` holds that the two give the same.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

# Letters and digits of every script, spaces, and marks that say nothing to YAML wherever they stand behind a letter.
_INNER: Final = r"\w .!;'()/+&=$%*@\u00a1-\u00ff\u2010-\u2027-"
_WORD: Final = rf"[^\W\d_](?:[{_INNER}]*[\w.!'()])?"
_TEXT: Final = rf'[^\W\d_](?:[{_INNER},?"]*[\w.!?\'()"])?'
_ITEM: Final = rf'{_WORD}|"[{_INNER},:?#]*"'
_ENTRY = re.compile(
    rf"""(?P<key>[A-Za-z][A-Za-z0-9_-]{{0,99}}):(?:
    \ (?P<text>{_TEXT})
    |\ "(?P<double>[{_INNER},:?\#\[\]{{}}]*)"
    |\ '(?P<single>[{_INNER.replace("'", "")},:?\#"\[\]{{}}]*)'
    |\ \[(?P<flow>(?:{_ITEM})(?:,\ +(?:{_ITEM}))*)?\]
    |\ (?P<number>-?(?:0|[1-9][0-9]{{0,17}}))
    |\ (?P<date>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})
    |(?P<items>\n(?P<indent>\ {{0,4}})-\ (?:{_ITEM})(?:\n(?P=indent)-\ (?:{_ITEM}))*)
    )\n""",
    re.VERBOSE,
)
_FLOW_ITEM = re.compile(_ITEM)
_BLOCK_ITEM = re.compile(rf"- ({_ITEM})\n")
_KEYWORDS: Final[dict[str, bool | None]] = {
    spelled: value
    for word, value in (("true", True), ("yes", True), ("on", True), ("false", False), ("no", False), ("off", False))
    for spelled in (word, word.capitalize(), word.upper())
} | {"null": None, "Null": None, "NULL": None}
"""What YAML 1.1 takes for no text (https://yaml.org/type/bool.html, in the spellings that PyYAML knows)."""


def read_plain(text: str, line: int = 1) -> tuple[dict[str, object], dict[str, tuple[int, int]]] | None:
    """Reads a YAML mapping of plain values that begins on a line of its file, with the line and column of each key.

    Gives None where there is anything in it that isn't of the narrow form.
    """
    values: dict[str, object] = {}
    places: dict[str, tuple[int, int]] = {}
    position, end = 0, len(text)
    while position < end:
        entry = _ENTRY.match(text, position)
        if entry is None:
            return None
        key, kind = entry["key"], entry.lastgroup
        if key in values or key in _KEYWORDS:
            return None
        written = entry[kind] if kind else ""
        if kind == "text":
            values[key] = _KEYWORDS.get(written, written)
        elif kind in ("double", "single"):
            values[key] = written
        elif kind == "number":
            values[key] = int(written)
        elif kind == "date":
            try:
                values[key] = date(int(written[:4]), int(written[5:7]), int(written[8:]))
            except ValueError:
                return None
        elif kind == "items":
            values[key] = [_item(item) for item in _BLOCK_ITEM.findall(f"{written}\n")]
        else:  # of an empty list the key is the last group that matched
            values[key] = [_item(item) for item in _FLOW_ITEM.findall(entry["flow"] or "")]
        places[key] = (line, 1)
        line += 1 + (written.count("\n") if kind == "items" else 0)
        position = entry.end()
    return values, places


def _item(written: str) -> object:
    return written[1:-1] if written[0] == '"' else _KEYWORDS.get(written, written)
