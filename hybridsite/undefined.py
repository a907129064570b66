"""What a template gets for what isn't there: an error that can be told, or, for the session, nothing at all."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

import jinja2
from jinja2 import StrictUndefined
from jinja2.exceptions import UndefinedError
from jinja2.utils import missing

from hybridsite.errors import Location


class MissingValue(UndefinedError):
    """Something undefined was used: a name (`owner` is None), or a key or attribute of `owner`."""

    def __init__(self, name: str, owner: object) -> None:
        super().__init__(name)
        self.name = name
        self.owner = owner


class SiteUndefined(StrictUndefined):
    """What a template gets for a name or a key that isn't there: a name can't be used, a key may be tested."""

    __slots__ = ()

    def _fail(self, *args: Any, **kwargs: Any) -> NoReturn:
        if self._undefined_name is None:
            raise UndefinedError(self._undefined_message)
        raise MissingValue(str(self._undefined_name), None if self._undefined_obj is missing else self._undefined_obj)

    __iter__ = __str__ = __len__ = __hash__ = __contains__ = __call__ = __getitem__ = _fail
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _fail
    __lt__ = __le__ = __gt__ = __ge__ = __int__ = __float__ = __mod__ = __rmod__ = __neg__ = _fail

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._fail()

    def __bool__(self) -> bool:  # type: ignore[override]
        if self._undefined_obj is missing:
            self._fail()
        return False

    def __eq__(self, other: object) -> bool:  # type: ignore[override]
        if self._undefined_obj is missing:
            self._fail()
        return isinstance(other, SiteUndefined)

    def __ne__(self, other: object) -> bool:  # type: ignore[override]
        return not self == other


class UndefinedSession(jinja2.Undefined):
    """`session` where there is none: false, not defined, prints nothing, and so does all that is asked of it.

    Asking is no error; every other use is reported with the template's line.
    """

    __slots__ = ("_report",)

    def __init__(self, report: Callable[[Location], None]) -> None:
        super().__init__(name="session")
        self._report = report

    def _use(self, *_: object, **__: object) -> UndefinedSession:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            template = frame.f_globals.get("__jinja_template__")
            if isinstance(template, jinja2.Template) and template.name:
                self._report(Location(template.name, template.get_corresponding_lineno(frame.f_lineno)))
                break
            frame = frame.f_back
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._use()

    __call__ = __getitem__ = _use  # type: ignore[assignment]

    def __str__(self) -> str:
        self._use()
        return ""

    def __iter__(self) -> Any:
        self._use()
        return iter(())

    def __len__(self) -> int:
        self._use()
        return 0

    def __contains__(self, item: object) -> bool:
        self._use()
        return False

    def __bool__(self) -> bool:
        return False
