"""TOML with its places, held against tomllib over documents of every shape."""

from __future__ import annotations

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.documents import MAX_DEPTH
from hybridsite.toml_positions import KeyPath, TomlFault, key_positions, parse

BARE = st.text("abcXYZ019_-", min_size=1, max_size=4)
QUOTED = st.text('ab .#="[]\\é\t', max_size=5).map(lambda text: json.dumps(text, ensure_ascii=False))
LITERAL = st.text('ab .#="[]\\', max_size=5).map(lambda text: f"'{text}'")
KEYS = st.one_of(BARE, QUOTED, LITERAL)
BLANKS = st.sampled_from(["", " ", "\n", " # a ] comment = {\n", "\n\t\n"])
SCALARS = st.sampled_from(
    [
        "1",
        "-0.5e3",
        "true",
        "inf",
        "0xFF",
        "1979-05-27T07:32:00Z",
        "1979-05-27 07:32:00",
        '""',
        '"a # [x] = {, }"',
        r'"quoted \" and \\"',
        "'lit ] # {'",
        '"""\nmany\n[no]\nkey = 1 "" x"""',
        '"""ends in two"""""',
        "'''a\n'b' ''c\n'''",
        r'"""\""""',
    ]
)


def decoded(key: str) -> str:
    return str(next(iter(tomllib.loads(f"{key} = 1"))))


@st.composite
def arrays(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    parts = [f"{draw(BLANKS)}{value}{draw(BLANKS)}" for value in draw(st.lists(values, max_size=3))]
    end = draw(st.sampled_from([",", ""])) if parts else ""
    return f"[{','.join(parts)}{end}{draw(BLANKS)}]"


@st.composite
def inline_tables(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    keys = draw(st.lists(KEYS, max_size=3, unique_by=decoded))
    return "{" + ", ".join(f"{key} = {draw(values)}" for key in keys) + " }"


VALUES = st.recursive(SCALARS, lambda inner: arrays(inner) | inline_tables(inner), max_leaves=6)


@st.composite
def bodies(draw: st.DrawFn) -> str:
    """Assignments below one header, some with dotted keys and comments."""
    lines = []
    for key in draw(st.lists(KEYS, max_size=3, unique_by=decoded)):
        dotted = draw(st.sampled_from([key, f" {key}", f"{key}.sub", f"{key} . 'x y'"]))
        lines.append(f"{dotted} = {draw(VALUES)}{draw(st.sampled_from(['', '  # why', ' ']))}\n")
        if dotted == f"{key}.sub":
            lines.append(f"{key}.other = 1\n")
    return "".join(lines)


@st.composite
def documents(draw: st.DrawFn) -> str:
    names = iter(draw(st.lists(KEYS, min_size=4, max_size=4, unique_by=decoded)))
    text = draw(BLANKS) + "".join(f"top-{number} = {draw(VALUES)}\n" for number in range(draw(st.integers(0, 2))))
    for name in names:
        header = draw(st.sampled_from([f"[{name}]", f"[ {name} . deep ]", f"[[{name}]]", f"[[{name}.list]]"]))
        for _ in range(draw(st.integers(1, 2)) if header.startswith("[[") else 1):
            text += f"{draw(BLANKS)}{header}\n{draw(bodies())}"
        if header == f"[[{name}]]":
            text += f"[{name}.zz-below]\nx = 1\n"
    return text


def paths_in(value: object, path: KeyPath = ()) -> set[KeyPath]:
    found = {path} if path else set()
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found |= paths_in(inner, (*path, key))
    return found


@given(documents())
def test_every_key_has_its_place_and_no_other_has_one(text: str) -> None:
    positions = key_positions(text)
    assert set(positions) == paths_in(tomllib.loads(text))
    lines = text.split("\n")
    for path, (line, column) in positions.items():
        rest = lines[line - 1][column - 1 :]
        if isinstance(path[-1], str):
            assert any(decoded(rest[:end]) == path[-1] for end in range(1, len(rest) + 1) if is_key(rest[:end])), path
        else:
            assert rest, path


def is_key(text: str) -> bool:
    try:
        decoded(text)
    except tomllib.TOMLDecodeError:
        return False
    return "=" not in text or text[0] in "\"'"


@given(st.text("ab01.=[]{}\"'#,\n\\ ", max_size=60))
def test_any_text_is_read_as_tomllib_reads_it_or_refused_at_a_place_in_it(text: str) -> None:
    try:
        wanted = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(TomlFault) as caught:
            parse(text)
        lines = text.split("\n")
        assert 1 <= caught.value.line <= len(lines)
        assert 1 <= caught.value.column <= len(lines[caught.value.line - 1]) + 1
        key_positions(text)  # ends
    else:
        assert parse(text) == wanted


@pytest.mark.parametrize(
    ("text", "line", "column", "why"),
    [
        ("a = 1\nb = \n", 2, 5, "invalid value"),
        ("a = 1\na = 2\n", 2, 6, "cannot overwrite"),
        ("x = 'é\n", 1, 7, ""),
        ('x = """a\n\n', 1, 9, ""),
        ("a", 1, 2, "expected"),
        (f"a = 1\nb = {'9' * 5000}", 2, 5, "a number has too many digits"),
        (f"# {'9' * 5000}\na = '{'9' * 5000}'\nb = {'9' * 5000}", 3, 5, "a number has too many digits"),
        ("a = 2026-02-30", 1, 5, "invalid date or datetime"),
    ],
)
def test_what_is_no_toml_has_a_place_and_a_reason(text: str, line: int, column: int, why: str) -> None:
    with pytest.raises(TomlFault) as caught:
        parse(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert caught.value.why.startswith(why)
    assert "(at " not in caught.value.why


# case D3
@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("\nx = " + "[" * 100_000, 2, 5 + MAX_DEPTH),
        ("x = " + "[" * 200 + "]" * 200, 1, 5 + MAX_DEPTH),
        ("x = " + "{a=" * 200 + "1" + "}" * 200, 1, 5 + 3 * (MAX_DEPTH - 1) + 1),
        ("a." * 200_000 + "b = 1", 1, 2 * MAX_DEPTH + 1),
        ("x = 1\n[" + "'a'. " * 200 + "b]", 2, 5 * MAX_DEPTH + 2),
        ("[" + "a." * 60 + "b]\n" + "c." * 60 + "d = 1", 2, 2 * (MAX_DEPTH - 61) + 1),
    ],
)
def test_nesting_without_end_is_refused_at_once(text: str, line: int, column: int) -> None:
    with pytest.raises(TomlFault, match="nested too deep") as caught:
        parse(text)
    assert (caught.value.line, caught.value.column) == (line, column)


def test_a_chain_of_words_in_a_text_is_no_nesting() -> None:
    text = "a = '" + "x." * 5000 + "x'\n# " + "x." * 5000
    assert parse(text) == tomllib.loads(text)


@pytest.mark.parametrize(
    "text", ["a = {@", "a = {'b", "a = {b", "a = [", "a = [1 2", "[", "[[", "a = {,}", "a.", "=", "]"]
)
def test_keys_up_to_a_fault_are_given(text: str) -> None:
    assert key_positions(f"first = 1\n{text}")[("first",)] == (1, 1)


def test_a_table_stands_where_it_is_named_first() -> None:
    positions = key_positions("[a.b]\nx = 1\n[a]\ny = 2\n")
    assert positions == {("a",): (1, 2), ("a", "b"): (1, 4), ("a", "b", "x"): (2, 1), ("a", "y"): (4, 1)}
