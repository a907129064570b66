"""Files of a site: read as UTF-8, taken apart, with the true line of each part."""

from __future__ import annotations

import os
import pickle
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hybridsite import sources
from hybridsite.errors import Faults, FrontMatterError, Location, SourceError


def fault(text: str) -> str:
    with pytest.raises(FrontMatterError) as caught:
        sources.parse(text, "pages/a.md")
    return str(caught.value)


def unreadable(path: Path) -> str:
    with pytest.raises(SourceError) as caught:
        sources.read_text(path, "pages/a.md")
    return str(caught.value)


# ---- files


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        ("\ufeffé".encode(), "é"),
        (b"a\r\nb\rc\n", "a\nb\nc\n"),
        (b"\r\r\n\n", "\n\n\n"),
        ("a\u2028b\x0bc".encode(), "a\u2028b\x0bc"),
    ],
)
def test_text_is_read_with_plain_lines(tmp_path: Path, data: bytes, text: str) -> None:
    path = tmp_path / "a.md"
    path.write_bytes(data)
    assert sources.read_text(path, "a.md") == text


@pytest.mark.parametrize(
    ("data", "place", "words"),
    [
        ("é\n".encode() + b"ab\xffc", "2:3", ("isn't text in UTF-8", "0xff", "save it as UTF-8")),
        (b"a\r\nb\xe9", "2:2", ("0xe9",)),
        (b"\xef\xbb\xbf\x80", "1:1", ("0x80",)),
        ("hello".encode("utf-16"), "1:1", ("UTF-16",)),
        (b"\xed\xa0\x80", "1:1", ("UTF-8",)),
        (b"a\r\nb\0c", "2:2", ("NUL",)),
    ],
)
def test_bytes_that_are_no_text(tmp_path: Path, data: bytes, place: str, words: tuple[str, ...]) -> None:
    path = tmp_path / "a.md"
    path.write_bytes(data)
    message = unreadable(path)
    assert message.startswith(f"pages/a.md:{place}: ")
    for word in words:
        assert word in message


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("x")
    assert unreadable(tmp_path) == "pages/a.md: this is no file"
    assert unreadable(tmp_path / "pipe") == "pages/a.md: this is no file"
    with tempfile.TemporaryDirectory(dir="/tmp") as short, socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{short}/door")  # its path may have no more than 107 bytes
        assert unreadable(Path(short, "door")) == "pages/a.md: this is no file"
    assert unreadable(tmp_path / "missing") == "pages/a.md: there is no such file"
    assert unreadable(tmp_path / "loop").startswith("pages/a.md: the file can't be read; ")
    assert unreadable(tmp_path / "file" / "x").startswith("pages/a.md: the file can't be read; ")
    assert unreadable(tmp_path / "a\0b").startswith("pages/a.md: the file can't be read; ")
    assert unreadable(tmp_path / ("x" * 300)).startswith("pages/a.md: the file can't be read; ")


# case D3
def test_ten_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_bytes(b"x" * sources.MAX_FILE)
    assert len(sources.read_text(path, "a.md")) == sources.MAX_FILE
    path.write_bytes(b"x" * (sources.MAX_FILE + 1))
    assert unreadable(path).startswith("pages/a.md: the file is over 10 MB; put large files into public/")
    for fence in ("---", "+++"):
        text = f"{fence}\na: '{'x' * sources.MAX_FRONT_MATTER}'\n{fence}\n"
        assert fault(text).startswith("pages/a.md:1:1: the front matter is over 1 MB")


# ---- front matter


