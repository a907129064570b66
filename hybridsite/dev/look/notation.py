"""Values of a session as text and back: Python's own notation, of which nothing is ever run."""

from __future__ import annotations

import ast
import datetime
import decimal
import uuid
import zoneinfo
from collections.abc import Callable, Mapping
from pprint import pformat
from typing import Any

LONGEST = 2**20
"""The most characters of a text that is read."""
_WIDTH = 78
_NAMES: Mapping[str, Any] = {"true": True, "false": False, "null": None}
# By the names that repr() writes, with and without their modules.
_CALLS: Mapping[str, Callable[..., Any]] = {
    "datetime.datetime": datetime.datetime,
    "datetime.date": datetime.date,
    "datetime.time": datetime.time,
    "datetime.timedelta": datetime.timedelta,
    "datetime.timezone": datetime.timezone,
    "zoneinfo.ZoneInfo": zoneinfo.ZoneInfo,
    "ZoneInfo": zoneinfo.ZoneInfo,
    "Decimal": decimal.Decimal,
    "UUID": uuid.UUID,
    "set": set,
    "frozenset": frozenset,
}
_UTC = "datetime.timezone.utc"


class NotationError(ValueError):
    """A text is no value that a session can hold: the reason, as a clause."""


def written(value: object) -> str:
    """Gives a value as Python writes it, in lines of a width that can be read."""
    return pformat(value, width=_WIDTH, sort_dicts=False)


def read(text: str) -> Any:
    """Reads what `written` gives, and JSON as well. Raises NotationError."""
    if len(text) > LONGEST:
        raise NotationError(f"the text has over {LONGEST:,} characters")
    try:
        return _value(ast.parse(text.strip(), mode="eval").body)
    except NotationError:
        raise
    except SyntaxError as error:
        where = f" at line {error.lineno}, column {error.offset}" if error.lineno else ""
        raise NotationError(f"that is no value: {error.msg}{where}; text stands in quotes") from None
    except (RecursionError, MemoryError):
        raise NotationError("the value is nested too deep") from None
    except (ValueError, TypeError, OverflowError, ArithmeticError, OSError, KeyError) as error:
        raise NotationError(f"{type(error).__name__}: {error}") from None


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value) if value is not ... and not isinstance(value, complex):
            return value
        case ast.Name(id=name) if name in _NAMES:
            return _NAMES[name]
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
        case ast.Set(elts=items):
            return {_value(item) for item in items}
        case ast.Dict(keys=keys, values=values) if all(keys):
            pairs = zip(keys, values, strict=True)
            return {_value(key): _value(value) for key, value in pairs if key is not None}
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.Attribute() if ast.unparse(node) == _UTC:
            return datetime.UTC
        case ast.Call(func=ast.Name() | ast.Attribute() as function, args=items, keywords=named):
            return _made(ast.unparse(function), items, named)
    raise NotationError(f"`{ast.unparse(node)[:60]}` is no value: text stands in quotes, and nothing is computed")


def _made(name: str, items: list[ast.expr], named: list[ast.keyword]) -> Any:
    make = _CALLS.get(name) or _CALLS.get(f"datetime.{name}") or _CALLS.get(name.rpartition(".")[2])
    if make is None:
        raise NotationError(f"`{name}` is none of the types of a session: {', '.join(sorted(_CALLS))}")
    return make(*map(_value, items), **{one.arg: _value(one.value) for one in named if one.arg is not None})
