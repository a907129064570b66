"""What a site's own Python files write above their functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])

MARK = "__hybridsite_action__"
MARKED = "__hybridsite_actions__"


def action(function: _Function) -> _Function:
    """Makes a function of actions.py one that a browser may ask for: `(context)`, or `(context, form: Model)`.

    The function stays as it is. Its module notes that it was marked, since a second one of the same name would hide it.
    """
    setattr(function, MARK, True)
    getattr(function, "__globals__", {}).setdefault(MARKED, []).append(function)
    return function
