"""What a build remembers of entries: front matter that comes back as it was, or is read again."""

from __future__ import annotations

from datetime import UTC, date, time, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.entry_memory import EntryMemory, pack, unpack
from hybridsite.frozen import frozen
from hybridsite.values import told

ZONES = st.none() | st.just(UTC) | st.just(timezone(timedelta(hours=5, minutes=30)))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=5)
    | st.dates()
    | st.times().map(lambda value: value.replace(fold=0))
    | st.datetimes(timezones=ZONES).map(lambda value: value.replace(fold=0))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        | st.frozensets(st.text(max_size=3) | st.integers(0, 3), max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_front_matter_comes_back_as_it_was(values: dict[str, Any]) -> None:
    given_values = {name: frozen(value) for name, value in values.items()}
    packed = pack(given_values)
    assert packed is not None
    again = unpack(packed)
    assert list(again) == list(given_values)
    assert told(dict(again)) == told(given_values)
    assert all(type(again[name]) is type(value) for name, value in given_values.items())


@pytest.mark.parametrize(
    "value",
    [{1: "a"}, {"a": {date(2024, 1, 1): 1}}, object(), "\ud800", [{"a": ("b",)}], timedelta(1), time(1, fold=1)],
    ids=["number as key", "date as key", "object", "surrogate", "tuple", "length of time", "fold"],
)
def test_what_would_not_come_back_is_not_kept(value: Any) -> None:
    assert pack({"key": value}) is None


def test_what_comes_back_can_not_be_changed() -> None:
    packed = pack({"tags": ["a"], "more": {"a": [1]}})
    assert packed is not None
    again = unpack(packed)
    with pytest.raises(TypeError):
        again["tags"].append("b")  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        again["more"]["a"].append(2)  # type: ignore[index]


def test_only_markdown_files_that_are_as_they_were_are_taken_over() -> None:
    files = {"a": "content/a.md", "b": "content/b.md", "c": "content/c.json", "d": "content/d.md"}
    known = {"blog": {slug: {"@file": file} for slug, file in files.items()}}
    heads = {file: b"" for slug, file in files.items() if slug != "d"}
    memory = EntryMemory(known, heads, {"content/b.md"}, True)
    assert list(memory.unchanged("blog")) == ["a"]
    assert memory.unchanged("other") == {}


def test_what_was_read_anew_takes_the_place_of_what_was_known() -> None:
    memory = EntryMemory({}, {"a.md": b"old", "b.md": b"kept", "gone.md": b""}, (), True)
    memory.remember("a.md", {"title": "new"})
    memory.remember("gone.md", {"title": object()})
    assert memory.kept({"blog": {"a": {"@file": "a.md"}, "b": {"@file": "b.md"}, "c": {"@file": "c.json"}}}) == {
        "a.md": pack({"title": "new"}),
        "b.md": b"kept",
    }
