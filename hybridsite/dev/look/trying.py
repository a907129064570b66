"""Actions, to be tried: a form made from the schema of each, sent as a browser would, answered as a script is."""

from __future__ import annotations

import inspect
import json
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlencode

from starlette.types import ASGIApp, Scope

from hybridsite.action_table import Action
from hybridsite.asking import asked
from hybridsite.errors import Location
from hybridsite.site import Site

if TYPE_CHECKING:
    from pydantic import BaseModel

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
_INPUTS = {
    "email": "email",
    "uri": "url",
    "date": "date",
    "date-time": "datetime-local",
    "time": "time",
    "password": "password",
    "binary": "file",
}
_LONG = 200
"""A text that may be longer than this gets several lines."""
_MOST_SHOWN = 20_000
_AS_JSON = "_json"
"""The field of a form that holds JSON to be sent in its place."""


@dataclass(frozen=True)
class Field:
    """One field of a form. `input` is the type of an `<input>`, or "select", "many", "area", "lines" or "json".

    `many` lets several of the options be chosen; "lines" has one value a line; what is "json" can't stand in a form.
    `value` is the text that the field begins with, `sample` what stands for it in JSON.
    """

    name: str
    input: str
    note: str
    required: bool
    value: str
    options: tuple[str, ...]
    attributes: Mapping[str, object]
    sample: object


@dataclass(frozen=True)
class Trial:
    """An action with what it takes. `sample` is JSON to begin with; `fault` why the fields aren't known.

    `by_json` where the sample is what was sent just now.
    """

    name: str
    note: str
    place: Location
    url: str
    fields: tuple[Field, ...]
    takes_form: bool
    sample: str
    fault: str = ""
    by_json: bool = False

    @property
    def has_files(self) -> bool:
        """Whether one of the fields is a file: the form is sent in parts then."""
        return any(field.input == "file" for field in self.fields)


@dataclass(frozen=True)
class Tried:
    """What an action answered: its status, the body as text, the seconds that it took, the cookies that it sets."""

    status: int
    kind: str
    text: str
    seconds: float
    cookies: tuple[str, ...]


def trials(site: Site) -> list[Trial]:
    """Gives the actions of a site."""
    return [_trial(site, action) for action in site.actions.values()]


def _trial(site: Site, action: Action) -> Trial:
    note = (inspect.getdoc(action.function) or "").partition("\n\n")[0]
    url = site.action_url(action.name)
    if action.form is None:
        return Trial(action.name, note, action.place, url, (), False, "{}")
    try:
        fields = _fields(action.form.model)
    except Exception as error:  # a model may have types of its own, whose schema is their affair
        fault = f"The schema of {action.form.model.__name__} can't be made: {error}"
        return Trial(action.name, note, action.place, url, (), True, "{}", fault)
    sample = {field.name: field.sample for field in fields if field.input != "file"}
    text = json.dumps(sample, indent=2, ensure_ascii=False)
    return Trial(action.name, note, action.place, url, fields, True, text)


def _fields(model: type[BaseModel]) -> tuple[Field, ...]:
    from pydantic.json_schema import GenerateJsonSchema

    class Schema(GenerateJsonSchema):
        """The schema of a model, with what JSON can't hold: an uploaded file."""

        def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> dict[str, Any]:
            return {"type": "string", "format": "binary"} if "IsInstance" in error_info else {}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of defaults that JSON can't hold
        schema = model.model_json_schema(schema_generator=Schema)
    known = schema.get("$defs", {})
    required = schema.get("required", ())
    return tuple(_field(name, told, known, name in required) for name, told in schema.get("properties", {}).items())


def _field(name: str, told: Mapping[str, Any], known: Mapping[str, Any], required: bool) -> Field:
    kind, optional = _plain(told, known)
    note = str(told.get("description") or kind.get("description") or "")
    default = told.get("default")
    options = _options(kind, known)
    shape = _shape(kind, known, options)
    limits = {"min": "minimum", "max": "maximum", "minlength": "minLength", "maxlength": "maxLength"}
    attributes = {word: kind[key] for word, key in limits.items() if key in kind}
    if kind.get("type") == "number":
        attributes["step"] = "any"
    sample = default if "default" in told else None if optional else _sample(kind, options)
    return Field(name, shape, note, required and not optional, _text(default), options, attributes, sample)


