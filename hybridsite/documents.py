"""What the readers of TOML, YAML and JSON share: places in a text, and how deep values may be nested.

It imports nothing of hybridsite.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

MAX_DEPTH: Final = 100
"""How many tables and lists may stand inside each other: code that walks values by recursion is safe below it."""


class Lines:
    """Turns offsets in a text, whose lines end with LF, into lines and columns."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def place(self, offset: int) -> tuple[int, int]:
        """Gives the line and the column, both from 1, of `offset`."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def place(text: str, offset: int) -> tuple[int, int]:
    """Gives the line and the column, both from 1, of one `offset` in `text`."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def clause(message: str) -> str:
    """Gives a library's message as a clause of a sentence: no capital before it, no full stop after it."""
    return message[:1].lower() + message[1:].rstrip(".")


def too_deep(value: object) -> bool:
    """Tells whether something stands more than MAX_DEPTH levels down in lists and dicts, level by level."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        parts = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list)]
        level = [child for part in parts for child in part]
        if not level:
            return False
    return True
