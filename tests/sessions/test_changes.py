"""The working copy and its log: what a request sees, and what its changes make of another's session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hybridsite.errors import SessionValueError
from hybridsite.sessions.changes import Entries, WorkingCopy
from hybridsite.sessions.codec import Entry, decode, encode
from tests.sessions.support import Clock

KEYS = ("a", "b", "c")
Data = dict[str, list[int]]


class Step(NamedTuple):
    """One thing that a request does to a key whose values are lists of numbers."""

    kind: str
    key: str
    number: int


def steps(*kinds: str, keys: tuple[str, ...] = KEYS) -> st.SearchStrategy[list[Step]]:
    return st.lists(st.builds(Step, st.sampled_from(kinds), st.sampled_from(keys), st.integers(0, 99)), max_size=6)


ALL = ("put", "remove", "update", "append", "read")
STORED = st.dictionaries(st.sampled_from(KEYS), st.lists(st.integers(0, 9), max_size=2))


def entries_of(data: Data) -> Entries:
    return {key: Entry(encode(value, key=key)) for key, value in data.items()}


def data_of(entries: Entries) -> Data:
    return {key: decode(entry.data) for key, entry in entries.items()}


def adding(number: int) -> Callable[[list[int]], list[int]]:
    return lambda value: [*value, number]


def run(copy: WorkingCopy, done: list[Step]) -> None:
    """Does the steps in a working copy."""
    for kind, key, number in done:
        if kind == "put":
            copy.put(key, [number], None)
        elif kind == "remove":
            copy.remove(key)
        elif kind == "update":
            copy.update(key, adding(number), [])
        elif copy.holds(key):
            value = copy.value(key)
            if kind == "append":
                value.append(number)


def act(data: Data, done: list[Step]) -> Data:
    """Does the steps in a plain dict."""
    data = {key: list(value) for key, value in data.items()}
    for kind, key, number in done:
        if kind == "put":
            data[key] = [number]
        elif kind == "remove":
            data.pop(key, None)
        elif kind == "update":
            data[key] = [*data.get(key, []), number]
        elif kind == "append" and key in data:
            data[key].append(number)
    return data


def worked(stored: Entries, done: list[Step]) -> WorkingCopy:
    copy = WorkingCopy(stored, Clock())
    run(copy, done)
    copy.fold()
    return copy


@given(STORED, steps(*ALL))
def test_a_request_sees_what_a_dict_would_hold(stored: Data, done: list[Step]) -> None:
    copy = worked(entries_of(stored), done)
    expected = act(stored, done)
    assert {key: copy.value(key) for key in copy.live_keys()} == expected
    assert [key for key in KEYS if copy.holds(key)] == [key for key in KEYS if key in expected]
    assert data_of(copy.merged()) == expected


@given(STORED, STORED, steps(*ALL))
@example({"a": [1]}, {"a": [2]}, [Step("append", "a", 3)])
@example({"a": [1]}, {}, [Step("update", "a", 3)])
@example({}, {"a": [1]}, [Step("remove", "a", 0)])
def test_the_merge_on_anything_stored(loaded: Data, stored: Data, done: list[Step]) -> None:
    # case C2: of a key that it only updated, the updates are run on what is stored; of one that it set, deleted or
    # changed in place, its last value is kept; every other key is as it is stored
    expected = dict(stored)
    mine = act(loaded, done)
    for key in KEYS:
        # Setting a list to what it was is a change; reading one, or an append where there is none, is not.
        kinds = [step.kind for n, step in enumerate(done) if step.key == key and changes(loaded, done, n)]
        if set(kinds) == {"update"}:
            expected[key] = list(stored.get(key, [])) + [
                step.number for step in done if step.key == key and step.kind == "update"
            ]
        elif kinds:
            expected.pop(key, None)
            if key in mine:
                expected[key] = mine[key]
    copy = worked(entries_of(loaded), done)
    assert data_of(copy.merged(entries_of(stored))) == expected
    assert data_of(copy.merged(entries_of(stored))) == expected  # as often as a save is tried again


def changes(loaded: Data, done: list[Step], number: int) -> bool:
    """Tells whether a step is a change of its own: an append is, where there is a list when its turn comes."""
    step = done[number]
    if step.kind == "append":
        return step.key in act(loaded, done[:number])
    return step.kind != "read"


@given(STORED, steps(*ALL, keys=("a",)), steps(*ALL, keys=("b",)))
def test_changes_of_different_keys_both_hold(stored: Data, one: list[Step], two: list[Step]) -> None:
    # case C1, case C2
    loaded = entries_of(stored)
    first = worked(loaded, one).merged()
    second = worked(loaded, two).merged(first)
    assert data_of(second) == act(act(stored, one), two)
    other = worked(loaded, one).merged(worked(loaded, two).merged())
    assert data_of(other) == data_of(second)


@given(STORED, steps("put", "remove", "read"), steps("put", "remove"))
def test_of_one_key_the_last_save_wins(stored: Data, one: list[Step], two: list[Step]) -> None:
    # case C2
    loaded = entries_of(stored)
    merged = data_of(worked(loaded, two).merged(worked(loaded, one).merged()))
    for key in {step.key for step in two}:
        assert merged.get(key) == act(stored, two).get(key)


@given(STORED, st.lists(steps("update"), max_size=4))
def test_updates_lose_nothing(stored: Data, requests: list[list[Step]]) -> None:
    # case C1b
    loaded = current = entries_of(stored)
    for request in requests:
        current = worked(loaded, request).merged(current)
    assert data_of(current) == act(stored, [step for request in requests for step in request])


@given(STORED, steps("read"))
def test_reading_is_no_change(stored: Data, done: list[Step]) -> None:
    assert not worked(entries_of(stored), done).changed


def test_an_update_on_what_was_set_in_this_request_is_settled() -> None:
    # case C2: the set is this request's last word, so what another stored is not added to
    for before in (Step("put", "a", 1), Step("remove", "a", 1)):
        copy = worked(entries_of({"a": [0]}), [before, Step("update", "a", 2)])
        expected = [1, 2] if before.kind == "put" else [2]
        assert data_of(copy.merged(entries_of({"a": [7, 8]}))) == {"a": expected}


def test_a_change_in_place_of_what_an_update_gave_is_that_key_s_last_word() -> None:
    # case C2
    copy = WorkingCopy(entries_of({"a": [0]}), Clock())
    copy.update("a", adding(1), []).append(2)
    copy.fold()
    assert data_of(copy.merged(entries_of({"a": [7]}))) == {"a": [0, 1, 2]}


def test_an_update_runs_once_where_nobody_was_faster() -> None:
    runs: list[list[int]] = []

    def counted(value: list[int]) -> list[int]:
        runs.append(list(value))
        value.append(1)
        return value

    stored = entries_of({"a": []})
    copy = WorkingCopy(stored, Clock())
    copy.update("a", counted, [])
    copy.fold()
    assert data_of(copy.merged(stored)) == {"a": [1]}
    assert runs == [[]]
    assert data_of(copy.merged(entries_of({"a": [5]}))) == {"a": [5, 1]}
    assert data_of(copy.merged(entries_of({}))) == {"a": [1]}
    assert runs == [[], [5], []]


def test_the_same_object_is_handed_out_each_time() -> None:
    copy = WorkingCopy(entries_of({"a": [1]}), Clock())
    assert copy.value("a") is copy.value("a")
    copy.value("a").append(2)
    assert copy.value("a") == [1, 2]


def test_a_change_in_place_that_can_not_be_stored_is_named() -> None:
    # case S14
    copy = WorkingCopy(entries_of({"a": [1]}), Clock())
    copy.value("a").append({"b": object()})
    with pytest.raises(SessionValueError, match=r"a\[1\]\['b'\]"):
        copy.fold()


@pytest.mark.parametrize("kind", ["update", "append"])
def test_an_update_and_a_change_in_place_keep_a_key_s_end(kind: str) -> None:
    clock = Clock()
    ends = clock.now + 10
    stored = {"a": Entry(encode([1], key="a"), ends)}
    copy = WorkingCopy(stored, clock)
    run(copy, [Step(kind, "a", 2)])
    copy.fold()
    assert copy.merged()["a"] == Entry(encode([1, 2], key="a"), ends)
    other = {"a": Entry(encode([5], key="a"), ends + 5)}
    merged = copy.merged(other)["a"]
    assert merged.expires == (ends + 5 if kind == "update" else ends)


def test_what_has_ended_is_not_there_and_not_stored() -> None:
    clock = Clock()
    stored: dict[str, Any] = {
        "past": Entry(encode([1], key="past"), clock.now),
        "soon": Entry(encode([1], key="soon"), clock.now + 10),
    }
    copy = WorkingCopy(stored, clock)
    assert copy.live_keys() == ["soon"]
    copy.update("past", adding(2), [])
    copy.fold()
    assert data_of(copy.merged()) == {"past": [2], "soon": [1]}
    clock.now += 10
    assert data_of(copy.merged()) == {"past": [2]}
    assert data_of(copy.merged(dict(stored))) == {"past": [2]}


@pytest.mark.parametrize("ends_before", [True, False])
def test_an_update_is_not_lost_with_the_value_that_ended_under_it(ends_before: bool) -> None:
    clock = Clock()
    stored = {"a": Entry(encode([1], key="a"), clock.now + 10)}
    copy = WorkingCopy(stored, clock)
    clock.now += 10 if ends_before else 0
    copy.update("a", adding(2), [])
    clock.now += 0 if ends_before else 10
    copy.fold()
    for current in (None, stored, dict(stored), {}):
        assert copy.merged(current) == {"a": Entry(encode([2], key="a"))}
