"""Frozen values read, compare and travel as plain ones do, and refuse every change."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.frozen import FrozenDict, FrozenList, frozen

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_a_frozen_value_is_equal_and_its_copies_are_plain(value: Any) -> None:
    shared = frozen(value)
    assert shared == value
    assert json.dumps(shared) == json.dumps(value)
    assert pickle.loads(pickle.dumps(shared)) == value
    plain = copy.deepcopy(shared)
    assert plain == value
    assert not _has_frozen(plain)


def _has_frozen(value: Any) -> bool:
    if not isinstance(value, dict | list):
        return False
    parts = value.values() if isinstance(value, dict) else value
    return isinstance(value, FrozenDict | FrozenList) or any(map(_has_frozen, parts))


def _delete(value: Any, key: Any) -> None:
    del value[key]


def _add(value: Any, other: Any) -> None:
    value += other


def _merge(value: Any, other: Any) -> None:
    value |= other


def _set(value: Any, key: Any) -> None:
    value[key] = 1


CHANGES: list[Callable[[Any], Any]] = [
    lambda data: _set(data, "a"),
    lambda data: _delete(data, "a"),
    lambda data: _merge(data, {"b": 1}),
    lambda data: data.update(b=1),
    lambda data: data.pop("a"),
    lambda data: data.popitem(),
    lambda data: data.clear(),
    lambda data: data.setdefault("b", 1),
    lambda data: _set(data["a"], 0),
    lambda data: _set(data["a"], slice(0, 1)),
    lambda data: _delete(data["a"], 0),
    lambda data: _add(data["a"], [1]),
    lambda data: data["a"].append(1),
    lambda data: data["a"].extend([1]),
    lambda data: data["a"].insert(0, 1),
    lambda data: data["a"].pop(),
    lambda data: data["a"].remove(3),
    lambda data: data["a"].clear(),
    lambda data: data["a"].sort(),
    lambda data: data["a"].reverse(),
    lambda data: _set(data["a"][1], "deep"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_refused_with_the_mend(change: Callable[[Any], Any]) -> None:
    data = frozen({"a": [3, {"deep": 1}]})
    with pytest.raises(TypeError, match="the same for all visitors"):
        change(data)
    assert data == {"a": [3, {"deep": 1}]}


def test_what_stands_twice_stays_one() -> None:
    both = {"x": [1]}
    shared = frozen({"a": both, "b": both})
    assert shared["a"] is shared["b"]


def test_what_makes_something_new_gives_plain_values() -> None:
    data = frozen({"a": [2, 1]})
    assert type(data["a"] + [3]) is list
    assert type(data.copy()) is dict
    assert sorted(data["a"]) == [1, 2]
    assert type(data | {"b": 1}) is dict
