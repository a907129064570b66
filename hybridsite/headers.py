"""[headers]: which headers of the site's own an answer gets, by its path."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping


class HeaderRules:
    """The rules of [headers]. Of several that match, the more specific one decides, for each name by itself."""

    def __init__(self, rules: Mapping[str, Mapping[str, str]]) -> None:
        ordered = sorted(rules.items(), key=lambda rule: (_rank(rule[0]), rule[0]), reverse=True)
        self._rules = [(_compiled(pattern), headers) for pattern, headers in ordered]
        self._everywhere = rules.get("/*", {})

    def __bool__(self) -> bool:
        return bool(self._rules)

    def of(self, segments: tuple[str, ...] | None) -> dict[str, str]:
        """Gives the headers of a path, less the site's base; of one that can't be read, those of `/*` alone."""
        if segments is None:
            return dict(self._everywhere)
        path = "/".join(segments)
        found: dict[str, tuple[str, str]] = {}
        for pattern, headers in self._rules:
            if pattern.fullmatch(path):
                found |= {name.casefold(): (name, value) for name, value in headers.items()}
        return dict(found.values())


def _parts(pattern: str) -> list[str]:
    return [part for part in pattern.split("/") if part]


def _rank(pattern: str) -> list[tuple[int, int]]:
    """Gives what tells the more specific pattern, as with routes: it is the lower one."""
    parts = _parts(pattern)
    ranks = [(2 if part == "*" else 1 if "*" in part else 0, -len(part)) for part in parts]
    return [*ranks[:-1], (3, 0)] if parts and parts[-1] == "*" else ranks


def _compiled(pattern: str) -> re.Pattern[str]:
    """Gives the regular expression of a pattern: `*` is one segment, a piece of one, or at the end all that follows."""
    parts = _parts(unicodedata.normalize("NFC", pattern))
    rest = bool(parts) and parts[-1] == "*"
    texts = []
    for part in parts[:-1] if rest else parts:
        texts.append("[^/]+" if part == "*" else "[^/]*".join(map(re.escape, part.split("*"))))
    before = "/".join(texts)
    return re.compile((f"{before}(?:/.*)?" if before else ".*") if rest else before, re.DOTALL)
