"""site.toml, read: settings with the environment's values in them, or every fault at its place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError

from hybridsite import units
from hybridsite.documents import place
from hybridsite.errors import ConfigError, Faults, Location, SiteError, did_you_mean
from hybridsite.sections import EnvironmentText
from hybridsite.settings import Settings
from hybridsite.toml_positions import KeyPath, TomlFault, key_positions, parse

__all__ = ["Settings", "json_schema", "load_settings"]

FILE: Final = "site.toml"
MAX_SIZE: Final = 1_000_000
"""The size of site.toml in bytes from which on it is refused."""

_WHEN_SERVING: Final = (
    ("server",),
    ("limits",),
    ("cache", "options"),
    *(("session", key) for key in ("options", "ttl", "max_age", "cookie")),
)
_WITH_OPTIONS: Final = ("session", "cache")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WAITING: Final = object()
"""Stands for a value that is read when a server starts."""
_KINDS: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a table",
}
_MUST: Final = {
    "missing": "has to be there",
    "string_type": "must be text in quotes",
    "string_too_short": "must not be empty",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
}


def load_settings(root: Path, environ: Mapping[str, str], *, serving: bool = False) -> Settings:
    """Reads the settings of the site in the folder `root`, with `env:NAME` read from `environ`.

    What only a server needs ([server], and [session] options, ttl, max_age and cookie) is read from the environment
    when `serving` is true; otherwise such a key has its default. Raises ConfigError, or SiteErrors where there are
    several faults.
    """
    text = _read(root)
    try:
        document = parse(text)
    except TomlFault as fault:
        at = Location(FILE, fault.line, fault.column)
        raise ConfigError(f"{FILE} is no valid TOML", why=fault.why, location=at) from None
    return _Reading(text, document, environ, serving).settings()


def _read(root: Path) -> str:
    try:
        with (root / FILE).open("rb") as file:
            data = file.read(MAX_SIZE + 1)
        if len(data) > MAX_SIZE:
            raise ConfigError(f"{FILE} is over 1 MB", location=Location(FILE))
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except (FileNotFoundError, NotADirectoryError):
        raise no_site(root) from None
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8-sig")  # not data: it may begin with a byte order mark
        what, at = f"{FILE} isn't text in UTF-8", Location(FILE, *place(before, len(before)))
        raise ConfigError(what, mend="save it as UTF-8", location=at) from None
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise ConfigError(f"{FILE} can't be read", why=reason, location=Location(FILE)) from None


def no_site(root: Path) -> ConfigError:
    """Says that a folder is no site, and which near ones are."""
    if not root.is_dir():
        return ConfigError(f'there is no folder "{root}"', mend="is the path right?")
    try:
        near = [f'"{child}"' for child in sorted(root.iterdir()) if (child / FILE).is_file()][:3]
        near += [f'"{parent}"' for parent in root.resolve().parents if (parent / FILE).is_file()][:1]
    except OSError:
        near = []
    other = f"; did you mean {' or '.join(near)}?" if near else ", or is the path right?"
    mend = (
        f"`touch {root / FILE}` makes it one, the file may be empty, and `hybridsite new` a site to begin with" + other
    )
    return ConfigError(f'the folder "{root}" is no site', why=f"it has no {FILE}", mend=mend)


class _Reading:
    """One reading of a parsed site.toml, which collects the faults of all keys."""

    def __init__(self, text: str, document: dict[str, Any], environ: Mapping[str, str], serving: bool) -> None:
        self._text = text
        self._document = document
        self._environ = environ
        self._serving = serving
        self._faults = Faults()
        self._variables: dict[KeyPath, str] = {}  # by setting: the variable that its value came from

    def settings(self) -> Settings:
        """Gives the settings, or raises all faults."""
        warnings = self._without_experimental()
        self._refuse_secrets()
        values = self._resolved(self._document, ())
        settings = Settings()
        try:
            settings = Settings.model_validate(values)
        except ValidationError as several:
            for error in several.errors(include_url=False):
                self._faults.add(self._fault(error["loc"], error["type"], error["input"], error.get("ctx", {})))
        self._faults.raise_any()
        settings._warnings = warnings
        return settings

    @cached_property
    def _positions(self) -> Mapping[KeyPath, tuple[int, int]]:
        return key_positions(self._text)

    def _at(self, path: KeyPath) -> Location:
        """Gives the place of a key, or of the nearest table around it that is written down."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._positions:
                return Location(FILE, *self._positions[path[:length]])
        return Location(FILE)

    def _without_experimental(self) -> tuple[SiteError, ...]:
        table = self._document.get("experimental")
        if not isinstance(table, dict) or "session" not in table:
            return ()
        del table["session"]
        if not table:
            del self._document["experimental"]
        why, mend = "sessions are no experiment any more, so it is ignored", "remove the line"
        return (
            ConfigError("experimental.session", why=why, mend=mend, location=self._at(("experimental", "session"))),
        )

    def _refuse_secrets(self) -> None:
        for section in _WITH_OPTIONS:
            table = self._document.get(section)
            options = table.get("options") if isinstance(table, dict) else None
            for name, value in options.items() if isinstance(options, dict) else ():
                if units.holds_secret(name, value) and not str(value).startswith("env:"):
                    self._faults.add(
                        ConfigError(
                            f"{section}.options.{name} holds a secret",
                            why="dist/ would carry it",
                            mend=f'put it into the environment and write {name} = "env:NAME"',
                            location=self._at((section, "options", name)),
                        )
                    )

    def _resolved(self, value: Any, path: KeyPath) -> Any:
        """Gives a copy of a value with `env:NAME` read from the environment, less the keys that wait for a server."""
        if isinstance(value, dict):
            resolved = ((key, self._resolved(item, (*path, key))) for key, item in value.items())
            return {key: item for key, item in resolved if item is not _WAITING}
        if isinstance(value, list):
            texts = [self._resolved(item, (*path, index)) for index, item in enumerate(value)]
            return _WAITING if _WAITING in texts else texts
        if not isinstance(value, str) or not value.startswith("env:") or not _is_setting(path):
            return value
        if not self._serving and any(path[: len(prefix)] == prefix for prefix in _WHEN_SERVING):
            return _WAITING
        name = value.removeprefix("env:")
        if name in self._environ and _VARIABLE.fullmatch(name):
            self._variables[path] = name
            return EnvironmentText(self._environ[name])
        fault = ConfigError(
            f"{_dotted(path)} reads the variable {name}, which is not set",
            mend="set it before the command, or write the value",
            location=self._at(path),
        )
        if not _VARIABLE.fullmatch(name):
            what = f"{_dotted(path)} names no variable after env:"
            fault = ConfigError(what, mend='write "env:NAME"', location=self._at(path))
        self._faults.add(fault)
        return _WAITING

    def _fault(self, path: KeyPath, kind: str, value: object, context: Mapping[str, Any]) -> ConfigError:
        """Turns one of pydantic's errors into a sentence. A value is shown only where it is one of a few words."""
        path = path[:-1] if path[-1] == "[key]" else path  # what pydantic adds where the key itself is at fault
        name, place = _dotted(path), self._at(path)
        if kind == "extra_forbidden":
            return _unknown(path, place)
        variable = next((self._variables[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self._variables), "")
        why = f"the variable {variable} holds something else" if variable else f"it is {_kind(value)}"
        mend = ""
        if kind == "literal_error":
            choices = _choices(path)
            must = "must be " + " or ".join(f'"{word}"' if isinstance(word, str) else str(word) for word in choices)
            mend = did_you_mean(value, [str(word) for word in choices]) if isinstance(value, str) else ""
            why = why if variable or not isinstance(value, int) else f"it is {value}"
        elif kind == "missing":
            must, why = _MUST[kind], ""
        elif kind == "value_error":
            must, why = str(context["error"]), why if variable else ""
        elif kind in ("greater_than_equal", "less_than_equal"):
            must = f"must be at least {context['ge']}" if "ge" in context else f"must be at most {context['le']}"
            why = why if variable else f"it is {value}"
        else:
            must = _MUST.get(kind, "has a value that it can't have")
        return ConfigError(f"{name} {must}", why=why, mend=mend, location=place)


def _unknown(path: KeyPath, location: Location) -> ConfigError:
    """Says that there is no such table or key, with the nearest, or the table where the key belongs."""
    *around, key = path
    table = _model(tuple(around))
    near = did_you_mean(str(key), table.model_fields if table else ())
    homes = [name for name in Settings.model_fields if (model := _model((name,))) and str(key) in model.model_fields]
    if not near and homes:
        near = f"it belongs to {' or '.join(f'[{home}]' for home in homes)}"
    noun = "key" if around else "table"
    mend = near or (f"the {noun}s are {', '.join(table.model_fields)}" if table else "")
    place = f" in [{_dotted(tuple(around))}]" if around else ""
    return ConfigError(f'there is no {noun} "{key}"{place}', mend=mend, location=location)


def _model(path: KeyPath) -> type[BaseModel] | None:
    """Gives the model of the table at `path`, or None where there is no such table."""
    annotation: object = Settings
    for key in path:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            field = annotation.model_fields.get(str(key))
            annotation = field.annotation if field else None
        elif get_origin(annotation) is dict:  # a table of tables, with names of the site's own
            value = get_args(annotation)[1]
            annotation = (get_args(value) or (value,))[0]
        else:
            return None
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _is_setting(path: KeyPath) -> bool:
    """Tells whether `path` leads to a setting, or into one; not to a table, nor to what doesn't exist."""
    for length in range(len(path), 0, -1):
        table = _model(path[: length - 1])
        if table is not None:
            return path[length - 1] in table.model_fields and _model(path[:length]) is None
    return False


def _choices(path: KeyPath) -> Sequence[object]:
    in_list = isinstance(path[-1], int)
    *around, key = path[:-1] if in_list else path
    table = _model(tuple(around))
    if table is None:
        return ()
    parts = get_args(table.model_fields[str(key)].annotation)
    return get_args(parts[0]) if in_list or type(None) in parts else parts


def _kind(value: object) -> str:
    return next((words for kind, words in _KINDS.items() if isinstance(value, kind)), "a date or a time")


def _dotted(path: KeyPath) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{_written(part)}" for part in path).lstrip(".")


def _written(key: str) -> str:
    return key if _BARE.fullmatch(key) else repr(key)


def setting_locations(root: Path) -> Mapping[KeyPath, Location]:
    """Gives the place of each setting in site.toml, for faults that show only once their values are used."""
    return {path: Location(FILE, *place) for path, place in key_positions(_read(root)).items()}


def json_schema() -> dict[str, object]:
    """Gives the JSON Schema of site.toml, which editors complete and check by. A setting may be `env:NAME` as well."""
    schema: dict[str, Any] = Settings.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = FILE
    for section in schema["$defs"].values():
        for key, field in section["properties"].items():
            if "$ref" not in field and key != "options":
                kept = {word: field.pop(word) for word in ("title", "description", "default") if word in field}
                section["properties"][key] = {**kept, "anyOf": [field, {"$ref": "#/$defs/Environment"}]}
    schema["$defs"]["Environment"] = {"type": "string", "pattern": f"^env:{_VARIABLE.pattern}$"}
    return schema
