"""What a template that doesn't parse has left open: a tag without its end, or a delimiter without the other one."""

from __future__ import annotations

import re

# How Jinja's parser names the tag whose end it looks for.
_INNERMOST = re.compile(r"innermost block that needs to be closed is '(\w+)'")
_DELIMITERS = (("{%", "%}"), ("{#", "#}"))


def left_open(message: str, text: str, line: int, variable: tuple[str, str]) -> str:
    """Says how to close what is open; "" where nothing is known to be.

    `message` is Jinja's, `line` the one that it names, counted from 1, `variable` the delimiters of what is printed.
    """
    lines = text.split("\n")
    if found := _INNERMOST.search(message):
        opened = _opened(found[1], lines[:line])
        return f"write {{% end{found[1]} %}}" + (f" for the {{% {found[1]} %}} of line {opened}" if opened else "")
    shown = lines[line - 1] if 0 < line <= len(lines) else ""
    for opening, closing in (variable, *_DELIMITERS):
        at = shown.rfind(opening)
        if at >= 0 and closing not in shown[at:]:
            # In a script it may be an operator.
            text = f"; where {opening} is meant as text, put it between {{% raw %}} and {{% endraw %}}"
            return f"close it: write {closing} behind what {opening} opens{text if opening == variable[0] else ''}"
    return ""


def _opened(tag: str, lines: list[str]) -> int:
    """Finds the line of the last tag of a name that has no end; 0 where that can't be told."""
    is_tag = re.compile(rf"{{%[-+]?\s*(end)?{tag}\b")
    open_at: list[int] = []
    for number, line in enumerate(lines, 1):
        for found in is_tag.finditer(line):
            if not found[1]:
                open_at.append(number)
            elif open_at:
                open_at.pop()
    return open_at[-1] if open_at else 0
