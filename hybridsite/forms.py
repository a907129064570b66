"""The body of a request for an action: a form or JSON, read within limits, and made into a pydantic model.

pydantic is imported where a model is used: a site without actions doesn't need it here.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Collection, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, Union, get_args, get_origin

from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from hybridsite.errors import ActionError
from hybridsite.uploads import UploadFile as OwnUploadFile

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic.fields import FieldInfo

JSON = "application/json"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_CHARSETS = (b"utf-8", b"utf8", b"us-ascii")
_MOST_DEEP = 100
# A string is one token, also one that doesn't end: so each character is read once.
_JSON_LEVELS = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)
_INVALID = "Something is missing, or not as it should be."
# Of so many faults nobody reads the messages, and each costs some hundred bytes.
_MOST_FAULTS = 1000

FormValue = str | UploadFile


@dataclass(frozen=True, slots=True)
class Submission:
    """What was sent: the fields of a form, each with all its values, or the text of a JSON body."""

    form: Mapping[str, list[FormValue]] = field(default_factory=dict)
    json: str | None = None


def media_type_of(request: Request) -> str:
    """Gives the type of a request's body in lower case, without parameters; "" where there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_submission(request: Request, *, max_body: int, max_fields: int, max_files: int) -> Submission:
    """Reads the body of a request, once.

    Raises HTTPException: 400 with the reason for what is broken, or has too many fields or files; 413 for what is too
    large; 415 for a type that is neither a form nor JSON.
    """
    kind = media_type_of(request)
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        _refuse("the body is compressed")
    # As Starlette reads it. Browsers name no other, and some of Python's give text that can't be encoded, or take ages.
    if (
        parse_options_header(request.headers.get("content-type", ""))[1].get(b"charset", b"utf-8").lower()
        not in _CHARSETS
    ):
        _refuse("forms and JSON are sent as UTF-8")
    if kind == JSON:
        return Submission(json=_checked_json(await request.body()))
    if kind not in _FORMS:
        if kind or await request.body():
            raise HTTPException(415, "send a form, or JSON as application/json")
        return Submission()
    try:
        if kind == _FORMS[1] and request._form is None:
            await _read_parts(request, max_body, max_fields, max_files)
        data = await request.form(max_files=max_files, max_fields=max_fields, max_part_size=max_body)
    except MultiPartException as error:
        _refuse(error.message)
    except (ValueError, LookupError) as error:
        _refuse(f"the form can't be read: {type(error).__name__}")
    form: dict[str, list[FormValue]] = {}
    for name, value in data.multi_items():
        form.setdefault(name, []).append(_own_upload(value) if isinstance(value, UploadFile) else value)
    return Submission(form)


class _Parts(MultiPartParser):
    """Starlette's parser, which takes a form that was cut off for one that has ended."""

    ended = False

    def on_end(self) -> None:
        self.ended = True


async def _read_parts(request: Request, max_body: int, max_fields: int, max_files: int) -> None:
    async with aclosing(request.stream()) as stream:
        parser = _Parts(request.headers, stream, max_files=max_files, max_fields=max_fields, max_part_size=max_body)
        # Where Starlette keeps it: the server closes its files with the request.
        request._form = await parser.parse()
    if not parser.ended:
        for file in parser._files_to_close_on_error:
            file.close()  # the one that was cut off is in no form
        _refuse("the form is cut off")


def _own_upload(file: UploadFile) -> UploadFile:
    return OwnUploadFile(file.file, size=file.size, filename=file.filename, headers=file.headers)


def _refuse(reason: str) -> NoReturn:
    raise HTTPException(400, reason)


def _checked_json(body: bytes) -> str:
    """Gives the text of a JSON body in which nothing can be read in two ways (RFC 8259, 4, 8.1; RFC 7493, 2.3)."""
    if body.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        _refuse("the body begins with a byte order mark")
    try:
        text = body.decode("utf-8")
        if _is_too_deep(text):
            _refuse(f"the JSON is nested over {_MOST_DEEP} levels deep")
        if text.strip():
            json.loads(text, object_pairs_hook=_checked_object, parse_constant=_no_number)
    except UnicodeDecodeError:
        _refuse("the body is not UTF-8")
    except json.JSONDecodeError as error:
        _refuse(f"the body is no JSON: {error.msg} at line {error.lineno}, column {error.colno}")
    except ValueError as error:
        _refuse(str(error) if isinstance(error, _Doubtful) else "the JSON has a number that is too long")
    return text


def _is_too_deep(text: str) -> bool:
    # How deep Python's own parser goes is different from version to version.
    if text.count("[") + text.count("{") <= _MOST_DEEP:
        return False
    depth = 0
    for token in _JSON_LEVELS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > _MOST_DEEP:
            return True
    return False


class _Doubtful(ValueError):
    """JSON that two programs would read in two ways."""


