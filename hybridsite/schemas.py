"""Schemas of collections: pydantic makes data of a record, and each fault gets its place and a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

from hybridsite.collections import Resolver
from hybridsite.dates import aware
from hybridsite.documents import clause
from hybridsite.errors import ContentError, Location, SiteErrors, did_you_mean
from hybridsite.records import Record

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_OWN = ("slug", "id", "draft", "body")
"""Names that say something to hybridsite: a schema gets them only where it has a field for them."""


class Schema:
    """A pydantic model (or a dataclass, or a TypedDict) that the entries of a collection have to fit.

    `is_pure` where no Python of the site takes part in that: a validator may ask for the time, or for other files.
    """

    def __init__(self, kind: type[Any], zone: tzinfo) -> None:
        """Raises what pydantic raises for a class that it can make no schema of."""
        from pydantic import TypeAdapter

        self.name = kind.__name__
        self._zone = zone
        adapter = TypeAdapter(kind)
        self._validate = adapter.validate_python
        self.is_pure = _is_pure(adapter.core_schema)
        self.refers = _refers(adapter.core_schema)
        fields: Mapping[str, Any] = getattr(kind, "model_fields", None) or getattr(kind, "__annotations__", {})
        aliases = [getattr(field, name, None) for field in fields.values() for name in ("alias", "validation_alias")]
        self.names = {*fields, *(alias for alias in aliases if isinstance(alias, str))}
        self.needs_date = bool((date := fields.get("date")) and getattr(date, "is_required", bool)())

    def data(self, record: Record, resolver: Resolver, place: Location) -> Any:
        """Gives an entry's data. Raises ContentError, or SiteErrors where there are several faults.

        `place` is where the collection is declared: the place of faults in what a function gave.
        """
        from pydantic import ValidationError

        values = {
            name: aware(value, self._zone)
            for name, value in record.values.items()
            if name not in _OWN or name in self.names
        }
        try:
            data = self._validate(values, context={"content": resolver})
        except ValidationError as several:
            faults = [self._fault(error, record, values, place) for error in several.errors(include_url=False)]
            raise faults[0] if len(faults) == 1 else SiteErrors(faults) from None
        except (TypeError, LookupError, ArithmeticError, AttributeError) as error:  # from a validator of the site's own
            what = f"{self.name} fails for this entry"
            why = f"{type(error).__name__}: {error}"
            raise ContentError(what, why=why, location=record.place() or place) from error
        inner: dict[str, Any] = getattr(data, "__dict__", {})
        for name, value in list(inner.items()):
            if isinstance(value, datetime) and value.tzinfo is None:  # it was written as text
                inner[name] = value.replace(tzinfo=self._zone)
        return data

    def _fault(self, error: ErrorDetails, record: Record, values: Mapping[str, Any], place: Location) -> ContentError:
        way, kind, cause = error["loc"], error["type"], error.get("ctx", {}).get("error")
        at = record.place(way)
        name = ".".join(map(str, way))
        of = f' of the entry "{record.slug}"' if at is None else ""
        at = at or place
        if kind == "missing":
            near = did_you_mean(str(way[-1]), [key for key in values if key not in self.names])
            mend = near.replace("did you mean", "was it meant by") or f"add {way[-1]}: …"
            return ContentError(f'"{name}"{of} is missing', why=f"{self.name} needs it", mend=mend, location=at)
        if kind == "extra_forbidden":
            near = did_you_mean(str(way[-1]), self.names - set(_OWN)) or f"the fields: {', '.join(sorted(self.names))}"
            return ContentError(f'{self.name} has no field "{name}"', mend=near, location=at)
        why = str(cause) if isinstance(cause, ValueError | AssertionError) and str(cause) else error["msg"]
        if not name:
            return ContentError(f"the entry{of} doesn't fit {self.name}", why=clause(why), location=at)
        if kind == "reference":
            return ContentError(f'"{name}"{of} refers to no entry', why=why, location=at)
        return ContentError(f'"{name}"{of} doesn\'t fit {self.name}', why=clause(why), location=at)


def make_schema(kind: type[Any] | None, zone: tzinfo, place: Location) -> Schema | None:
    """Makes the schema of a collection that is declared at `place`. Raises ContentError for a class that is none."""
    if kind is None:
        return None
    try:
        return Schema(kind, zone)
    except Exception as error:  # whatever pydantic raises for a class
        why = str(error).partition("\n")[0]
        mend = "derive it from pydantic's BaseModel"
        raise ContentError(f"{kind.__name__} is no schema", why=why, mend=mend, location=place) from error


def _is_pure(schema: object) -> bool:
    """Tells whether pydantic's schema runs no function but pydantic's own, and what makes references."""
    if isinstance(schema, list | tuple):
        return all(map(_is_pure, schema))
    if not isinstance(schema, Mapping):
        return schema is None or isinstance(schema, str | int | float | bool | type) or not callable(schema)
    if schema.get("post_init") or schema.get("custom_init") or schema.get("type") in ("call", "callable"):
        return False
    return all(_is_own(value) or _is_pure(value) for key, value in schema.items() if key not in _NO_VALIDATION)


def _refers(schema: object) -> bool:
    """Tells whether pydantic's schema has references to entries."""
    if isinstance(schema, Mapping):
        function = schema.get("function")
        if isinstance(function, Mapping) and "hybridsite" in str(getattr(function.get("function"), "__module__", "")):
            return True
        return any(_refers(value) for key, value in schema.items() if key not in _NO_VALIDATION)
    return isinstance(schema, list | tuple) and any(map(_refers, schema))


_NO_VALIDATION = frozenset({"metadata", "serialization", "cls", "computed_fields", "ref", "schema_ref"})
_MAKERS = (list, dict, set, tuple, frozenset)


def _is_own(function: object) -> bool:
    """Tells whether a function of a schema is pydantic's, or that of a reference."""
    module = getattr(function, "__module__", None) or ""
    return (isinstance(function, type) and function in _MAKERS) or (
        callable(function) and module.partition(".")[0] in ("pydantic", "hybridsite")
    )
