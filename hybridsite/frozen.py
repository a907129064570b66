"""Values that can't be changed: what all visitors share is read by everybody's code, and changed by nobody's."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, NoReturn


def _refuse(self: object, *_: object, **__: object) -> NoReturn:
    kind = "list" if isinstance(self, list) else "dict"
    raise TypeError(f"this {kind} is the same for all visitors, and can't be changed; change a copy: copy.deepcopy(…)")


class FrozenDict(dict[str, Any]):
    """A dict of data or front matter. A copy of it is a plain dict."""

    __setitem__ = __delitem__ = __ior__ = update = pop = popitem = clear = setdefault = _refuse

    def __copy__(self) -> dict[str, Any]:
        return dict(self)

    copy = __copy__

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return {key: deepcopy(value, memo) for key, value in self.items()}

    def __reduce__(self) -> tuple[type[FrozenDict], tuple[dict[str, Any]]]:
        return FrozenDict, (dict(self),)


class FrozenList(list[Any]):
    """A list in data or front matter. A copy of it is a plain list."""

    __setitem__ = __delitem__ = __iadd__ = __imul__ = append = extend = insert = _refuse
    pop = remove = clear = sort = reverse = _refuse

    def __copy__(self) -> list[Any]:
        return list(self)

    copy = __copy__

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Any]:
        return [deepcopy(value, memo) for value in self]

    def __reduce__(self) -> tuple[type[FrozenList], tuple[list[Any]]]:
        return FrozenList, (list(self),)


def frozen(value: Any) -> Any:
    """Gives a value whose dicts, lists and sets, however deep, can't be changed. One that stands twice stays one."""
    known: dict[int, Any] = {}

    def freeze(item: Any) -> Any:
        if not isinstance(item, dict | list):
            return frozenset(item) if isinstance(item, set) else item
        if id(item) not in known:
            parts = {key: freeze(part) for key, part in item.items()} if isinstance(item, dict) else map(freeze, item)
            known[id(item)] = FrozenDict(parts) if isinstance(item, dict) else FrozenList(parts)
        return known[id(item)]

    return freeze(value)
