"""Values of a session as text and back: exactly, whatever a session holds, and nothing is run."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.dev.look.notation import NotationError, read, written
from hybridsite.sessions.codec import encode

PLAIN: Any = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.binary(),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3)), ZoneInfo("Europe/Berlin")])),
    st.times(),
    st.timedeltas(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.uuids(),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.dictionaries(st.text() | st.integers(), inner),
        st.sets(st.integers() | st.text()),
        st.frozensets(st.integers()),
    ),
    max_leaves=12,
)


@given(VALUES)
def test_what_a_session_holds_comes_back_as_it_was(value: Any) -> None:
    assert encode(read(written(value)), key="key") == encode(value, key="key")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (' {"a": [true, false, null]} ', {"a": [True, False, None]}),
        ('Decimal("1.50")', Decimal("1.50")),
        ("date(2026, 1, 2)", date(2026, 1, 2)),
        ("datetime(2026, 1, 2, 3)", datetime(2026, 1, 2, 3)),
        ("time(3, 4)", time(3, 4)),
        ('uuid.UUID("12345678123456781234567812345678")', UUID(int=0x12345678123456781234567812345678)),
        ("-3", -3),
        ("set()", set()),
    ],
)
def test_what_a_person_would_write_is_read(text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", "woad", "1 +", "1 + 1", "'a' * 10**9", "__import__('os').system('true')", "open('x')", "().__class__"),
        *("[x for x in (1,)]", "lambda: 1", "f'{1}'", "...", "1j", "{**{}}", "[*()]", "datetime.timezone.min"),
        *("UUID('x')", "Decimal()()", "date(2026, 13, 1)", "ZoneInfo('../etc/passwd')", "set([[]])", "{[]: 1}"),
        *("(" * 500 + ")" * 500, "-" * 100_000 + "1", "datetime(tzinfo=1)", "9" * 5000, "\0", "1" * (2**20 + 1)),
    ],
)
def test_what_is_no_value_is_refused_and_nothing_is_run(text: str) -> None:
    with pytest.raises(NotationError):
        read(text)
