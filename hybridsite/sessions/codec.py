"""What a session can hold, as bytes: MessagePack, with extension types for what it lacks. Never pickle.

Every value comes back as the type it was, and the same value gives the same bytes each time, so that a change in place is
found by encoding again. Types are taken exactly: a subclass would come back as something else, and is refused.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from hybridsite.errors import SessionDataError, SessionValueError

MAX_DEPTH = 100

# The codes of the extension types. They stand in stored bytes: a code is never given another meaning.
_BIG_INT, _TUPLE, _SET, _FROZENSET, _PAIRS = 1, 2, 3, 4, 5
_DATETIME, _DATE, _TIME, _TIMEDELTA, _DECIMAL, _UUID = 6, 7, 8, 9, 10, 11

# Values of these types can't be changed in place.
SCALARS = frozenset(
    {type(None), bool, int, float, str, bytes, dt.datetime, dt.date, dt.time, dt.timedelta, Decimal, uuid.UUID}
)

_pack = msgspec.msgpack.encode
_FORMAT = 1


def encode(value: object, *, key: str) -> bytes:
    """Encodes one value of a session.

    Raises SessionValueError, with `key`, the type and the place inside the value, for what can't be stored.
    """
    return _pack(_Packing(key).pack(value, (), 0))


def decode(data: bytes) -> Any:
    """Gives back what `encode` was given. Raises SessionDataError for bytes that it can't have made."""
    try:
        return msgspec.msgpack.decode(data, ext_hook=_unpack)
    except SessionDataError:
        raise
    except (msgspec.MsgspecError, ValueError, TypeError, LookupError, ArithmeticError, RecursionError, OSError) as error:
        raise _unreadable(type(error).__name__) from error


def _unreadable(why: str) -> SessionDataError:
    return SessionDataError(
        "a stored session can't be read",
        why=f"its bytes are cut off, of another version, or another program's ({why}); they are left as they are",
    )


