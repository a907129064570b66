"""YAML: plain values only, and each fault at its place."""

from __future__ import annotations

import datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.documents import MAX_DEPTH
from hybridsite.errors import SourceError
from hybridsite.yamldoc import Part, read_mapping, read_value

BOMB = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefg", "bcdefgh", strict=True)
)


def part(text: str, line: int = 1) -> Part:
    return Part(text, "data/x.yaml", "the file", SourceError, line)


def fault(text: str, *, mapping: bool = False, line: int = 1) -> str:
    with pytest.raises(SourceError) as caught:
        (read_mapping if mapping else read_value)(part(text, line))
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing\n", None),
        ("---\n", None),
        ("just text", "just text"),
        ("- 1\n- true\n- null\n- .inf\n", [1, True, None, float("inf")]),
        ("2024: a\ntrue: b\n", {2024: "a", True: "b"}),
        ("a: 2026-03-01\n", {"a": datetime.date(2026, 3, 1)}),
        ("base: &b {x: 1}\nmore:\n  <<: *b\n  x: 2\n", {"base": {"x": 1}, "more": {"x": 2}}),
        ("a: &t tea\nb: *t\n", {"a": "tea", "b": "tea"}),
        ("a: !!str 1\n", {"a": "1"}),
        ("%YAML 1.1\n---\na: 1\n...\n", {"a": 1}),
        ("a: '😀\u2028é'\nb: \ufeff\n", {"a": "😀\u2028é", "b": "\ufeff"}),
    ],
)
def test_values(text: str, value: object) -> None:
    assert read_value(part(text)) == value


# Line ends of Unicode are left out: PyYAML writes them as they are, and YAML folds them into spaces.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029"))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abé: '\"#", max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(PLAIN, st.booleans(), st.booleans())
def test_what_was_written_is_read(value: object, flow: bool, as_is: bool) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=as_is)
    assert read_value(part(text)) == value


# case D3
@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a: 1\na: 2\n", 2, 1, ('the key "a" stands twice', "on line 1 already")),
        ("list:\n  - {b: 1,\n     b: 2}\n", 3, 6, ('the key "b" stands twice', "on line 2")),
        ("a: 1\n'a': 2\n", 2, 1, ("stands twice",)),
        ("a: 1\n\tb: 2\n", 2, 1, ("there is a tab", "spaces")),
        ("a:\n\t- 1\n", 2, 1, ("there is a tab",)),
        ("a: b: c\n", 1, 5, ("no valid YAML", "in quotes")),
        ("a: [1, 2\nb: 3\n", 2, 2, ("no valid YAML",)),
        ("a: 'x\n", 2, 1, ("no valid YAML",)),
        ("a: @x\n", 1, 4, ("no valid YAML",)),
        ("a: *nothing\n", 1, 4, ("no valid YAML", "undefined alias")),
        ("a: 1\n---\nb: 2\n", 2, 1, ("several documents", "keep one")),
        (
            "x: 1\na: !!python/object/apply:os.system [true]\n",
            2,
            4,
            ("!!python/object/apply:os.system", "builds an object"),
        ),
        ("a: !!python/name:os.system\n", 1, 4, ("builds an object", "the file holds plain values only")),
        ("a: !secret x\n", 1, 4, ("the tag !secret", "take the tag away")),
        ("a: 2026-13-45\n", 1, 4, ('"2026-13-45" is no timestamp', "month", "quotes")),
        ("b: 1\na: !!int x\n", 2, 4, ('"x" is no int',)),
        ("a: !!bool x\n", 1, 4, ('"x" is no bool',)),
        ("a: !!timestamp x\n", 1, 4, ('"x" is no timestamp',)),
        (f"a: {'9' * 5000}\n", 1, 4, ("is no int", "…")),
        ("[a]: 1\n", 1, 1, ("unhashable",)),
        ("a: \x01\n", 1, 4, ("U+0001", "escape")),
        ("a: \ud800\n", 1, 4, ("U+D800",)),
        ("a: \x7f\n", 1, 4, ("U+007F",)),
        ("a: &a [*a]\n", 1, 4, ("refers to itself",)),
        ("&m a: {b: &x {c: *x}}\n", 1, 11, ("refers to itself",)),
        ("\na: " + "[" * 101 + "]" * 101, 2, 4 + MAX_DEPTH - 1, ("nested too deep", "100 levels")),
        ("a: " + "[" * 1_000_000, 1, 1003, ("nested too deep",)),
        ("- " * 100_000 + "1", 1, None, ("nested too deep",)),
        (BOMB, 5, 4, ("explodes", "write the values out")),
    ],
)
def test_faults(text: str, line: int, column: int | None, words: tuple[str, ...]) -> None:
    message = fault(text)
    assert message.startswith(f"data/x.yaml:{line}:{column}: " if column else f"data/x.yaml:{line}:")
    for word in words:
        assert word in message
    assert len(message) < 400


def test_a_fault_stands_where_the_file_has_it() -> None:
    assert fault("a: 1\nb: [\n", line=5).startswith("data/x.yaml:7:1: ")
    assert "it is on line 8 already" in fault("a: 1\nb: 2\nb: 3\n", line=7)


def test_line_ends_that_only_yaml_knows_are_not_counted() -> None:
    assert fault('a: "\u2028\x85"\nb: 1\nb: 2\n').startswith("data/x.yaml:3:1: ")
    assert read_mapping(part('a: "\u2028"\nb: 1\n'))[1] == {"a": (1, 1), "b": (2, 1)}


def test_many_values_and_many_aliases_are_no_explosion() -> None:
    assert read_value(part(f"[{'1,' * 150_000}]")) == [1] * 150_000
    assert read_value(part(f"a: &a {{x: 1}}\nb: [{'*a,' * 500}]")) == {"a": {"x": 1}, "b": [{"x": 1}] * 500}


def test_a_mapping_gives_the_places_of_its_keys() -> None:
    values, positions = read_mapping(part('# c\ntitle: A\n"two words": {in: 1}\n? long\n: 2\n', line=4))
    assert values == {"title": "A", "two words": {"in": 1}, "long": 2}
    assert positions == {"title": (5, 1), "two words": (6, 1), "long": (7, 3)}
    assert read_mapping(part("{a: 1, b: 2}"))[1] == {"a": (1, 2), "b": (1, 8)}


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n"])
def test_an_empty_mapping(text: str) -> None:
    assert read_mapping(part(text)) == ({}, {})


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("\njust text\n", 2, 1, ("is no mapping of keys to values",)),
        ("- a\n", 1, 1, ("is no mapping",)),
        ("null\n", 1, 1, ("is no mapping",)),
        ("a: 1\n404: x\n", 2, 1, ('the key "404" is no text', "YAML reads it as int", "in quotes")),
        ("no: x\n", 1, 1, ('the key "no"', "bool")),
        ("? [a]\n: x\n", 1, 3, ("a list or a mapping", "is no text")),
    ],
)
def test_what_is_no_mapping_of_text(text: str, line: int, column: int, words: tuple[str, ...]) -> None:
    message = fault(text, mapping=True)
    assert message.startswith(f"data/x.yaml:{line}:{column}: ")
    for word in words:
        assert word in message
