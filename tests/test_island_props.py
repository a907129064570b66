"""What an island is made from: what a prop may be, and that a digest depends on component, props and key alone."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from hybridsite.errors import TemplateError
from hybridsite.frozen import frozen
from hybridsite.island_props import Island, island_of, read_island
from hybridsite.security import derived_key
from hybridsite.undefined import MissingValue, SiteUndefined

KEY = derived_key("pW3v8Q-zRk1xT6yLm9Dc4HjNs0FbUg7E", "islands")
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
PROPS = st.dictionaries(st.text(min_size=1), PLAIN, max_size=4)


@given(PROPS)
def test_what_a_component_gets_is_what_the_manifest_gives_back(props: dict[str, Any]) -> None:
    island = read_island("components/a.html", props)
    assert json.loads(json.dumps(island.props)) == island.props == props
    assert island_of(island.text) == island


@given(PROPS)
def test_the_order_of_props_changes_nothing(props: dict[str, Any]) -> None:
    turned = dict(reversed(props.items()))
    assert Island("components/a.html", turned).digest(KEY) == Island("components/a.html", props).digest(KEY)


@given(PROPS, PROPS)
def test_other_props_have_another_digest(one: dict[str, Any], other: dict[str, Any]) -> None:
    # JSON tells 1, 1.0 and true apart, which Python takes for equal.
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    digests = {Island("components/a.html", props).digest(KEY) for props in (one, other)}
    assert len(digests) == (1 if same else 2)


def test_a_digest_depends_on_component_and_key_too() -> None:
    # decision 14
    other_key = derived_key("another secret that is long and odd enough", "islands")
    other_purpose = derived_key("pW3v8Q-zRk1xT6yLm9Dc4HjNs0FbUg7E", "cookies")
    digests = {
        Island("components/a.html", {}).digest(KEY),
        Island("components/b.html", {}).digest(KEY),
        Island("components/a.html", {}).digest(other_key),
        Island("components/a.html", {}).digest(other_purpose),
    }
    assert len(digests) == 4


@given(PROPS)
def test_a_digest_needs_no_escape_and_has_over_128_bits(props: dict[str, Any]) -> None:
    digest = Island("components/a.html", props).digest(KEY)
    assert re.fullmatch(r"[A-Za-z0-9_-]{24}", digest)  # 6 bits each


@pytest.mark.parametrize(
    ("given", "got"),
    [
        ((1, [2]), [1, [2]]),
        (Markup("<b>"), "<b>"),
        (frozen({"a": [1, {"b": True}]}), {"a": [1, {"b": True}]}),
        (2**80, 2**80),
    ],
)
def test_a_prop_is_made_plain(given: object, got: object) -> None:
    value = read_island("components/a.html", {"product": given}).props["product"]
    assert value == got
    assert type(value) is type(got)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Decimal("1.5"), ('"product"', "Decimal", "as text")),
        (date(2026, 1, 1), ('"product"', "date")),
        ({"a": [1, {2}]}, ('"product.a[1]"', "set")),
        (float("nan"), ('"product"', "float")),
        (float("inf"), ('"product"',)),
        ({1: 2}, ("product, in the key 1", "int")),
        (b"x", ("bytes",)),
        (object, ("type",)),
    ],
)
def test_a_prop_that_is_no_json_is_told_by_key_and_type(given: object, words: tuple[str, ...]) -> None:
    with pytest.raises(TemplateError) as caught:
        read_island("components/a.html", {"product": given})
    assert [word for word in words if word not in str(caught.value)] == []


def test_a_prop_that_holds_itself_is_told() -> None:
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(TemplateError, match="nested too deep"):
        read_island("components/a.html", {"product": circle})


def test_a_prop_that_is_not_defined_is_told_as_anywhere() -> None:
    with pytest.raises(MissingValue):
        read_island("components/a.html", {"product": SiteUndefined(name="nope")})
