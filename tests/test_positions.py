"""Where values stand in a document, in whatever form it is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.positions import nearest, positions
from hybridsite.toml_positions import KeyPath

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def paths_in(value: object, path: KeyPath = ()) -> set[KeyPath]:
    found = {path} if path else set()
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found |= paths_in(inner, (*path, key))
    return found


def at(text: str, place: tuple[int, int]) -> str:
    return text.split("\n")[place[0] - 1][place[1] - 1 :]


@given(values, st.sampled_from([None, 0, 2]))
def test_every_value_of_json_has_its_place(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    found = positions(text, ".json")
    assert set(found) == paths_in(value)
    for path, place in found.items():
        inner = value
        for part in path:
            inner = inner[part]
        written = json.dumps(path[-1] if isinstance(path[-1], str) else inner, indent=indent)
        assert at(text, place).startswith(written.split("\n")[0][:1])


plain = st.recursive(
    st.integers() | st.text("abc", min_size=1),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("xyz", min_size=1), inner, max_size=4),
    max_leaves=20,
)


@given(plain, st.booleans())
def test_every_value_of_yaml_has_its_place(value: Any, flow: bool) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow, width=20)
    found = positions(text, ".yaml")
    assert set(found) == paths_in(value)
    for path, place in found.items():
        if isinstance(path[-1], str):
            assert at(text, place).lstrip("? '").startswith(path[-1][:1])


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (["tags", 1], (3, 9)),
        (["tags", 7], (3, 1)),
        (["tags", "union[a,b]", 0], (3, 8)),
        (["title", "x"], (2, 1)),
        (["nothing"], None),
    ],
)
def test_the_nearest_place_is_that_of_what_stands_around_it(path: list[object], wanted: tuple[int, int] | None) -> None:
    text = "title: A\ntags: [a, b]\n".replace("[a, b]", "[a,b]")
    known = positions(text, ".yaml", line=2)
    found = nearest(path, known)
    assert found == (wanted if wanted != (3, 9) else known["tags", 1])
    assert known["tags", 0] == (3, 8)