@pytest.mark.parametrize(
    ("text", "values", "body", "line"),
    [
        ("", {}, "", 1),
        ("x", {}, "x", 1),
        ("---\n---\n", {}, "", 3),
        ("---\n---", {}, "", 3),
        ("---\n\n# c\n---\nx", {}, "x", 5),
        ("---\ntitle: A\n---\n\nx\n", {"title": "A"}, "\nx\n", 4),
        ("--- \t\ntitle: A\n---  \nx", {"title": "A"}, "x", 4),
        ("+++\ntitle = 'A'\n+++\nx", {"title": "A"}, "x", 4),
        ("+++\n+++", {}, "", 3),
        ("\n---\na: 1\n---\n", {}, "\n---\na: 1\n---\n", 1),
        (" ---\na: 1\n---\n", {}, " ---\na: 1\n---\n", 1),
        ("----\na\n", {}, "----\na\n", 1),
        ("--- a\n---\n", {}, "--- a\n---\n", 1),
        ("---\na: 1\n---\nx\n---\ny", {"a": 1}, "x\n---\ny", 4),
        ("---\na: 1\n ---\n---\n", {"a": "1 ---"}, "", 5),
        ("---\na: |\n  ---\n---\nx", {"a": "---\n"}, "x", 5),
        ("+++\na = '''\n---\n'''\n+++\nx", {"a": "---\n"}, "x", 6),
        # case D3
        ("\ufeff---\r\ntitle: A\r\n---\r\nx\r\n", {"title": "A"}, "x\n", 4),
        ("\ufeff+++\r\ntitle = 'A'\r\n+++\r\nx\r\n", {"title": "A"}, "x\n", 4),
        ("---\rtitle: A\r---\rx", {"title": "A"}, "x", 4),
    ],
)
def test_front_matter_and_body(text: str, values: Mapping[str, object], body: str, line: int) -> None:
    source = sources.parse(text, "pages/a.md")
    assert source.front_matter == values
    assert (source.body, source.body_line) == (body, line)


KEYS = st.from_regex(r"[a-z]{2,8}", fullmatch=True).map(lambda key: f"x{key}")
# PyYAML writes U+0085 as it is between single quotes, where YAML 1.1 reads it as the end of a line.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8", exclude_characters="\x85")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)
BODIES = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=40)


@given(st.dictionaries(KEYS, VALUES, max_size=4), BODIES, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_yaml_round_trip(values: dict[str, object], body: str, newline: str, as_is: bool) -> None:
    block = yaml.safe_dump(values, sort_keys=False, allow_unicode=as_is) if values else ""
    source = sources.parse(f"---\n{block}---\n{body}".replace("\n", newline), "pages/a.md")
    assert source.front_matter == values
    assert source.body == body
    lines = source.text.split("\n")
    assert "\n".join(lines[source.body_line - 1 :]) == body
    assert list(source.positions) == list(values)
    for key, (line, column) in source.positions.items():
        assert lines[line - 1][column - 1 :].startswith(key)


@given(st.dictionaries(KEYS, st.integers() | st.booleans(), max_size=4), BODIES)
def test_toml_round_trip(values: dict[str, object], body: str) -> None:
    block = "".join(f"  {key} = {str(value).lower()} # c\n" for key, value in values.items())
    source = sources.parse(f"+++\n{block}+++\n{body}", "pages/a.md")
    assert source.front_matter == values
    assert source.body == body
    assert source.positions == {key: (number, 3) for number, key in enumerate(values, 2)}


@given(st.text("-+\n :a\t'[", max_size=40))
def test_any_text_is_read_or_refused_at_a_place_in_it(text: str) -> None:
    for fence in ("---", "+++"):
        faults = Faults()
        with faults.collect():
            source = sources.parse(f"{fence}\n{text}", "pages/a.md")
            assert source.text.endswith(source.body)
        if not faults:
            continue
        with pytest.raises(FrontMatterError) as caught:
            faults.raise_any()
        assert caught.value.location is not None
        assert 1 <= caught.value.location.line <= text.count("\n") + 2


# case D3
@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("---\ntitle: A\n<p>x</p>", "1:1", ("begins with --- never ends", "close it with a line ---")),
        ("---", "1:1", ("never ends",)),
        ("+++\na = 1\n---\n", "1:1", ("begins with +++ never ends",)),
        ("---\ntitle: A\n\tlist: 1\n---\n", "3:1", ("there is a tab",)),
        ("---\r\na: 1\r\na: 2\r\n---\r\n", "3:1", ('"a" stands twice', "line 2")),
        ("\ufeff---\nb: [\n---\n", "3:1", ("no valid YAML",)),
        ("---\njust text\n---\n", "2:1", ("no mapping",)),
        ("---\n1: a\n---\n", "2:1", ('the key "1" is no text',)),
        (
            "---\na: 1\nb: !!python/object/new:os.system [x]\n---\n",
            "3:4",
            ("builds an object", "the front matter holds"),
        ),
        ("---\na: &a [x, *a]\n---\n", "2:4", ("an alias in the front matter refers to itself",)),
        ("---\na: " + "[" * 5000 + "\n---\n", "2:1003", ("the front matter is nested too deep",)),
        ("+++\na = 1\na = 2\n+++\n", "3:6", ("the front matter is no valid TOML", "overwrite")),
        ("+++\nlist = 1, 2\n+++\n", "2:9", ("no valid TOML",)),
        ("+++\na = [1,\n+++\n", "2:8", ("no valid TOML",)),
        ("+++\n\na = " + "[" * 5000 + "\n+++\n", "3:105", ("nested too deep",)),
        ("+++\n" + "a." * 200_000 + "b = 1\n+++\n", "2:201", ("nested too deep",)),
        (f"+++\na = {'9' * 5000}\n+++\n", "2:5", ("too many digits",)),
    ],
)
def test_faults_of_front_matter(text: str, place: str, words: tuple[str, ...]) -> None:
    message = fault(text)
    assert message.startswith(f"pages/a.md:{place}: ")
    for word in words:
        assert word in message


