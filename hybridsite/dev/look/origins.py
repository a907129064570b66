"""The settings of a site, each with where its value came from: its line in site.toml, the environment, a default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hybridsite.config import FILE, load_settings, setting_locations
from hybridsite.dev.error_page import EDITOR_VARIABLE
from hybridsite.dev.faults import MASKED
from hybridsite.errors import Location
from hybridsite.places import STATE_VARIABLE, state_folder
from hybridsite.security import SECRET_VARIABLE
from hybridsite.settings import Settings
from hybridsite.sources import read_text
from hybridsite.toml_positions import KeyPath, parse
from hybridsite.units import holds_secret, told

PORT = 8000
"""The port of dev where nobody names one."""


@dataclass(frozen=True)
class Setting:
    """A setting as it holds: its name in its table, its value as text, and where that came from.

    `origin` says it in a word or two: "default", "site.toml", "environment", "plugin", "host"; `variable` is the name
    of the variable, `place` the line. `is_set` for all but defaults.
    """

    name: str
    value: str
    origin: str
    note: str = ""
    place: Location | None = None
    variable: str = ""

    @property
    def is_set(self) -> bool:
        """Whether somebody chose the value."""
        return self.origin not in ("default", "host")


@dataclass(frozen=True)
class Table:
    """A table of site.toml with its settings; `is_run` for what no table says."""

    name: str
    note: str
    settings: tuple[Setting, ...]
    is_run: bool = False


@dataclass(frozen=True)
class Flags:
    """What the command line of this run said, None where it said nothing, and the port that was taken."""

    host: str | None = None
    port: int | None = None
    listening: int | None = None


NO_FLAGS = Flags()


def run_facts(root: Path, environ: Mapping[str, str], flags: Flags) -> Table:
    """Gives what holds for this run of dev alone, and no line of site.toml says."""
    address = Setting("address", flags.host or "127.0.0.1", "flag --host" if flags.host else "default")
    wanted = PORT if flags.port is None else flags.port
    origin = "default" if flags.port is None else "flag --port"
    if wanted and flags.listening not in (None, wanted):
        origin = f"next free one after {wanted}"
    port = Setting("port", str(flags.listening or wanted), origin)
    secret = environ.get(SECRET_VARIABLE)
    state = state_folder(root, environ)
    rows = (
        address,
        port,
        Setting("secret", MASKED, "environment", variable=SECRET_VARIABLE)
        if secret is not None
        else Setting("secret", MASKED, "default", f"made once, and kept in {state / 'secret'}"),
        _from_variable("state", str(state), environ, STATE_VARIABLE),
        _from_variable("editor", environ.get(EDITOR_VARIABLE, ""), environ, EDITOR_VARIABLE, "VISUAL", "EDITOR"),
    )
    return Table("this run", "What the command line and the environment say.", rows, is_run=True)


def _from_variable(name: str, value: str, environ: Mapping[str, str], *variables: str) -> Setting:
    found = next((variable for variable in variables if environ.get(variable)), "")
    if not found:
        return Setting(name, value or "vscode", "default")
    return Setting(name, value or environ[found], "environment", variable=found)


def tables(root: Path, settings: Settings, environ: Mapping[str, str]) -> list[Table]:
    """Gives every table with every setting. Raises SiteError and SiteErrors where site.toml is at fault by now."""
    places = setting_locations(root)
    document = parse(read_text(root / FILE, FILE))
    written = load_settings(root, environ, serving=True)
    reading = _Reading(places, document, written)
    top: list[Setting] = []
    found: list[Table] = []
    for name, field in Settings.model_fields.items():
        value, note = getattr(settings, name), field.description or ""
        if isinstance(value, BaseModel):
            found.append(Table(name, (type(value).__doc__ or "").strip(), tuple(reading.of(value, (name,)))))
        elif isinstance(value, Mapping) and value:
            found.append(Table(name, note, tuple(reading.of_value((name,), value, ""))))
        else:
            top += reading.of_value((name,), value, note)
    return [Table("", "", tuple(top)), *found]


class _Reading:
    """One look at the settings, beside what site.toml says and what was read from it."""

    def __init__(self, places: Mapping[KeyPath, Location], document: Mapping[str, Any], written: Settings) -> None:
        self._places = places
        self._document = document
        self._written = written

    def of(self, section: BaseModel, path: KeyPath) -> Iterator[Setting]:
        """Yields the settings of a table, those of the tables in it with their names before them."""
        for name, field in type(section).model_fields.items():
            value = getattr(section, name)
            if isinstance(value, BaseModel):
                yield from self.of(value, (*path, name))
            else:
                yield from self.of_value((*path, name), value, field.description or "")

    def of_value(self, path: KeyPath, value: Any, note: str) -> Iterator[Setting]:
        """Yields a setting; one for each key, where it is a table whose keys are the site's own."""
        if isinstance(value, Mapping) and value:
            for key, item in value.items():
                yield self._setting((*path, str(key)), item, note)
            return
        yield self._setting(path, value, note)

    def _setting(self, path: KeyPath, value: Any, note: str) -> Setting:
        name = ".".join(map(str, path[1:] if len(path) > 1 else path))
        said = _at(self._document, path)
        place = next((self._places[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self._places), None)
        variable = said.removeprefix("env:") if isinstance(said, str) and said.startswith("env:") else ""
        text = _text(path, value, secret=bool(variable) and "options" in path)
        is_hosts = path == ("session", "driver") and said is None and value is False
        if value != _of(self._written, path):
            return Setting(name, text, "host" if is_hosts else "plugin", note)
        if variable:
            return Setting(name, text, "environment", note, place, variable)
        if said is not None:
            return Setting(name, text, FILE, note, place)
        return Setting(name, text, "default", note)


def _at(document: Any, path: KeyPath) -> Any:
    for key in path:
        if not isinstance(document, Mapping) or key not in document:
            return None
        document = document[key]
    return document


def _of(settings: Any, path: KeyPath) -> Any:
    for key in path:
        settings = settings.get(key) if isinstance(settings, Mapping) else getattr(settings, str(key), None)
    return settings


def _text(path: KeyPath, value: Any, *, secret: bool) -> str:
    """Writes a value as it might stand in site.toml, unless it is a secret."""
    return MASKED if secret else _unless_secret(str(path[-1]), value)


def _unless_secret(name: str, value: Any) -> str:
    return MASKED if value and holds_secret(name, value) else _written(value)


def _written(value: Any) -> str:
    match value:
        case None:
            return "—"
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case int() if value >= 2**20 and not value % 2**20:
            return f'"{value // 2**20}MiB"'
        case float():
            return told(value)
        case BaseModel():
            return _written({name: getattr(value, name) for name in sorted(value.model_fields_set)})
        case Mapping():
            return (
                "{ " + ", ".join(f"{name} = {_unless_secret(str(name), each)}" for name, each in value.items()) + " }"
            )
        case tuple() | list():
            return "[" + ", ".join(map(_written, value)) + "]"
    return str(value)
