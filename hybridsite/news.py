"""What commands tell: a line that people read, which knows what happened and with what, for programs that read it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime

from hybridsite.errors import SiteError, SiteErrors


class News(str):
    """A line of news. `kind` says what happened, `fields` with what: plain values that JSON can hold."""

    kind: str
    fields: Mapping[str, object]

    def __new__(cls, text: str, kind: str, /, **fields: object) -> News:
        """Makes the line."""
        news = super().__new__(cls, text)
        news.kind = kind
        news.fields = fields
        return news


class LineFormatter(logging.Formatter):
    """Writes each record of the log as a line, which begins with its moment as all lines of the log do."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Gives the moment of a record."""
        return stamp(record.created)


def stamp(moment: float) -> str:
    """Gives a moment (seconds since the epoch) as the log has it: ISO 8601 with its zone, which is UTC."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


def fault_news(text: str, error: Exception) -> News:
    """Gives the news of a fault, or of several at once: each with its place, what, why and mend."""
    found = error.faults if isinstance(error, SiteErrors) else (error,)
    return News(text, "fault", faults=[fault_fields(each) for each in found])


def fault_fields(error: Exception) -> dict[str, object]:
    """Gives a fault as JSON has it."""
    if not isinstance(error, SiteError):
        return {"what": f"{type(error).__name__}: {error}"}
    place = error.location
    at = {"file": place.file, "line": place.line, "column": place.column} if place else {}
    return {**at, "code": error.code, "what": error.what, "why": error.why, "mend": error.mend}
