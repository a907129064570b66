"""What earlier builds gave out is kept for a day, whatever lies in its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.previous import FOLDER, KEPT, Islands, keep_islands, kept_islands

NOW = 1_800_000_000.0
ONE: Islands = {"a" * 24: ("components/a.html", {"n": 1})}
OTHER: Islands = {"b" * 24: ("components/b.html", {})}


def test_each_build_has_a_day_of_its_own(tmp_path: Path) -> None:
    keep_islands(tmp_path, ONE, NOW)
    keep_islands(tmp_path, OTHER, NOW + 1000)
    assert kept_islands(tmp_path, NOW + KEPT - 1) == {**ONE, **OTHER}
    assert kept_islands(tmp_path, NOW + KEPT) == OTHER
    assert kept_islands(tmp_path, NOW + 1000 + KEPT) == {}


def test_what_is_given_out_again_begins_its_day_anew(tmp_path: Path) -> None:
    keep_islands(tmp_path, ONE, NOW)
    keep_islands(tmp_path, ONE, NOW + KEPT - 1)
    assert kept_islands(tmp_path, NOW + KEPT + 1) == ONE


def test_a_build_forgets_what_has_had_its_day(tmp_path: Path) -> None:
    keep_islands(tmp_path, ONE, NOW)
    keep_islands(tmp_path, {}, NOW + KEPT)
    assert json.loads((tmp_path / FOLDER / "islands.json").read_text("utf-8")) == {}


def test_where_nothing_was_given_out_nothing_is_written(tmp_path: Path) -> None:
    keep_islands(tmp_path, {}, NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_clock_that_was_set_back_keeps_nothing_for_ever(tmp_path: Path) -> None:
    # case C6
    keep_islands(tmp_path, ONE, NOW)
    assert kept_islands(tmp_path, NOW - 2 * KEPT) == {}


def test_only_the_owner_reads_the_props(tmp_path: Path) -> None:
    keep_islands(tmp_path, ONE, NOW)
    file = tmp_path / FOLDER / "islands.json"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@given(
    st.binary()
    | st.recursive(
        st.none() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    ).map(lambda value: json.dumps(value).encode())
)
def test_a_file_that_is_damaged_is_none(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    # case D7
    state = tmp_path_factory.mktemp("state")
    (state / FOLDER).mkdir()
    (state / FOLDER / "islands.json").write_bytes(content)
    assert kept_islands(state, NOW) == {}
    keep_islands(state, ONE, NOW)
    assert kept_islands(state, NOW) == ONE
