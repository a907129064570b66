"""From a driver's name in the settings to a store: built-in ones, `package.module:Store`, and entry points."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from hybridsite.errors import DriverError, did_you_mean
from hybridsite.sessions.store import SessionStore

ENTRY_POINTS = "hybridsite.sessions"
_BUILT_IN = {
    "memory": "hybridsite.sessions.memory:MemoryStore",
    "sqlite": "hybridsite.sessions.sqlite:SqliteStore",
}
_NOT_YET = ("fs", "redis", "postgres", "upstash", "dynamodb", "key-value")
_INTERNAL_OPTIONS = ("clock",)


def create_store(driver: str, options: Mapping[str, object], *, state: Path) -> SessionStore:
    """Makes the store of a driver, not yet opened. `state` is the folder for drivers that keep files.

    Raises DriverError for an unknown driver or option, with the known ones, and for a module that can't be imported.
    """
    store = _find(driver)
    known = {
        name: parameter
        for name, parameter in inspect.signature(store).parameters.items()
        if name not in _INTERNAL_OPTIONS and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    values = dict(options)
    if driver == "sqlite":
        values["path"] = state / str(values.get("path", "sessions.db"))
    for name in options:
        if name not in known:
            mend = did_you_mean(name, known) or f"its options: {', '.join(known) or 'none'}"
            raise DriverError(f'the session driver "{driver}" has no option "{name}"', mend=mend)
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in values:
            mend = f'[session] options = {{ {name} = "…" }}'
            raise DriverError(f'the session driver "{driver}" needs the option "{name}"', mend=mend)
    made: SessionStore = store(**values)
    return made


def is_shared(driver: str) -> bool:
    """Tells whether several processes may use the driver's store at once. Raises DriverError as `create_store` does."""
    return bool(getattr(_find(driver), "shared", True))


def _find(driver: str) -> Any:
    if driver in _BUILT_IN:
        return _load(_BUILT_IN[driver], driver)
    if ":" in driver:
        return _load(driver, driver)
    strangers = {entry.name: entry.value for entry in entry_points(group=ENTRY_POINTS)}
    if driver in strangers:
        return _load(strangers[driver], driver)
    if driver in _NOT_YET:
        raise DriverError(
            f'the session driver "{driver}" is not in this version of hybridsite yet', mend='use "sqlite" or "memory"'
        )
    names = [*_BUILT_IN, *strangers]
    raise DriverError(
        f'there is no session driver "{driver}"',
        why=f"the known ones are {', '.join(sorted(names))}, and package.module:Store",
        mend=did_you_mean(driver, names),
    )


def _load(place: str, driver: str) -> Any:
    module, _, name = place.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError as error:
        mend = f"install its package: pip install {(error.name or module).partition('.')[0]}"
        raise DriverError(f'the session driver "{driver}" can\'t be imported', why=str(error), mend=mend) from error
    except AttributeError:
        raise DriverError(f'the session driver "{driver}" is not there', why=f"{module} has no {name}") from None
