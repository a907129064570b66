"""One kept answer, and what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hybridsite.cache.policy import CachePolicy

State = Literal["HIT", "MISS", "STALE", "BYPASS"]
_OVERHEAD = 1024
"""What an entry takes in memory besides its bytes, roughly."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer as it may go to anybody who asks by the same key.

    `marks` are what it is invalidated by: its tags and its path. `max_age` and `swr` are in seconds, `etag` is quoted.
    """

    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    etag: str
    marks: tuple[str, ...]
    max_age: float
    swr: float

    @property
    def lifetime(self) -> float:
        """How long it is kept, in seconds."""
        return self.max_age + self.swr

    @property
    def size(self) -> int:
        """How many bytes of memory it takes."""
        return _OVERHEAD + len(self.body) + sum(len(name) + len(value) for name, value in self.headers)


@dataclass(frozen=True, slots=True)
class Cached:
    """How the cache took part in an answer: `entry` and `key` where it can be had from it, `age` in seconds.

    `in_store` where that is where it came from.
    """

    state: State
    entry: Entry | None = None
    key: str = ""
    age: float = 0.0
    in_store: bool = False


def tag_mark(tag: str) -> str:
    """Gives the mark of a tag."""
    return f"t:{tag}"


def path_mark(segments: tuple[str, ...]) -> str:
    """Gives the mark of a path: one for both of its forms, and for all that is kept of it."""
    return f"p:{'/'.join(segments)}"


def marks_of(policy: CachePolicy, segments: tuple[str, ...]) -> tuple[str, ...]:
    """Gives all that an answer is invalidated by."""
    return (path_mark(segments), *map(tag_mark, policy.tags))
