"""What a table of site.toml is, and the types of its values that several tables share."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from hybridsite import units


class EnvironmentText(str):
    """A string from the environment, the only kind that is also read as a number or as true and false."""

    __slots__ = ()


Text = Annotated[str, StringConstraints(min_length=1)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(units.items)]
Origin = Annotated[str, AfterValidator(units.origin)]
Option = Annotated[
    str | int | float | bool,
    PlainValidator(units.option),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
Duration = Annotated[
    float,
    AfterValidator(units.lasting),
    BeforeValidator(units.duration),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]}),
]
Size = Annotated[
    int,
    Field(ge=1),
    BeforeValidator(units.size),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string"}]}),
]


class Section(BaseModel):
    """A table of site.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True, defer_build=True)

    @classmethod
    def usual(cls) -> Self:
        """Gives the table that isn't written down: all of its defaults.

        They need no validator, and making one for each table takes longer than reading site.toml.
        """
        return cls.model_construct()

    @field_validator("*", mode="before")
    @classmethod
    def _from_environment(cls, value: object, info: ValidationInfo) -> object:
        """Reads a variable's text as the number or the flag that the setting is; other text stays as it is."""
        if not isinstance(value, EnvironmentText):
            return value
        kinds = _kinds(cls.model_fields[info.field_name or ""].annotation)
        if value in ("true", "false") and (bool in kinds or Literal[False] in kinds):
            return value == "true"
        if kinds & {int, float} and re.fullmatch(r"-?[0-9]{1,18}", value):
            return int(value)
        if float in kinds and re.fullmatch(r"-?[0-9]{1,18}\.[0-9]{1,18}", value):
            return float(value)
        return str(value)


def _kinds(annotation: object) -> set[object]:
    """Gives a type with the types and the words that it is made of: those in `Duration | None` are found too."""
    return {annotation}.union(*map(_kinds, get_args(annotation)))
