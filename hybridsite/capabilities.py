"""What a host may offer to code that answers requests, and what a session driver may need of it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal

Capability = Literal["process", "files", "sockets"]
"""`process`: one that stays between requests. `files`: a file system that stays. `sockets`: connections of its own, of
other protocols than HTTP too."""

EVERY: Final[frozenset[Capability]] = frozenset(("process", "files", "sockets"))

_TOLD: Final[dict[Capability, str]] = {
    "process": "a process that stays",
    "files": "a file system that stays",
    "sockets": "connections of its own",
}


def told(capabilities: Collection[Capability]) -> str:
    """Gives capabilities in words, in one order."""
    return " and ".join(words for name, words in _TOLD.items() if name in capabilities)
