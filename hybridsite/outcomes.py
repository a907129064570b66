"""The outcome of an action, as the page that it leads to shows it: `action_result`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

# The most that is kept of what was typed, in characters: it waits in the session, which has a limit of its own.
MOST_TYPED = 65_536
_MOST_FIELDS = 100
_MOST_NAME = 100
_MOST_MESSAGE = 1000


class Messages(dict[str, list[str]]):
    """What is wrong with each field. Of a field with which nothing is wrong it has no messages, which is no error."""

    def __missing__(self, name: str) -> tuple[str, ...]:
        return ()


class Typed(dict[str, str | list[str]]):
    """What was typed into each field. Of a field that nothing was typed into it has an empty text."""

    def __missing__(self, name: str) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an action failed: a code for programs, a message for people, which is what is printed."""

    code: str
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What came of the action `name`: `data`, or an `error` with the `fields` it is about and what was typed.

    It is true, whatever came of it; the one of no action at all, which templates get, is false, and all its parts are
    empty.
    """

    name: str
    data: Any = None
    error: Failure | None = None
    fields: Messages = field(default_factory=Messages)
    values: Typed = field(default_factory=Typed)

    @property
    def ok(self) -> bool:
        """Whether the action did what it was asked."""
        return bool(self.name) and self.error is None

    def __bool__(self) -> bool:
        return bool(self.name)

    def __str__(self) -> str:
        return str(self.error or "")

    def to_plain(self) -> dict[str, Any]:
        """Gives the outcome in types that a session can hold, bounded in all that a visitor decides."""
        plain: dict[str, Any] = {"name": self.name, "data": self.data}
        if self.error is not None:
            plain |= {
                "error": (self.error.code, self.error.message[:_MOST_MESSAGE]),
                "fields": dict(shortened(self.fields)),
                "values": _within(self.values, MOST_TYPED),
            }
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> ActionResult:
        """Gives back what `to_plain` was made of."""
        error = Failure(*plain["error"]) if plain.get("error") else None
        fields, values = Messages(plain.get("fields", {})), Typed(plain.get("values", {}))
        return cls(plain["name"], plain["data"], error, fields, values)


NO_RESULT = ActionResult("")


def shortened(fields: Mapping[str, list[str]]) -> Iterator[tuple[str, list[str]]]:
    """Yields fields and their messages, no more than anybody reads: names of fields may come from the request."""
    for name, messages in list(fields.items())[:_MOST_FIELDS]:
        yield name[:_MOST_NAME], [message[:_MOST_MESSAGE] for message in dict.fromkeys(messages[:_MOST_FIELDS])]


def _within(values: Mapping[str, str | list[str]], most: int) -> dict[str, str | list[str]]:
    """Gives the values without the largest ones, where all together are too long to be kept."""
    kept = dict(values)
    sizes = {
        name: len(name) + sum(map(len, [value] if isinstance(value, str) else value)) for name, value in kept.items()
    }
    total = sum(sizes.values())
    for name in sorted(kept, key=sizes.__getitem__, reverse=True):
        if total <= most:
            break
        total -= sizes[name]
        del kept[name]
    return kept
