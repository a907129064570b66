"""What a session can hold, as bytes: MessagePack, with extension types for what it lacks. Never pickle.

Every value comes back as the type it was, and the same value gives the same bytes each time, so that a change in place
is found by encoding again. Types are taken exactly: a subclass would come back as something else, and is refused.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, NoReturn
from zoneinfo import ZoneInfo

import msgspec

from hybridsite.errors import SessionDataError, SessionValueError

MAX_DEPTH = 100

# The codes of the extension types. They stand in stored bytes: a code is never given another meaning.
_BIG_INT, _TUPLE, _SET, _FROZENSET, _PAIRS = 1, 2, 3, 4, 5
_DATETIME, _DATE, _TIME, _TIMEDELTA, _DECIMAL, _UUID = 6, 7, 8, 9, 10, 11

# Values of these types can't be changed in place.
SCALARS: frozenset[type] = frozenset(
    {type(None), bool, int, float, str, bytes, dt.datetime, dt.date, dt.time, dt.timedelta, Decimal, uuid.UUID}
)

# Values of these types are MessagePack's own, whatever they are.
_NATIVE: frozenset[type] = frozenset({type(None), bool, float, bytes})

_to_bytes = msgspec.msgpack.encode

# What the types' own constructors raise for parts that they can't be made of. OSError is ZoneInfo's.
_BROKEN = (msgspec.MsgspecError, ValueError, TypeError, LookupError, ArithmeticError, RecursionError, OSError)


def encode(value: object, *, key: str) -> bytes:
    """Encodes one value of a session.

    Raises SessionValueError, with `key`, the type and the place inside the value, for what can't be stored.
    """
    try:
        return _to_bytes(_plain(value, 0))
    except _Refused as refused:
        way = refused.way[::-1]
        place = "".join(way[:8]) + ("…" if len(way) > 8 else "")
        name = key if key.isidentifier() else repr(key)
        raise SessionValueError(f"the session value {name}{place} {refused.what}", mend=refused.mend) from None


def decode(data: bytes) -> Any:
    """Gives back what `encode` was given. Raises SessionDataError for bytes that it can't have made."""
    try:
        return msgspec.msgpack.decode(data, ext_hook=_from_extension)
    except SessionDataError:
        raise
    except _BROKEN as error:
        raise _unreadable(type(error).__name__) from error


def _unreadable(why: str) -> SessionDataError:
    return SessionDataError(
        "a stored session can't be read",
        why=f"its bytes are cut off, of another version, or another program's ({why}); they are left as they are",
    )


