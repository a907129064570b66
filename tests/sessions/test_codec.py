"""Values as bytes: each comes back as it was, equal values are equal bytes, and what can't be stored is named."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import math
import pickle
import struct
import uuid
import zoneinfo
from collections import OrderedDict, namedtuple
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import Markup

from hybridsite.errors import SessionDataError, SessionValueError
from hybridsite.sessions.codec import (
    MAX_DEPTH,
    TOMBSTONE,
    Contents,
    Entry,
    decode,
    encode,
    pack_record,
    unpack_record,
)

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
OFFSETS = st.timedeltas(dt.timedelta(hours=-23, minutes=-59), dt.timedelta(hours=23, minutes=59))
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ZONES = st.one_of(
    st.none(),
    st.just(dt.UTC),
    st.builds(dt.timezone, OFFSETS),
    st.builds(dt.timezone, OFFSETS, NAMES),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]).map(zoneinfo.ZoneInfo),
)
DECIMALS = st.one_of(
    st.decimals(allow_nan=True),
    st.sampled_from(["sNaN", "-sNaN12", "NaN7", "-0", "-0.00", "0E+5", "1E+999999", "1E-999999", "-Infinity"]).map(
        Decimal
    ),
)
HASHABLE_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**300), 2**300),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
    st.builds(lambda when, fold: when.replace(fold=fold), st.datetimes(timezones=ZONES), st.integers(0, 1)),
    st.dates(),
    st.builds(lambda when, zone, fold: when.replace(tzinfo=zone, fold=fold), st.times(), ZONES, st.integers(0, 1)),
    st.timedeltas(),
    st.uuids(),
)
# A signalling NaN has no hash, so decimals stand with the values only.
SCALARS = HASHABLE_SCALARS | DECIMALS
HASHABLES = st.recursive(
    HASHABLE_SCALARS,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(NAMES, inner, max_size=4),
        st.dictionaries(HASHABLES, inner, max_size=4),
        st.sets(HASHABLES, max_size=4),
        st.frozensets(HASHABLES, max_size=4),
    ),
    max_leaves=12,
)


def exact(value: Any) -> Any:
    """Gives something that is equal for values that are the same to the bit, and unequal for all others."""
    kind = type(value)
    if kind is float:
        return kind, struct.pack(">d", value)
    if kind in (list, tuple):
        return kind, [exact(item) for item in value]
    if kind is dict:
        return kind, [(exact(key), exact(item)) for key, item in value.items()]
    if kind in (set, frozenset):
        return kind, sorted(repr(exact(item)) for item in value)
    if kind is dt.datetime or kind is dt.time:
        return kind, value.replace(tzinfo=None), value.fold, type(value.tzinfo), repr(value.tzinfo)
    if kind is Decimal:
        return kind, value.as_tuple()
    return kind, value


@given(VALUES)
@example(float("nan"))
@example([-0.0, math.inf, -math.inf])
@example({1: "a", "1": "b", None: "c", (1, "x"): {b"y"}})
@example({True: "bool", 2: "int"})
@example(2**64)
@example(-(2**63) - 1)
@example([2**63, -(2**63), 2**64 - 1])
@example(dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN))
@example(dt.time(2, 30, fold=1, tzinfo=dt.timezone(dt.timedelta(seconds=-1), "odd")))
@example([dt.datetime.min, dt.datetime.max, dt.date.min, dt.date.max, dt.timedelta.min, dt.timedelta.max])
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    # case S14
    data = encode(value, key="k")
    back = decode(data)
    assert exact(back) == exact(value)
    assert encode(back, key="k") == data


@given(st.lists(HASHABLES, max_size=6, unique=True), st.randoms())
def test_equal_sets_are_equal_bytes(items: list[Any], random: Any) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)
    for kind in (set, frozenset):
        # Numbers of several types may be equal; then the set keeps the first, which is no other value but another type.
        if exact(kind(items)) == exact(kind(shuffled)):
            assert encode(kind(items), key="k") == encode(kind(shuffled), key="k")


def test_a_list_and_a_tuple_differ() -> None:
    assert encode([1], key="k") != encode((1,), key="k")
    assert encode({1}, key="k") != encode(frozenset({1}), key="k")
    assert encode(1, key="k") != encode(1.0, key="k") != encode(True, key="k")


class Colour(enum.IntEnum):
    RED = 1


class Name(str):
    pass


Point = namedtuple("Point", "x y")


class Zone(dt.tzinfo):
    def utcoffset(self, when: dt.datetime | None) -> dt.timedelta:
        return dt.timedelta(0)

    def dst(self, when: dt.datetime | None) -> None:
        return None

    def tzname(self, when: dt.datetime | None) -> str:
        return "zone"


def nested(depth: int, wrap: Any = lambda value: [value]) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = wrap(value)
    return value


def cycle() -> list[Any]:
    value: list[Any] = []
    value.append({"again": value})
    return value


# The value, the place that the error names, what it says of the type, and a word of the mend.
REFUSED: list[tuple[Any, str, str, str]] = [
    (object(), "cart ", "object", "plain values"),
    ([{}, {}, {"price": 1j}], "cart[2]['price'] ", "complex", "plain values"),
    ({"a": (1, {"b": len})}, "cart['a'][1]['b'] ", "builtin_function_or_method", "plain values"),
    ({frozenset({object()}): 1}, "cart[…]{…} ", "object", "plain values"),
    ({3: {print}}, "cart[3]{…} ", "builtin_function_or_method", "plain values"),
    (Colour.RED, "cart ", "Colour", "int(…)"),
    ([OrderedDict(a=1)], "cart[0] ", "collections.OrderedDict", "dict(…)"),
    (Markup("<b>"), "cart ", "markupsafe.Markup", "str(…)"),
    ({Name("a"): 1}, "cart['a'] ", "Name", "str(…)"),
    (Point(1, 2), "cart ", "Point", "tuple(…)"),
    (bytearray(b"x"), "cart ", "bytearray", "plain values"),
    (memoryview(b"x"), "cart ", "memoryview", "plain values"),
    (range(3), "cart ", "range", "plain values"),
    (functools.partial(print), "cart ", "functools.partial", "plain values"),
    (dt.datetime(2026, 1, 1, tzinfo=Zone()), "cart ", "Zone", "ZoneInfo"),
    ([dt.time(1, tzinfo=Zone())], "cart[0] ", "Zone", "ZoneInfo"),
    ("half \ud800", "cart ", "str", "Unicode"),
    ({"\udfff": 1}, "cart['\\udfff'] ", "str", "Unicode"),
    ([dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(0), "\ud800"))], "cart[0] ", "str", "Unicode"),
    (nested(MAX_DEPTH + 1), "cart[0][0][0]", "list", "flatter"),
    (nested(1000, lambda value: {"a": value}), "cart['a']['a']", "dict", "flatter"),
    (nested(1000, lambda value: (value,)), "cart[0][0]", "tuple", "flatter"),
    (nested(100_000), "cart[0][0]", "list", "flatter"),
    (cycle(), "cart[0]['again'][0]", "list", "flatter"),
    ({10**5000: object()}, "cart[…] ", "object", "plain values"),
    ({"a": 1, 2: object()}, "cart[2] ", "object", "plain values"),
]


@pytest.mark.parametrize(("value", "place", "kind", "mend"), REFUSED, ids=map(str, range(len(REFUSED))))
def test_what_can_not_be_stored_is_named(value: Any, place: str, kind: str, mend: str) -> None:
    # case S14
    with pytest.raises(SessionValueError) as caught:
        encode(value, key="cart")
    assert place in str(caught.value)
    assert kind in str(caught.value)
    assert mend in caught.value.mend
    assert len(str(caught.value)) < 400
    assert isinstance(caught.value, ValueError)


def test_a_zone_that_the_system_does_not_know_is_refused() -> None:
    with open(next(path for path in tz_files()), "rb") as file:
        private = zoneinfo.ZoneInfo.from_file(file, key="Private/Zone")
    with pytest.raises(SessionValueError, match=r"zoneinfo\.ZoneInfo"):
        encode(dt.datetime(2026, 1, 1, tzinfo=private), key="k")


def tz_files() -> list[str]:
    import os

    return [path for root in zoneinfo.TZPATH if os.path.exists(path := os.path.join(root, "Europe/Berlin"))]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: [value],
        lambda value: (value,),
        lambda value: {"a": value},
        lambda value: {1: value},
        lambda value: frozenset({value}),
    ],
)
def test_a_hundred_levels_come_back(wrap: Any) -> None:
    # case S14
    value = nested(MAX_DEPTH, wrap)
    assert decode(encode(value, key="k")) == value
    deepest_is_no_container = nested(MAX_DEPTH - 1, lambda value: [value])
    assert encode([deepest_is_no_container], key="k")


def test_the_deepest_value_may_be_of_any_scalar_type() -> None:
    value: Any = Decimal("1.50")
    for _ in range(MAX_DEPTH):
        value = [value]
    assert decode(encode(value, key="k")) == value


def test_an_odd_key_is_shown_in_quotes() -> None:
    with pytest.raises(SessionValueError, match=r"the session value 'a b'\[0\] "):
        encode([object()], key="a b")


@given(st.binary(max_size=60))
@example(b"")
@example(b"\xc1")
@example(b"\xd6\xff\0\0\0\0")  # MessagePack's own timestamp
@example(b"\x81\x90\x01")  # a map whose key is a list
@example(b"\x91" * 5000)
@example(pickle.dumps(print))
def test_broken_bytes_are_one_kind_of_error(data: bytes) -> None:
    # case S15
    for read in (decode, unpack_record, lambda data: unpack_record(b"\x01" + data)):
        try:
            read(data)
        except SessionDataError:
            continue


@given(st.integers(0, 20), VALUES, st.randoms())
def test_broken_extensions_are_one_kind_of_error(code: int, value: Any, random: Any) -> None:
    # case S15
    content = bytearray(encode(value, key="k"))
    content[random.randrange(len(content))] = random.randrange(256)
    data = msgspec.msgpack.encode(msgspec.msgpack.Ext(code, bytes(content)))
    try:
        decode(data)
    except SessionDataError:
        return


@given(VALUES, st.data())
def test_cut_off_bytes_are_an_error(value: Any, data: st.DataObject) -> None:
    # case S15
    whole = encode(value, key="k")
    with pytest.raises(SessionDataError):
        decode(whole[: data.draw(st.integers(0, len(whole) - 1))])


def test_a_pickle_is_not_run() -> None:
    # case S14
    class Evil:
        def __reduce__(self) -> Any:
            return (pytest.fail, ("it was run",))

    for read in (decode, unpack_record):
        with pytest.raises(SessionDataError):
            read(pickle.dumps(Evil()))


def test_a_zone_key_leads_nowhere_else() -> None:
    # case S15
    for key in ("../../etc/passwd", "/etc/passwd", "", "Europe", "No/Such"):
        parts = [2026, 1, 1, 0, 0, 0, 0, 0, key]
        data = msgspec.msgpack.encode(msgspec.msgpack.Ext(6, msgspec.msgpack.encode(parts)))
        with pytest.raises(SessionDataError):
            decode(data)


ENTRIES = st.dictionaries(NAMES, st.builds(Entry, st.binary(), st.none() | st.floats(allow_nan=False)))


@given(st.floats(allow_nan=False), ENTRIES)
def test_a_record_comes_back_as_it_was(created: float, entries: dict[str, Entry]) -> None:
    contents = Contents(created, entries)
    data = pack_record(contents)
    back = unpack_record(data)
    assert back == contents
    assert list(back.entries) == list(entries)
    assert data != TOMBSTONE


def test_a_tombstone_is_none() -> None:
    assert unpack_record(TOMBSTONE) is None


@pytest.mark.parametrize(
    "data", [b"", b"\x01", b"\x02\xc0", b"\x01\x93\0\0\0", b"\x01\x92\x00\xa0", pickle.dumps({}), b'{"a": 1}']
)
def test_another_program_s_record_is_an_error(data: bytes) -> None:
    # case S15
    with pytest.raises(SessionDataError, match="can't be read"):
        unpack_record(data)


def test_identifiers_of_types_are_what_they_were() -> None:
    """Bytes that an older version stored are read by this one: they never change."""
    value = [2**70, (1,), {2}, frozenset({3}), {4: 5}, dt.datetime(2026, 1, 2, tzinfo=dt.UTC), dt.date(2026, 1, 2)]
    value += [dt.time(3), dt.timedelta(4), Decimal("5.0"), uuid.UUID(int=6)]
    # One line a value: the header of the list first, then each extension's size, its code and its content.
    stored = bytes.fromhex(
        "9b"
        "c71501b43078343030303030303030303030303030303030"
        "d5029101"
        "d5039102"
        "d5049103"
        "d60591920405"
        "c70f0699cd07ea0102000000000093000000"
        "c70507ce000b4922"
        "c70708960300000000c0"
        "d60993040000"
        "d60aa3352e30"
        "c7120bc41000000000000000000000000000000006"
    )
    assert encode(value, key="k") == stored
    assert exact(decode(stored)) == exact(value)