class _Packing:
    """Turns a value into what MessagePack knows, and keeps the way to the place where it is."""

    def __init__(self, key: str) -> None:
        self._key = key

    def pack(self, value: Any, way: tuple[str, ...], depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return self._checked(value, way)
        if kind is int:
            return value if -(2**63) <= value < 2**64 else _ext(_BIG_INT, str(hex(value)))
        if value is None or kind is bool or kind is float or kind is bytes:
            return value
        if depth >= MAX_DEPTH:
            raise self._refused(f"is nested over {MAX_DEPTH} levels deep, or holds itself", way, "store a flatter value")
        if kind is list:
            return [self.pack(item, (*way, f"[{i}]"), depth + 1) for i, item in enumerate(value)]
        if kind is dict:
            return self._dict(value, way, depth)
        if kind is tuple:
            return _ext(_TUPLE, [self.pack(item, (*way, f"[{i}]"), depth + 1) for i, item in enumerate(value)])
        if kind is set or kind is frozenset:
            items = sorted(_pack(self.pack(item, (*way, "{…}"), depth + 1)) for item in value)
            return _ext(_SET if kind is set else _FROZENSET, items)
        return self._other(value, kind, way)

    def _dict(self, value: dict[Any, Any], way: tuple[str, ...], depth: int) -> Any:
        def at(key: object) -> tuple[str, ...]:
            return (*way, f"[{key!r}]" if isinstance(key, str | int) else "[…]")

        if all(type(key) is str for key in value):
            return {self._checked(key, at(key)): self.pack(item, at(key), depth + 1) for key, item in value.items()}
        pairs = [[self.pack(key, at(key), depth + 1), self.pack(item, at(key), depth + 1)] for key, item in value.items()]
        return _ext(_PAIRS, pairs)

    def _other(self, value: Any, kind: type, way: tuple[str, ...]) -> Any:
        if kind is dt.datetime:
            zone = self._zone(value.tzinfo, way)
            parts = [value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond]
            return _ext(_DATETIME, [*parts, value.fold, zone])
        if kind is dt.date:
            return _ext(_DATE, value.toordinal())
        if kind is dt.time:
            parts = [value.hour, value.minute, value.second, value.microsecond, value.fold]
            return _ext(_TIME, [*parts, self._zone(value.tzinfo, way)])
        if kind is dt.timedelta:
            return _ext(_TIMEDELTA, [value.days, value.seconds, value.microseconds])
        if kind is Decimal:
            return _ext(_DECIMAL, str(value))
        if kind is uuid.UUID:
            return _ext(_UUID, value.bytes)
        mend = "store its plain values (numbers, text, lists, dicts, dates), or a key to where it is kept"
        if isinstance(value, str | int | float | list | dict | tuple | set):
            base = next(base for base in kind.__mro__ if base.__module__ == "builtins")
            mend = f"turn it into a plain {base.__name__}: {base.__name__}(…)"
        raise self._refused(f"is of the type {kind.__module__}.{kind.__qualname__}, which a session can't hold", way, mend)

    def _zone(self, zone: dt.tzinfo | None, way: tuple[str, ...]) -> object:
        if zone is None:
            return None
        if type(zone) is dt.timezone:
            offset, *name = zone.__getinitargs__()  # type: ignore[attr-defined]
            return [offset.days, offset.seconds, offset.microseconds, *(self._checked(part, way) for part in name)]
        if type(zone) is ZoneInfo and zone.key is not None:
            return zone.key
        mend = 'use zoneinfo.ZoneInfo("Europe/Berlin") or datetime.timezone'
        raise self._refused(f"has a time zone of the type {type(zone).__module__}.{type(zone).__qualname__}", way, mend)

    def _checked(self, text: str, way: tuple[str, ...]) -> str:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise self._refused("is text with half a surrogate pair (str)", way, "store text that is valid Unicode") from None
        return text

    def _refused(self, what: str, way: tuple[str, ...], mend: str) -> SessionValueError:
        shown = "".join(way) if len(way) <= 8 else "".join(way[:8]) + "…"
        return SessionValueError(f"the session value {self._key!r}{shown} {what}", mend=mend)


def _ext(code: int, content: object) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(code, _pack(content))


def _unpack(code: int, content: memoryview) -> Any:
    build = _BUILDERS.get(code)
    if build is None:
        raise _unreadable(f"extension type {code}")
    return build(msgspec.msgpack.decode(content, ext_hook=_unpack))


def _unzone(zone: Any) -> dt.tzinfo | None:
    if zone is None:
        return None
    if isinstance(zone, str):
        return ZoneInfo(zone)
    days, seconds, microseconds, *name = zone
    return dt.timezone(dt.timedelta(days, seconds, microseconds), *name)


_BUILDERS: Mapping[int, Callable[[Any], Any]] = {
    _BIG_INT: lambda text: int(text, 16),
    _TUPLE: tuple,
    _SET: lambda items: {decode(item) for item in items},
    _FROZENSET: lambda items: frozenset(decode(item) for item in items),
    _PAIRS: lambda pairs: {key: item for key, item in pairs},
    _DATETIME: lambda parts: dt.datetime(*parts[:7]).replace(fold=parts[7], tzinfo=_unzone(parts[8])),
    _DATE: dt.date.fromordinal,
    _TIME: lambda parts: dt.time(*parts[:4]).replace(fold=parts[4], tzinfo=_unzone(parts[5])),
    _TIMEDELTA: lambda parts: dt.timedelta(*parts),
    _DECIMAL: Decimal,
    _UUID: lambda content: uuid.UUID(bytes=content),
}


class Entry(NamedTuple):
    """One key of a stored session: the bytes of its value, and when it ends (seconds since the epoch; None with the rest)."""

    data: bytes
    expires: float | None = None


TOMBSTONE = bytes([_FORMAT]) + _pack(None)


def pack_record(entries: Mapping[str, Entry]) -> bytes:
    """Gives the bytes of a whole session. Values stay as they are encoded until somebody asks for them."""
    return bytes([_FORMAT]) + _pack({key: list(entry) for key, entry in entries.items()})


def unpack_record(data: bytes) -> dict[str, Entry] | None:
    """Gives the entries of a stored session, or None for a tombstone. Raises SessionDataError for what is neither."""
    if data[:1] != bytes([_FORMAT]):
        raise _unreadable("another format")
    try:
        entries = _RECORD.decode(memoryview(data)[1:])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _unreadable(type(error).__name__) from error
    return entries


_RECORD: msgspec.msgpack.Decoder[dict[str, Entry] | None] = msgspec.msgpack.Decoder(dict[str, Entry] | None)
