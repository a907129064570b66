"""Dates and times of a site: every time knows its zone, and dates compare with times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from hybridsite.frozen import FrozenDict, FrozenList

EPOCH_VARIABLE = "SOURCE_DATE_EPOCH"


def zone(name: str) -> tzinfo:
    """Gives the time zone of an IANA name. UTC needs no database of zones."""
    return UTC if name == "UTC" else ZoneInfo(name)


def aware(value: Any, zone: tzinfo) -> Any:
    """Gives a value of front matter, however deep, with `zone` for each time that has none. Others stay the same."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=zone) if value.tzinfo is None else value
    if isinstance(value, dict):
        parts = {key: aware(part, zone) for key, part in value.items()}
        return FrozenDict(parts) if any(parts[key] is not part for key, part in value.items()) else value
    if isinstance(value, list):
        items = [aware(item, zone) for item in value]
        return FrozenList(items) if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def moment(value: object, zone: tzinfo) -> datetime | None:
    """Gives the time that a date, a time or their text (ISO 8601) stands for; None for what is neither.

    A date is its first moment in `zone`.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if isinstance(value, datetime):
        return value.replace(tzinfo=zone) if value.tzinfo is None else value
    return datetime.combine(value, time(), zone) if isinstance(value, date) else None


def now(environ: Mapping[str, str]) -> datetime:
    """Gives the time of a build: SOURCE_DATE_EPOCH where that is set (reproducible-builds.org), else the clock's.

    Raises ValueError where the variable is no number of seconds.
    """
    text = environ.get(EPOCH_VARIABLE)
    if not text:
        return datetime.now(UTC)
    try:
        return datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{EPOCH_VARIABLE} is no number of seconds since 1970") from None
