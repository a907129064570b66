"""What the values of entries are to a build: told apart by a text, and plain or of a type that runs Python."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, HttpUrl, TypeAdapter, computed_field

from hybridsite.collections import EntryReference
from hybridsite.values import fields_of, is_plain, runs_python, told


class Colour(Enum):
    RED = "red"


class Loud(Enum):
    RED = "red"

    def shout(self) -> str:
        return self.value.upper()


class Picture(BaseModel):
    src: str
    colour: Colour = Colour.RED


class Shouting(Picture):
    @property
    def shout(self) -> str:
        return self.src.upper()


class Computed(Picture):
    @computed_field  # type: ignore[prop-decorator]
    @property
    def shout(self) -> str:
        return self.src.upper()


class Named(Picture):
    def __str__(self) -> str:
        return self.src


@dataclasses.dataclass(frozen=True)
class Point:
    x: int


URL = TypeAdapter(HttpUrl).validate_python("https://example.com/")
PLAIN: list[Any] = [
    *("a", 1, 1.5, True, None, date(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC), Decimal("1.0"), URL, Point(1)),
    *([1, "a"], {"a": [1]}, frozenset({1}), Colour.RED, Picture(src="a"), [Picture(src="a")]),
    EntryReference("authors", "ada", None),  # type: ignore[arg-type]
]
RUNS: list[Any] = [Loud.RED, Shouting(src="a"), Computed(src="a"), Named(src="a"), [Shouting(src="a")], object()]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50) | st.dates() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_what_holds_no_python_of_the_site_is_plain_and_told(value: Any) -> None:
    assert is_plain(value)
    assert told(value) != ""


@pytest.mark.parametrize("value", RUNS, ids=lambda value: type(value).__name__)
def test_what_may_run_python_of_the_site_is_not_plain(value: Any) -> None:
    assert not is_plain(value)


def test_what_is_of_no_known_kind_can_not_be_told() -> None:
    assert told(object()) == told([object()]) == ""


@given(VALUES, VALUES)
def test_two_values_are_told_alike_only_where_they_are_written_alike(one: Any, other: Any) -> None:
    assert (told(one) == told(other)) == (repr(one) == repr(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ("1", 1),
        (datetime(2024, 1, 1, tzinfo=UTC), datetime.fromisoformat("2024-01-01T01:00+01:00")),
        (["a", "b"], ["a, b"]),
        (Picture(src="a"), Picture(src="b")),
        (Picture(src="a"), Shouting(src="a")),
        (Colour.RED, Loud.RED),
    ],
)
def test_what_compares_or_looks_alike_is_told_apart(one: Any, other: Any) -> None:
    assert told(one) != told(other)


def test_a_set_is_told_alike_in_every_process() -> None:
    code = "from hybridsite.values import told; print(told({*'abcdefgh'}), told(frozenset('ab')))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            encoding="utf-8",
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_the_fields_of_data_are_those_of_mappings_models_and_dataclasses() -> None:
    assert fields_of({"a": 1}) == {"a": 1}
    assert fields_of(Picture(src="a")) == {"src": "a", "colour": Colour.RED}
    assert fields_of(Point(1)) == {"x": 1}
    assert fields_of(object()) is None


def test_a_class_with_functions_or_properties_runs_python() -> None:
    assert not runs_python(Picture)
    assert not runs_python(Point)
    assert not runs_python(Colour)
    assert runs_python(Loud)
    assert runs_python(Shouting)
    assert runs_python(Computed)
