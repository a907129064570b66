"""Sequences of entries: asked for some, in another order, in groups; and what they remember."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.entries import Entries, Entry, Home, order
from hybridsite.errors import ContentError
from tests.publishing import SITE, site_of

HOME = cast(Home, None)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def entries(*data: dict[str, Any]) -> Entries:
    """Gives entries of data, with their numbers as slugs."""
    made = (Entry("c", str(number), MappingProxyType(each), "", False, HOME) for number, each in enumerate(data))
    return Entries("c", made, UTC)


def slugs(some: Entries) -> str:
    return "".join(entry.slug for entry in some)


INKS = entries(
    {"name": "Oak", "price": 7, "tags": ["dark", "old"], "sold": True},
    {"name": "weld", "price": 3, "tags": ["light"], "sold": False},
    {"name": "Woad", "price": None, "tags": []},
    {"name": "madder", "price": 5, "tags": ["dark"], "sold": True},
)


@pytest.mark.parametrize(
    ("ask", "wanted"),
    [
        (lambda: INKS, "0123"),
        (lambda: INKS[1:3], "12"),
        (lambda: INKS[::-1], "3210"),
        (lambda: INKS.where(sold=True), "03"),
        (lambda: INKS.where(tags="dark"), "03"),
        (lambda: INKS.where(tags="dark", price=5), "3"),
        (lambda: INKS.where(tags=["dark"]), "3"),
        (lambda: INKS.where(slug="2"), "2"),
        (lambda: INKS.where(lambda entry: entry.data["name"] > "a"), "13"),
        (lambda: INKS.sorted("name"), "3012"),
        (lambda: INKS.sorted("name", reverse=True), "2103"),
        (lambda: INKS.sorted("price"), "1302"),
        (lambda: INKS.sorted("price", reverse=True), "0312"),
        (lambda: INKS.sorted(lambda entry: len(entry.data["tags"])), "2130"),
        (lambda: INKS.where(sold=True).sorted("price")[:1], "3"),
    ],
)
def test_what_is_made_of_entries(ask: Callable[[], Entries], wanted: str) -> None:
    assert slugs(ask()) == wanted


def test_groups_have_each_value_in_order_with_its_entries() -> None:
    groups = INKS.by("tags")
    assert {tag: slugs(some) for tag, some in groups.items()} == {"dark": "03", "light": "1", "old": "0"}
    assert list(groups) == ["dark", "light", "old"]
    assert {price: slugs(some) for price, some in INKS.by("price").items()} == {3: "1", 5: "3", 7: "0"}
    with pytest.raises(TypeError):
        groups["new"] = INKS  # type: ignore[index]


def test_the_same_is_made_once() -> None:
    assert INKS.by("tags") is INKS.by("tags")
    assert INKS.sorted("name") is INKS.sorted("name")
    assert INKS.where(sold=True) is INKS.where(sold=True)
    assert INKS.where(tags=["dark"]) is not None


def test_what_is_remembered_has_a_bound() -> None:
    some = entries({"n": 1})
    for number in range(1000):
        assert len(some.where(n=number)) == (number == 1)
    assert len(some._remembered) <= 256


@pytest.mark.parametrize("ask", [lambda: INKS.where(tag="dark"), lambda: INKS.sorted("tag"), lambda: INKS.by("tag")])
def test_a_field_that_no_entry_has_is_a_fault(ask: Callable[[], object]) -> None:
    with pytest.raises(ContentError, match=r'no entry of "c" has a field "tag"; did you mean "tags"\?'):
        ask()


def test_values_that_do_not_compare_are_a_fault() -> None:
    with pytest.raises(ContentError, match='entries of "c" can\'t be sorted'):
        entries({"n": 1}, {"n": "a"}).sorted("n")


def test_entries_are_found_by_slug() -> None:
    assert INKS.get("2") is INKS[2]
    assert INKS.get("9") is None
    assert INKS.get("9", 0) == 0
    assert INKS[2] in INKS


@given(st.lists(st.tuples(st.one_of(st.none(), st.datetimes(timezones=st.just(UTC))), st.text("ab", max_size=3))))
def test_the_order_is_total_newest_first_then_by_slug(dated: list[tuple[Any, str]]) -> None:
    made = [(Entry("c", slug, MappingProxyType({}), "", False, HOME), when) for when, slug in dated]
    found = order(made)
    when = {id(entry): moment for entry, moment in made}
    keys = [(when[id(entry)] is None, -(when[id(entry)] or _EPOCH).timestamp(), entry.slug) for entry in found]
    assert keys == sorted(keys)
    assert [entry.slug for entry in found] == [entry.slug for entry in order(reversed(made))]


def test_references_are_grouped_and_matched_by_slug(tmp_path: Path) -> None:
    blog = site_of(tmp_path / "site", SITE).collection("blog")
    assert {name: slugs(some) for name, some in blog.by("author").items()} == {"ines": "first-post", "tobias": "third"}
    assert slugs(blog.where(author="ines")) == "first-post"
    assert slugs(blog.where(author=blog.get("third").data.author)) == "third"
    assert slugs(blog.sorted("author")) == "first-postthirdsecond"
