"""What the values of entries are to a build: told apart by a text, and plain or of a type that runs Python."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from types import FunctionType, GetSetDescriptorType, MemberDescriptorType, NoneType
from typing import Any
from uuid import UUID

from hybridsite.collections import EntryReference

_SCALARS = frozenset(
    {str, int, float, bool, NoneType, bytes, complex, date, datetime, time, timedelta, Decimal, Fraction, UUID}
)
# Of these all that a template can ask for comes from the value itself, and its repr() tells all of it.
_LIBRARIES = ("pydantic.networks", "pydantic_core._pydantic_core", "markupsafe")
_NOT_OF_THE_SITE = frozenset({"abc", "builtins", "enum", "pydantic", "typing"})
_LONGEST = 40


def told(value: object) -> str:
    """Gives a short text that is the same for the same value alone, in every process; "" where there is none."""
    try:
        text = _text(value)
    except (ValueError, RecursionError):
        return ""
    return text if len(text) <= _LONGEST else hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def is_plain(value: object) -> bool:
    """Tells whether nothing that a template asks of a value runs Python of the site."""
    kind: Any = type(value)
    if kind in _SCALARS or kind is EntryReference or kind.__module__ in _LIBRARIES:
        return True
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(is_plain, value))
    if isinstance(value, Enum):
        return not runs_python(kind) and is_plain(value.value)
    parts = _parts(value)
    return parts is not None and not runs_python(kind) and all(map(is_plain, parts.values()))


@lru_cache(maxsize=256)
def runs_python(kind: Any) -> bool:
    """Tells whether a class, or one that it is derived from, defines functions or properties of its own."""
    return any(
        _is_code(name, value, each.__module__)
        for each in kind.__mro__
        if each.__module__.partition(".")[0] not in _NOT_OF_THE_SITE
        for name, value in vars(each).items()
    )


def _is_code(name: str, value: object, module: str) -> bool:
    if isinstance(value, FunctionType):  # a dataclass has some that are made for it
        return value.__module__ == module and value.__code__.co_filename not in ("<string>", dataclasses.__file__)
    if isinstance(value, GetSetDescriptorType | MemberDescriptorType) or not hasattr(type(value), "__get__"):
        return False
    return not (name.startswith("__") and type(value).__module__.startswith("pydantic"))


def fields_of(data: object) -> Mapping[str, Any] | None:
    """Gives the fields of an entry's data by their names; None where they can't be told."""
    return data if isinstance(data, Mapping) else _parts(data)


def plain(value: Any) -> Any:
    """Gives what a value stands for in an address or a group: the slug of a reference, the value of an enumeration."""
    if isinstance(value, EntryReference):
        return value.slug
    return value.value if isinstance(value, Enum) else value


def matches(value: Any, wanted: Any) -> bool:
    """Tells whether a field of an entry is what a query wants: of a list, it is enough to hold it."""
    if isinstance(value, list | tuple | set | frozenset) and not isinstance(wanted, list | tuple | set | frozenset):
        return any(matches(item, wanted) for item in value)
    if isinstance(value, EntryReference) and isinstance(wanted, str):
        return value.slug == wanted
    return bool(value == wanted or plain(value) == wanted)


def _parts(value: object) -> Mapping[str, Any] | None:
    """Gives what a model or a dataclass holds."""
    if hasattr(type(value), "model_fields"):
        return {**value.__dict__, **(getattr(value, "__pydantic_extra__", None) or {})}
    names = getattr(type(value), "__dataclass_fields__", None)
    return None if names is None else {name: getattr(value, name, None) for name in names}


def _text(value: object) -> str:
    kind = type(value)
    if kind in _SCALARS or kind.__module__ in _LIBRARIES:
        return f"{kind.__name__} {value!r}"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_text(key)}: {_text(part)}' for key, part in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"{kind.__name__}[{', '.join(map(_text, value))}]"
    if isinstance(value, set | frozenset):
        return f"set[{', '.join(sorted(map(_text, value)))}]"
    if isinstance(value, EntryReference):
        return f"@{value.collection} {value.slug!r}"
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(value, Enum):
        return f"{name}.{value.name}({_text(value.value)})"
    parts = _parts(value)
    if parts is None:
        raise ValueError(name)
    return f"{name}({_text(dict(parts))})"