class _Refused(Exception):
    """What is wrong, on its way out of the containers, each of which adds its part of the place, innermost first."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what)
        self.what = what
        self.mend = mend
        self.way: list[str] = []


def _plain(value: Any, depth: int) -> Any:
    """Gives the value in types that MessagePack has. `depth` counts the containers around it."""
    kind = type(value)
    if kind is str:
        return value if value.isascii() else _unicode(value)
    if kind is int:
        return value if -(2**63) <= value < 2**64 else _extension(_BIG_INT, hex(value))
    if kind in _NATIVE:
        return value
    if (container := _CONTAINERS.get(kind)) is not None:
        if depth >= MAX_DEPTH:
            what = f"is nested over {MAX_DEPTH} levels deep, or holds itself ({kind.__name__})"
            raise _Refused(what, "store a flatter value")
        return container(value, depth + 1)
    if (scalar := _EXTENDED.get(kind)) is not None:
        return scalar(value)
    _refuse_type(value, kind)


def _refuse_type(value: object, kind: type) -> NoReturn:
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    mend = "store its plain values (numbers, text, lists, dicts, dates), or a key to where it is kept"
    for base in (str, int, float, bytes, list, dict, tuple, set, frozenset):
        if isinstance(value, base):
            mend = f"turn it into a plain {base.__name__}: {base.__name__}(…)"
    raise _Refused(f"is of the type {name}, which a session can't hold", mend)


def _unicode(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise _Refused("is text with half a surrogate pair (str)", "store text that is valid Unicode") from None
    return text


def _extension(code: int, content: object) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(code, _to_bytes(content))


def _list(value: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
    plain: list[Any] = []
    try:
        for item in value:
            plain.append(item if type(item) in _NATIVE else _plain(item, depth))
    except _Refused as refused:
        refused.way.append(f"[{len(plain)}]")
        raise
    return plain


def _tuple(value: tuple[Any, ...], depth: int) -> msgspec.msgpack.Ext:
    return _extension(_TUPLE, _list(value, depth))


def _dict(value: dict[Any, Any], depth: int) -> Any:
    plain: dict[str, Any] = {}
    key: Any = None
    try:
        for key, item in value.items():
            if type(key) is not str:
                break
            name = key if key.isascii() else _unicode(key)
            plain[name] = item if type(item) in _NATIVE else _plain(item, depth)
        else:
            return plain
    except _Refused as refused:
        refused.way.append(_shown(key))
        raise
    return _pairs(value, depth)  # outside of the try: it adds the key to the place itself


def _pairs(value: dict[Any, Any], depth: int) -> msgspec.msgpack.Ext:
    pairs = []
    key: Any = None
    try:
        for key, item in value.items():
            pairs.append((_plain(key, depth), _plain(item, depth)))
    except _Refused as refused:
        refused.way.append(_shown(key))
        raise
    return _extension(_PAIRS, pairs)


def _shown(key: object) -> str:
    if isinstance(key, str):
        return f"[{str.__repr__(key)[:40]}]"
    if type(key) not in SCALARS or (type(key) is int and key.bit_length() > 128):
        return "[…]"  # of an int with thousands of digits Python gives no text
    return f"[{repr(key)[:40]}]"


def _set(value: set[Any] | frozenset[Any], depth: int) -> msgspec.msgpack.Ext:
    items = []
    try:
        for item in value:
            items.append(_to_bytes(_plain(item, depth)))
    except _Refused as refused:
        refused.way.append("{…}")
        raise
    # A set has no order of its own; by bytes, equal sets are equal bytes.
    return _extension(_SET if type(value) is set else _FROZENSET, [msgspec.Raw(item) for item in sorted(items)])


def _datetime(value: dt.datetime) -> msgspec.msgpack.Ext:
    parts = (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond)
    return _extension(_DATETIME, (*parts, value.fold, _zone(value.tzinfo)))


def _time(value: dt.time) -> msgspec.msgpack.Ext:
    parts = (value.hour, value.minute, value.second, value.microsecond)
    return _extension(_TIME, (*parts, value.fold, _zone(value.tzinfo)))


def _zone(zone: dt.tzinfo | None) -> object:
    """Gives None, the key of a ZoneInfo, or the offset and perhaps the name of a timezone."""
    if zone is None:
        return None
    if type(zone) is dt.timezone:
        offset, *name = zone.__getinitargs__()  # type: ignore[attr-defined]
        return [offset.days, offset.seconds, offset.microseconds, *map(_unicode, name)]
    mend = 'use zoneinfo.ZoneInfo("Europe/Berlin") or datetime.timezone'
    if type(zone) is ZoneInfo and zone.key is not None:
        try:
            ZoneInfo(zone.key)  # one from a file of its own could not be found again
        except (ValueError, LookupError, OSError):
            raise _Refused("has a zoneinfo.ZoneInfo that the system doesn't know", mend) from None
        return zone.key
    kind = type(zone)
    raise _Refused(f"has a time zone of the type {kind.__module__}.{kind.__qualname__}", mend)


_CONTAINERS: Mapping[type, Callable[[Any, int], Any]] = {
    list: _list,
    dict: _dict,
    tuple: _tuple,
    set: _set,
    frozenset: _set,
}
_EXTENDED: Mapping[type, Callable[[Any], Any]] = {
    dt.datetime: _datetime,
    dt.date: lambda value: _extension(_DATE, value.toordinal()),
    dt.time: _time,
    dt.timedelta: lambda value: _extension(_TIMEDELTA, (value.days, value.seconds, value.microseconds)),
    Decimal: lambda value: _extension(_DECIMAL, str(value)),
    uuid.UUID: lambda value: _extension(_UUID, value.bytes),
}


def _from_extension(code: int, content: memoryview) -> Any:
    build = _BUILDERS.get(code)
    if build is None:
        raise _unreadable(f"extension type {code}")
    return build(msgspec.msgpack.decode(content, ext_hook=_from_extension))


def _from_zone(zone: Any) -> dt.tzinfo | None:
    if zone is None:
        return None
    if isinstance(zone, str):
        return ZoneInfo(zone)
    days, seconds, microseconds, *name = zone
    return dt.timezone(dt.timedelta(days, seconds, microseconds), *name)


_BUILDERS: Mapping[int, Callable[[Any], Any]] = {
    _BIG_INT: lambda text: int(text, 16),
    _TUPLE: tuple,
    _SET: set,
    _FROZENSET: frozenset,
    _PAIRS: dict,
    _DATETIME: lambda parts: dt.datetime(*parts[:7]).replace(fold=parts[7], tzinfo=_from_zone(parts[8])),
    _DATE: dt.date.fromordinal,
    _TIME: lambda parts: dt.time(*parts[:4]).replace(fold=parts[4], tzinfo=_from_zone(parts[5])),
    _TIMEDELTA: lambda parts: dt.timedelta(*parts),
    _DECIMAL: Decimal,
    _UUID: lambda content: uuid.UUID(bytes=content),
}


class Entry(NamedTuple):
    """One key of a session: the bytes of its value, and when it ends of itself.

    `expires` is in seconds since the epoch; None ends with the session.
    """

    data: bytes
    expires: float | None = None

    def live(self, now: float) -> bool:
        """Tells whether the entry has not ended."""
        return self.expires is None or self.expires > now


class Flash(NamedTuple):
    """A message that is shown once: a number that no other message of the session has, and the bytes of its value."""

    number: int
    data: bytes


class Carried(NamedTuple):
    """What a request leaves for the page that it leads to: a number of its own, the page's path, the bytes, the end."""

    number: int
    path: str
    data: bytes
    expires: float


class Contents(NamedTuple):
    """A whole session: when it was first stored (seconds since the epoch), its entries by key, and its messages."""

    created: float
    entries: dict[str, Entry]
    flashes: tuple[Flash, ...] = ()  # with a default: records from before there were any have two parts
    carried: Carried | None = None


# The first byte of a stored session. It changes when what follows it does.
_FORMAT = b"\x01"
_CONTENTS: msgspec.msgpack.Decoder[Contents | None] = msgspec.msgpack.Decoder(Contents | None)

TOMBSTONE = _FORMAT + _to_bytes(None)
"""What is stored in place of a session that was destroyed, or goes on under another identifier."""


def pack_record(contents: Contents) -> bytes:
    """Gives the bytes of a whole session. Values stay as they are encoded until somebody asks for them."""
    # Without its last part where there is none: a server from before there was one reads it.
    return _FORMAT + _to_bytes(contents if contents.carried is not None else contents[:-1])


def unpack_record(data: bytes) -> Contents | None:
    """Gives a stored session, or None for a tombstone. Raises SessionDataError for what is neither."""
    if data[:1] != _FORMAT:
        raise _unreadable("another format")
    try:
        return _CONTENTS.decode(memoryview(data)[1:])
    except _BROKEN as error:
        raise _unreadable(type(error).__name__) from error