def _text(value: object) -> str:
    """Gives the text that a field begins with: of a list a line for each item."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "\n".join(map(_text, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _sample(kind: Mapping[str, Any], options: tuple[str, ...]) -> object:
    if kind.get("type") == "boolean":
        return False
    if options and kind.get("type") != "array":
        return options[0]
    samples = {"array": [], "object": {}, "integer": 1, "number": 1}
    return kind.get("minimum", samples.get(kind.get("type", ""), ""))


def _plain(told: Mapping[str, Any], known: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """Gives the one schema that a value has besides null, its references followed, and whether null will do."""
    choices = [each for each in told.get("anyOf", ()) if each.get("type") != "null"]
    optional = len(choices) < len(told.get("anyOf", ()))
    kind = choices[0] if choices else told
    if "$ref" in kind:
        kind = known.get(kind["$ref"].rpartition("/")[2], {})
    return kind, optional


def _options(kind: Mapping[str, Any], known: Mapping[str, Any]) -> tuple[str, ...]:
    if kind.get("type") == "array":
        return _options(_plain(kind.get("items", {}), known)[0], known)
    if kind.get("type") == "boolean":
        return ("true", "false")
    given = kind.get("enum", [kind["const"]] if "const" in kind else [])
    return tuple(str(value) for value in given)


def _shape(kind: Mapping[str, Any], known: Mapping[str, Any], options: tuple[str, ...]) -> str:
    if kind.get("type") == "array":
        items = _plain(kind.get("items", {}), known)[0]
        if items.get("format") == "binary":
            return "file"
        return "many" if options else "json" if items.get("type") in ("object", "array") else "lines"
    if options:
        return "select"
    if kind.get("type") in ("integer", "number"):
        return "number"
    if kind.get("type") == "object":
        return "json"
    return _INPUTS.get(kind.get("format", ""), "area" if kind.get("maxLength", 0) > _LONG else "text")


def with_typed(trial: Trial, kind: str, body: bytes) -> Trial:
    """Gives a trial with what was typed into its form, but for secrets and files."""
    typed: dict[str, list[str]] = {}
    if _is_form(kind):
        typed = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    if _AS_JSON in typed:
        return replace(trial, sample=typed[_AS_JSON][0], by_json=True)
    shown = {name: "\n".join(values) for name, values in typed.items()}
    fields = (
        replace(field, value=shown[field.name]) if field.name in shown and field.input != "password" else field
        for field in trial.fields
    )
    return replace(trial, fields=tuple(fields))


def _is_form(kind: str) -> bool:
    return kind.partition(";")[0].strip().lower() == FORM


def body_of(trial: Trial, kind: str, body: bytes) -> tuple[str, bytes]:
    """Gives type and body of what is sent: a field with a line for each value is taken apart into these.

    A form in parts goes on as it came; of a form with one field of JSON, that is the body.
    """
    if not _is_form(kind):
        return kind, body
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    if pairs and pairs[0][0] == _AS_JSON:
        return JSON, pairs[0][1].encode()
    lines = {field.name for field in trial.fields if field.input == "lines"}
    sent: list[tuple[str, str]] = []
    for name, value in pairs:
        values = [line for line in value.splitlines() if line.strip()] if name in lines else [value]
        sent += [(name, each) for each in values]
    return FORM, urlencode(sent).encode("ascii")


async def tried(app: ASGIApp, scope: Scope, trial: Trial, kind: str, body: bytes) -> Tried:
    """Sends a form, or JSON, to an action by all the ways of a request, with the browser's own cookies."""
    kind, body = body_of(trial, kind, body)
    kept = [pair for pair in scope["headers"] if not pair[0].startswith((b"content-", b"sec-", b"accept", b"if-"))]
    headers = [
        *kept,
        (b"accept", JSON.encode()),
        (b"content-type", kind.encode("latin-1")),
        (b"content-length", str(len(body)).encode()),
    ]
    if not any(name == b"origin" for name, _ in kept):
        headers.append((b"origin", f"{scope['scheme']}://".encode() + dict(scope["headers"])[b"host"]))
    raw = trial.url.encode("ascii")
    sent = {**scope, "path": trial.url, "raw_path": raw, "query_string": b"", "headers": headers}
    began = time.perf_counter()
    answer = await asked(app, sent, body)
    seconds = time.perf_counter() - began
    cookies = tuple(value for name, value in answer.headers if name == "set-cookie")
    found = answer.header.get("content-type", "").partition(";")[0]
    return Tried(answer.status, found, _shown(found, answer.body), seconds, cookies)


def _shown(kind: str, body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    if kind == JSON:
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
