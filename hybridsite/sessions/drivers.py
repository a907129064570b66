"""Session drivers by name: the built-in ones, the installed ones, and any class of the site's own."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any, Protocol, cast

from hybridsite.capabilities import Capability
from hybridsite.errors import DriverError, did_you_mean
from hybridsite.extensions import Kind, found
from hybridsite.extras import install
from hybridsite.sessions.store import Needs, Reach, SessionStore

ENTRY_POINTS = "hybridsite.sessions"


class StoreClass(Protocol):
    """What makes a store, and tells of it before it is made."""

    reach: Reach

    def __call__(self, **options: Any) -> SessionStore:
        """Makes a store."""


BUILT_IN: Mapping[str, str] = {
    "sqlite": "hybridsite.sessions.sqlite:SqliteStore",
    "memory": "hybridsite.sessions.memory:MemoryStore",
    "fs": "hybridsite.sessions.fs:FileStore",
    "redis": "hybridsite.sessions.redis:RedisStore",
    "postgres": "hybridsite.sessions.postgres:PostgresStore",
    "upstash": "hybridsite.sessions.upstash:UpstashStore",
    "dynamodb": "hybridsite.sessions.dynamodb:DynamoStore",
    "key-value": "hybridsite.sessions.key_value:KeyValueStore",
}
# What each needs of the host, told without loading it: its package need not be installed.
_NEEDS: Mapping[str, Needs] = {
    "sqlite": frozenset(("files",)),
    "memory": frozenset(("process",)),
    "fs": frozenset(("files",)),
    "redis": frozenset(("sockets",)),
    "postgres": frozenset(("sockets",)),
    "upstash": frozenset(),
    "dynamodb": frozenset(),
    "key-value": frozenset(("sockets",)),
}
_NEEDS_BY_REACH: Mapping[Reach, Needs] = {
    "process": frozenset(("process",)),
    "machine": frozenset(("files",)),
    "network": frozenset(("sockets",)),
}
# Where the drivers of files keep them below the state folder.
_PATHS = {"sqlite": "sessions.db", "fs": "sessions"}
_PARTS = ("reach", "open", "close", "read", "write", "delete", "touch", "find", "scan", "sweep")


def create_store(
    driver: str, options: Mapping[str, object], *, state: Path, environ: Mapping[str, str] | None = None
) -> SessionStore:
    """Makes the store that a driver's name, or `package.module:Class`, stands for. It is not open yet.

    `state` is the folder that the drivers of files keep them in; their `path` is relative to it. What a driver's
    `environment` names is read from `environ` where `options` doesn't say it. Raises DriverError.
    """
    make = find_store(driver)
    _check_options(driver, options, make)
    if driver in _PATHS:
        path = options.get("path", _PATHS[driver])
        if not isinstance(path, str) or not path:
            raise DriverError(f"the path of the session driver {driver} is {path!r}", mend="use text")
        options = {**options, "path": state / path}
    try:
        return make(**_from_environment(driver, options, make, environ or {}))
    except TypeError as error:
        raise DriverError(f'the session driver "{driver}" can\'t be made with its options', why=str(error)) from error


def _from_environment(
    driver: str, options: Mapping[str, object], make: StoreClass, environ: Mapping[str, str]
) -> Mapping[str, object]:
    """Adds the options that the environment gives. Raises DriverError where one that is needed is nowhere."""
    named: Mapping[str, str] = getattr(make, "environment", {})
    parameters = inspect.signature(make).parameters
    missing = [name for name in named if name not in options]
    found = {name: environ[named[name]] for name in missing if environ.get(named[name])}
    for name in missing:
        if name not in found and name in parameters and parameters[name].default is inspect.Parameter.empty:
            raise DriverError(
                f'the session driver "{driver}" lacks its {name}',
                mend=f'set {named[name]} in the environment, or [session] options = {{ {name} = "…" }}',
            )
    return {**options, **found}


def _absent(driver: str) -> str:
    if driver in BUILT_IN:
        return install(driver)
    return "install its package, or write it as package.module:Class"


_KIND = Kind("session driver", ENTRY_POINTS, DriverError, 'or name a class: "package.module:Store"', BUILT_IN, _absent)


def find_store(driver: str) -> StoreClass:
    """Imports the class of a driver. Raises DriverError for an unknown one, with the known ones and the closest."""
    store = found(_KIND, driver)
    if lacking := [part for part in _PARTS if not hasattr(store, part)]:
        raise DriverError(f'the session driver "{driver}" is no session store', why=f"it lacks {', '.join(lacking)}")
    return cast(StoreClass, store)


def needs_of(driver: str) -> Needs:
    """Tells what a driver has to find on its host. A stranger's class is imported. Raises DriverError."""
    if driver in _NEEDS:
        return _NEEDS[driver]
    store = find_store(driver)
    needs: Needs = getattr(store, "needs", _NEEDS_BY_REACH[store.reach])
    return needs


def drivers_for(offers: Set[Capability]) -> list[str]:
    """Names the built-in drivers that can work where this is offered."""
    return [driver for driver, needs in _NEEDS.items() if needs <= offers]


def _check_options(driver: str, options: Mapping[str, object], make: StoreClass) -> None:
    parameters = inspect.signature(make).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    # `clock` is for tests, and no value of site.toml could be one.
    known = [parameter.name for parameter in parameters if parameter.name != "clock"]
    for option in options:
        if option not in known:
            why = f"it knows {', '.join(known)}" if known else "it has none"
            raise DriverError(
                f'the session driver "{driver}" has no option "{option}"', why=why, mend=did_you_mean(option, known)
            )
