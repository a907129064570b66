"""Places in a text, and the depth of values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.documents import MAX_DEPTH, Lines, clause, place, too_deep


@given(st.text("a\n\u2028é", max_size=40), st.data())
def test_places_count_what_stands_before(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    before = text[:offset].split("\n")
    assert place(text, offset) == Lines(text).place(offset) == (len(before), len(before[-1]) + 1)


@pytest.mark.parametrize(("message", "wanted"), [("Invalid value.", "invalid value"), ("", ""), ("x", "x")])
def test_clause(message: str, wanted: str) -> None:
    assert clause(message) == wanted


def nested(levels: int, kind: str) -> object:
    value: object = 1
    for _ in range(levels):
        value = {"a": value} if kind == "dict" else [0, value]
    return value


@pytest.mark.parametrize("kind", ["dict", "list"])
def test_too_deep(kind: str) -> None:
    assert not too_deep(nested(0, kind))
    assert not too_deep(nested(MAX_DEPTH, kind))
    assert too_deep(nested(MAX_DEPTH + 1, kind))
    assert too_deep(nested(100_000, kind))
