"""What one build remembers of entries for the next, so that the files which are as they were need not be read again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import partial
from types import MappingProxyType
from typing import Any

import msgspec

from hybridsite.frozen import frozen
from hybridsite.used import FILE

Fields = dict[str, str]
"""What is told of one entry by the names of its fields: `.title` of its data, `@file` and its like of itself."""
Known = dict[str, dict[str, Fields]]
"""The entries of every collection by slug, in the order of each collection."""

MOMENT = "@moment"
"""The time by which an entry is ordered, where it has one."""
GROUPS = "#"
"""Before the name of a field that `paths` groups entries by: the groups that an entry is in, a line for each."""

_DATE, _TIME, _MOMENT, _SET, _NUMBER = range(1, 6)


@dataclass(frozen=True, slots=True)
class EntryMemory:
    """What the last build knew of entries, and what this one reads for the next.

    `known` has their fields, `heads` the front matter of their files, packed. `changed` names the files that are others
    than they were; `holds` is false where all entries have to be made anew, since the Python or the settings of the
    site have changed.
    """

    known: Known = field(default_factory=dict)
    heads: Mapping[str, bytes] = field(default_factory=dict)
    changed: Collection[str] = ()
    holds: bool = False
    read: dict[str, bytes] = field(default_factory=dict)

    def unchanged(self, collection: str) -> dict[str, Fields]:
        """Gives the entries of Markdown files that are as they were, by slug, in the collection's order."""
        known = self.known.get(collection, {})
        return {slug: fields for slug, fields in known.items() if self._holds(fields[FILE])}

    def _holds(self, file: str) -> bool:
        return file.endswith(".md") and file not in self.changed and file in self.heads

    def values(self, file: str) -> Mapping[str, object]:
        """Gives the front matter of a file that is as it was."""
        return unpack(self.heads[file])

    def remember(self, file: str, values: Mapping[str, Any]) -> None:
        """Keeps the front matter of a file for the next build, where it can be written down."""
        packed = pack(values)
        if packed is not None:
            self.read[file] = packed

    def kept(self, entries: Known) -> dict[str, bytes]:
        """Gives the front matter of the files of all entries, as far as it is known."""
        files = [fields[FILE] for known in entries.values() for fields in known.values()]
        found = {file: self.read.get(file) or self.heads.get(file) for file in files}
        return {file: packed for file, packed in found.items() if packed is not None}


def pack(values: Mapping[str, Any]) -> bytes | None:
    """Writes front matter down; None for what would not come back as it is."""
    try:
        return _encode(dict(values) if all(type(value) is str for value in values.values()) else _plain(values))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None


def unpack(packed: bytes) -> Mapping[str, object]:
    """Reads front matter that `pack` has written."""
    values = _decode(packed)
    return MappingProxyType(
        {name: frozen(value) if type(value) in (dict, list, set) else value for name, value in values.items()}
    )


_encode = msgspec.msgpack.encode


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in (str, bool, float, bytes) or value is None:
        return value
    if kind is int:
        return value if -(2**63) <= value < 2**63 else _ext(_NUMBER, str(value).encode())
    if kind in (datetime, time) and value.fold:  # which ISO 8601 can't say
        raise TypeError("fold")
    if kind is datetime:
        return _ext(_MOMENT, value.isoformat().encode())
    if kind is date:
        return _ext(_DATE, value.isoformat().encode())
    if kind is time:
        return _ext(_TIME, value.isoformat().encode())
    if isinstance(value, Mapping):
        if not all(type(key) is str for key in value):
            raise TypeError("a key that is no text")
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, frozenset):
        return _ext(_SET, _encode(sorted((_plain(part) for part in value), key=repr)))
    raise TypeError(kind.__name__)


_ext = msgspec.msgpack.Ext


def _of_ext(code: int, data: memoryview) -> object:
    if code == _SET:
        return set(_decode_any(data))
    text = bytes(data).decode()
    return _READERS[code](text)


_READERS: Mapping[int, Callable[[str], object]] = {
    _DATE: date.fromisoformat,
    _TIME: time.fromisoformat,
    _MOMENT: datetime.fromisoformat,
    _NUMBER: int,
}
_decode_any = partial(msgspec.msgpack.decode, ext_hook=_of_ext)
_decode = msgspec.msgpack.Decoder(dict[str, Any], ext_hook=_of_ext).decode