def test_aliases_that_explode() -> None:  # case D3
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "explodes" in fault("\n".join(["---", *rows, "---", ""]))


def test_the_place_of_a_key() -> None:
    source = sources.parse("---\ntitle: A\n  \n'b c': 1\n---\n", "pages/a.md")
    assert source.location("title") == Location("pages/a.md", 2, 1)
    assert source.location("b c") == Location("pages/a.md", 4, 1)
    assert source.location("missing") == Location("pages/a.md", 1)
    assert source.location() == Location("pages/a.md")
    source = sources.parse("+++\n  a.b = 1\n[t]\nx = 1\n+++\n", "pages/a.md")
    assert source.positions == {"a": (2, 3), "t": (3, 2)}


def test_a_source_is_fixed_and_travels() -> None:
    source = sources.parse("---\na: [1]\n---\nx", "pages/a.md")
    with pytest.raises(TypeError):
        source.front_matter["a"] = 2  # type: ignore[index]
    assert pickle.loads(pickle.dumps(source)) == source


def test_load(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\na: 1\n---\nx")
    source = sources.load(tmp_path / "a.md", "pages/a.md")
    assert (source.file, source.front_matter, source.body) == ("pages/a.md", {"a": 1}, "x")


# ---- excerpts


def test_excerpt() -> None:
    text = "".join(f"line {number}\n" for number in range(1, 13))
    assert sources.excerpt(text, 10, around=1) == "   9 | line 9\n> 10 | line 10\n  11 | line 11"
    assert sources.excerpt(text, 1, around=1) == "> 1 | line 1\n  2 | line 2"
    assert sources.excerpt("", 1) == "> 1 |"


@pytest.mark.parametrize("line", [0, -1, 3, 10**9])
def test_no_excerpt_of_a_line_that_is_not_there(line: int) -> None:
    assert sources.excerpt("a\nb", line) == ""


def test_an_excerpt_commands_no_terminal_and_is_short() -> None:
    shown = sources.excerpt("\x1b[31mred\x9b\x7f\ta\ud800" + "x" * 500, 1)
    assert not set(shown) & set("\x1b\x9b\x7f\t\ud800")
    assert len(shown) < 200
    assert shown.endswith("…")
