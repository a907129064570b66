"""Plain front matter is read as YAML reads it, or not at all."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridsite.errors import FrontMatterError
from hybridsite.plain_yaml import read_plain
from hybridsite.yamldoc import Part, read_mapping

WORDS = ("Oak gall", "a", "it's", "yes", "No", "TRUE", "null", "y", "on", "~", "<<", "=", "nan", ".inf", "1e3", "0o7")
MARKS = (": ", " #", "#", "- ", "? ", ", ", ",", "[", "]", "{", "}", '"', "'", "&", "*", "!", "|", ">", "%", "@", "`")
OTHERS = ("\\", "\t", " ", "  ", "\n", "\u00a0", "\u2028", "\u0085", "\u00ad", "é", "中", "🛒", "…", "0", "12", "-3")
pieces = st.one_of(st.sampled_from(WORDS + MARKS + OTHERS), st.text(max_size=3))
values = st.one_of(
    st.lists(pieces, max_size=4).map("".join),
    st.lists(pieces, max_size=3).map(lambda parts: f'"{"".join(parts)}"'),
    st.lists(pieces, max_size=3).map(lambda parts: f"'{''.join(parts)}'"),
    st.lists(pieces, max_size=4).map(lambda parts: f"[{', '.join(parts)}]"),
    st.lists(pieces, max_size=3).map(lambda parts: "".join(f"\n  - {part}" for part in parts)),
    st.integers(-(10**20), 10**20).map(str),
    st.dates().map(str),
    st.sampled_from(["2024-13-45", "0000-01-01", "012", "1_000", "0x1F", "12:30", "1.5", "-0", "", "[]", "|\n  a"]),
)
keys = st.sampled_from(["title", "date", "on", "Null", "a-b", "_a", "é", "1", '"q"', "tags", "x" * 101])
lines = st.tuples(keys, st.sampled_from([": ", ":", ":  ", " : "]), values, st.sampled_from(["\n", " \n", "\n\n"]))


@settings(max_examples=500)
@given(st.lists(lines.map("".join), max_size=4).map("".join))
def test_what_is_read_plainly_is_what_yaml_says(text: str) -> None:
    plain = read_plain(text, line=2)
    if plain is not None:
        known, places = read_mapping(Part(text, "a.md", "the front matter", FrontMatterError, line=2))
        assert plain == (known, places)
        assert repr(plain[0]) == repr(known)  # True is no 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "title: A year in six pots\ntags: [oak, walnut]\ndraft: false\n",
        'title: "What: a #1?"\nweight: 10\ndate: 2026-11-25\n',
        "tags:\n  - oak\n  - wal nut\nother:\n- a\nempty: []\nname: 'a \"b\"'\n",
        'tagline: Slow, warm & dark – it\'s (nearly) done!\nlist: ["a: b", c]\n',
        "yes-no: No\nnothing: null\nmixed: [on, text]\n",
    ],
)
def test_the_usual_front_matter_is_plain(text: str) -> None:
    plain = read_plain(text)
    assert plain is not None
    assert plain == read_mapping(Part(text, "a.md", "the front matter", FrontMatterError))


@pytest.mark.parametrize(
    "text",
    ["a: 1\na: 2\n", "on: 1\n", "a: b: c\n", "a: b #c\n", "date: 2026-02-30\n", "a: !!python/object:os.system x\n",
     "a: &b c\n", "a: *b\n", "a: {b: c}\n", "a: b\n c\n", 'a: "b\\n"\n', "a:\n", "- a\n", "a: 010\n", "a: [b, [c]]\n"],
)  # fmt: skip
def test_all_else_is_left_to_yaml(text: str) -> None:
    assert read_plain(text) is None


def test_a_site_with_plain_front_matter_needs_no_yaml_parser() -> None:
    code = (
        "import sys; from hybridsite.sources import parse; "
        "print(parse('---\\ntitle: A\\n---\\nb', 'a.md').front_matter['title'], 'yaml' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == "A False\n"