def _checked_object(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _Doubtful("a key stands twice in one object of the JSON")


def _no_number(name: str) -> NoReturn:
    raise _Doubtful(f"{name} is no JSON")


@dataclass(frozen=True, slots=True)
class _Field:
    """What a form has to know of a model's field: the names it is sent by, and how its text is to be read."""

    names: tuple[str, ...]
    many: bool
    empty: Literal["kept", "none", "missing"]
    when_absent: Literal["false", "list"] | None
    secret: bool


class FormModel:
    """The pydantic model of an action, with what a browser's form can't say by itself."""

    def __init__(self, model: type[BaseModel]) -> None:
        """Raises what pydantic does for a model that it can't complete."""
        if not model.__pydantic_complete__:
            model.model_rebuild(raise_errors=True)
        self.model = model
        by_name = bool(model.model_config.get("populate_by_name") or model.model_config.get("validate_by_name"))
        self._fields = [_field_of(name, info, by_name) for name, info in model.model_fields.items()]
        self._known = {name for entry in self._fields for name in entry.names}

    def validate(self, sent: Submission) -> BaseModel:
        """Makes the model of what was sent. Raises ActionError "invalid" with the messages of each field."""
        from pydantic import ValidationError

        try:
            if sent.json is not None:
                return self.model.model_validate_json(sent.json)
            return self.model.model_validate(self._values(sent.form))
        except ValidationError as error:
            raise _as_action_error(error, whole=sent.json is not None) from None

    def typed(self, sent: Submission) -> dict[str, str | list[str]]:
        """Gives what was typed into the fields of a form, to be shown again: no secrets, no files, nothing unknown."""
        typed: dict[str, str | list[str]] = {}
        for entry in self._fields:
            for name in () if entry.secret else entry.names:
                texts = [value for value in sent.form.get(name, ()) if isinstance(value, str)]
                if texts:
                    typed[name] = texts if entry.many else texts[-1]
        return typed

    def _values(self, form: Mapping[str, list[FormValue]]) -> dict[str, object]:
        values: dict[str, object] = {
            name: sent if len(sent) > 1 else sent[0] for name, sent in form.items() if name not in self._known
        }
        for entry in self._fields:
            name = next((name for name in entry.names if name in form), None)
            if name is not None:
                _put(values, name, form[name], entry)
            elif entry.when_absent is not None and entry.names:
                values[entry.names[0]] = False if entry.when_absent == "false" else []
        return values


def _put(values: dict[str, object], name: str, sent: list[FormValue], entry: _Field) -> None:
    """Reads the values of one field: the last one counts where there is room for one alone."""
    if entry.many:
        values[name] = [value for value in sent if entry.empty == "kept" or not _is_empty(value)]
    elif not _is_empty(sent[-1]) or (entry.empty == "kept" and isinstance(sent[-1], str)):
        values[name] = sent[-1]
    elif entry.empty == "none":
        values[name] = None
    elif entry.when_absent == "false":
        values[name] = False


def _is_empty(value: FormValue) -> bool:
    # A browser sends a file field in which no file was chosen as an empty file without a name.
    return value == "" if isinstance(value, str) else not value.filename and not value.size


def _field_of(name: str, info: FieldInfo, by_name: bool) -> _Field:
    kinds = list(_alternatives(info.annotation))
    many = any(_is_list(kind) for kind in kinds)
    items = [item for kind in kinds if _is_list(kind) for item in get_args(kind) or (Any,)]
    leaves = [leaf for item in items for leaf in _alternatives(item)] if many else kinds
    optional = type(None) in kinds
    empty: Literal["kept", "none", "missing"] = "missing"
    if optional and not many:
        empty = "none"
    elif any(_takes_empty(leaf) for leaf in leaves):
        empty = "kept"
    when_absent: Literal["false", "list"] | None = None
    if info.is_required() and not optional:
        when_absent = "list" if many else "false" if bool in kinds else None
    return _Field(_names(name, info, by_name), many, empty, when_absent, _is_secret(info.annotation))


def _names(name: str, info: FieldInfo, by_name: bool) -> tuple[str, ...]:
    """Gives the names that a value is taken by, in pydantic's order. What is taken from deep inside has none."""
    alias = info.validation_alias
    choices = getattr(alias, "choices", None) or [alias]
    names = [choice for choice in choices if isinstance(choice, str)]
    return tuple(dict.fromkeys([*names, name] if alias is None or by_name else names))


def _alternatives(annotation: Any) -> Iterator[Any]:
    """Yields the types that a value may have: those of a union each, without what is noted beside them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for one in get_args(annotation):
            yield from _alternatives(one)
    elif hasattr(annotation, "__value__"):  # `type Name = …`
        yield from _alternatives(annotation.__value__)
    elif hasattr(annotation, "__supertype__"):  # NewType
        yield from _alternatives(annotation.__supertype__)
    else:
        yield annotation


def _is_list(kind: Any) -> bool:
    base = get_origin(kind) or kind
    return (
        isinstance(base, type)
        and issubclass(base, Collection)
        and not issubclass(base, str | bytes | bytearray | Mapping)
        and not hasattr(base, "__members__")
    )


def _takes_empty(kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return "" in get_args(kind)
    return kind is Any or (isinstance(kind, type) and issubclass(kind, str) and not hasattr(kind, "__members__"))


def _is_secret(annotation: Any, depth: int = 0) -> bool:
    from pydantic import Secret, SecretBytes, SecretStr

    base = get_origin(annotation) or annotation
    if isinstance(base, type) and issubclass(base, Secret | SecretStr | SecretBytes):
        return True
    inner = [*get_args(annotation), *(getattr(annotation, name, None) for name in ("__value__", "__supertype__"))]
    # An annotation may lead to itself: `type Tree = list[Tree]`.
    return depth < 10 and any(_is_secret(item, depth + 1) for item in inner if item is not None)


def _as_action_error(error: ValidationError, *, whole: bool) -> ActionError:
    """Turns pydantic's faults into messages by field. `whole` names the place inside a field, too, as JSON has it."""
    fields: dict[str, list[str]] = {}
    general: list[str] = []
    faults = error.errors(include_url=False, include_input=False) if error.error_count() <= _MOST_FAULTS else []
    for fault in faults:
        cause = fault.get("ctx", {}).get("error")
        message = str(cause) if isinstance(cause, ValueError | AssertionError) and str(cause) else fault["msg"]
        place = [str(part) for part in fault["loc"]]
        if not place:
            general.append(message)
            continue
        told = fields.setdefault(".".join(place) if whole else place[0], [])
        if message not in told:
            told.append(message)
    return ActionError("invalid", " ".join(dict.fromkeys(general)) or _INVALID, fields=fields)
