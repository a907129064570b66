"""Times know their zone, dates compare with them, and a build's clock may be set."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.dates import aware, moment, now, zone
from hybridsite.frozen import FrozenDict, frozen

BERLIN = ZoneInfo("Europe/Berlin")


def test_utc_needs_no_database() -> None:
    assert zone("UTC") is UTC
    assert zone("Europe/Berlin") == BERLIN


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (date(2026, 5, 1), "2026-05-01T00:00:00+02:00"),
        (date(2026, 1, 1), "2026-01-01T00:00:00+01:00"),
        (datetime(2026, 5, 1, 8), "2026-05-01T08:00:00+02:00"),
        (datetime(2026, 5, 1, 8, tzinfo=UTC), "2026-05-01T08:00:00+00:00"),
        ("2026-05-01", "2026-05-01T00:00:00+02:00"),
        (" 2026-05-01T08:00:00Z ", "2026-05-01T08:00:00+00:00"),
    ],
)
def test_the_moment_of_a_date_or_a_time_or_their_text(value: object, wanted: str) -> None:
    found = moment(value, BERLIN)
    assert found is not None
    assert found.isoformat() == wanted


@pytest.mark.parametrize("value", [None, 5, "soon", "", [], True])
def test_what_is_no_date_has_no_moment(value: object) -> None:
    assert moment(value, UTC) is None


@given(
    st.recursive(
        st.datetimes() | st.dates() | st.text(max_size=3),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    )
)
def test_every_time_has_a_zone_afterwards_and_nothing_else_changes(value: Any) -> None:
    def check(before: Any, after: Any) -> None:
        if isinstance(before, datetime):
            assert after.tzinfo is BERLIN
            assert after.replace(tzinfo=None) == before
        elif isinstance(before, dict):
            assert before.keys() == after.keys()
            for key in before:
                check(before[key], after[key])
        elif isinstance(before, list):
            assert len(before) == len(after)
            for one, other in zip(before, after, strict=True):
                check(one, other)
        else:
            assert before is after

    check(value, aware(frozen(value), BERLIN))


def test_what_has_no_time_stays_the_same_object_and_the_rest_stays_read_only() -> None:
    plain = frozen({"a": [1, {"b": "c"}]})
    assert aware(plain, BERLIN) is plain
    timed = aware(frozen({"a": {"at": datetime(2026, 1, 1)}}), BERLIN)
    assert isinstance(timed["a"], FrozenDict)


def test_the_clock_of_a_build_may_be_set() -> None:
    assert now({"SOURCE_DATE_EPOCH": "0"}) == datetime(1970, 1, 1, tzinfo=UTC)
    assert abs(now({}) - datetime.now(UTC)) < timedelta(minutes=1)
    assert abs(now({"SOURCE_DATE_EPOCH": ""}) - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize("text", ["soon", "1.5", "9" * 30])
def test_a_clock_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="SOURCE_DATE_EPOCH is no number of seconds since 1970"):
        now({"SOURCE_DATE_EPOCH": text})
