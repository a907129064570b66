"""Data files of every kind: read into one mapping, or refused at their places."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.data import _json, load_data
from hybridsite.documents import MAX_DEPTH
from hybridsite.errors import Faults, SiteErrors, SourceError


def load(root: Path, files: Mapping[str, str]) -> Mapping[str, object]:
    index = {}
    for name, text in files.items():
        index[f"data/{name}"] = root / name
        (root / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    return load_data(index)


def fault(root: Path, name: str, text: str) -> str:
    with pytest.raises(SourceError) as caught:
        load(root, {name: text})
    return str(caught.value)


def test_every_suffix_is_read(tmp_path: Path) -> None:
    data = load(
        tmp_path,
        {
            "shop.toml": "name = 'Tea'\nsince = 1998-01-02",
            "goods.json": '[{"a": 1.5, "b": null, "c": "\\ud83d\\ude00"}]',
            "team.yaml": "ann: {role: baker}\n2024: x\n",
            "list.yml": "- 1\n- true\n",
            "notes.txt": "[ not read",
            "upper.JSON": "[ not read",
        },
    )
    assert data == {
        "shop": {"name": "Tea", "since": datetime.date(1998, 1, 2)},
        "goods": [{"a": 1.5, "b": None, "c": "😀"}],
        "team": {"ann": {"role": "baker"}, 2024: "x"},
        "list": [1, True],
    }
    with pytest.raises(TypeError):
        data["more"] = 1  # type: ignore[index]


@pytest.mark.parametrize("suffix", ["toml", "json", "yaml", "yml"])
def test_byte_order_mark_and_crlf(tmp_path: Path, suffix: str) -> None:  # case D3
    text = {"toml": "a = 1\r\nb = 2\r\n", "json": '{"a": 1,\r\n"b": 2}\r\n'}.get(suffix, "a: 1\r\nb: 2\r\n")
    assert load(tmp_path, {f"x.{suffix}": f"\ufeff{text}"}) == {"x": {"a": 1, "b": 2}}


def test_empty_files(tmp_path: Path) -> None:
    assert load(tmp_path, {"a.toml": "", "b.yaml": "", "c.yml": "# c\n"}) == {"a": {}, "b": None, "c": None}
    assert fault(tmp_path, "x.json", "").startswith("data/x.json:1:1: the file is no valid JSON; expecting value")


# case D3
@pytest.mark.parametrize(
    ("name", "text", "place", "words"),
    [
        ("shop.toml", "a = 1\nb = \n", "2:5", ("the file is no valid TOML; invalid value",)),
        ("x.toml", "a = 1\r\na = 2\r\n", "2:6", ("no valid TOML", "overwrite")),
        ("x.toml", "a = [\n", "1:6", ("no valid TOML",)),
        ("x.toml", "a = " + "[" * 100_000, "1:105", ("nested too deep",)),
        ("x.toml", "a." * 100_000 + "b = 1", "1:201", ("nested too deep",)),
        ("x.toml", f"a = {'9' * 5000}", "1:5", ("too many digits",)),
        ("x.json", '{\n  "a": 1\n  "b": 2\n}', "3:3", ("the file is no valid JSON; expecting ',' delimiter",)),
        ("x.json", '{"a": 1,\n "b": {"c": 1,\n  "c": 2}}', "3:3", ('the key "c" stands twice', "line 2")),
        (
            "x.json",
            '{"a": "\\"a\\": {", "b": [{"a": 1}],\n "\\u0061": 2}',
            "2:2",
            ('the key "a" stands twice', "line 1"),
        ),
        ("x.json", '["NaN", "-Infinity",\n NaN]', "2:2", ("no valid JSON", "JSON has no NaN", "null")),
        ("x.json", '{"a": -Infinity}', "1:7", ("JSON has no -Infinity",)),
        ("x.json", "Infinity", "1:1", ("JSON has no Infinity",)),
        ("x.json", "[" * 100_000, f"1:{MAX_DEPTH + 1}", ("nested too deep",)),
        ("x.json", '{"a":' * 200 + "1" + "}" * 200, f"1:{5 * MAX_DEPTH + 1}", ("nested too deep", "100 levels")),
        ("x.json", f'["{"9" * 5000}",\n {"9" * 5000}]', "2:2", ("too many digits",)),
        ("x.json", '["\\ud83d\\ude00",\n "a\\ud800"]', "2:2", ("surrogate",)),
        ("x.json", '{"\\udc00": 1}', "1:2", ("surrogate",)),
        ("x.json", "[1] 2", "1:5", ("no valid JSON", "extra data")),
        ("x.json", '["a\tb"]', "1:4", ("no valid JSON",)),
        ("x.json", "// c\n[]", "1:1", ("no valid JSON",)),
        ("x.yaml", "a: 1\na: 2\n", "2:1", ('the key "a" stands twice', "line 1")),
        ("x.yml", "a: 1\na: 2\n", "2:1", ('the key "a" stands twice',)),
        ("x.yaml", "a:\n\t- 1\n", "2:1", ("the file is no valid YAML", "there is a tab")),
        ("x.yaml", "run: !!python/object/apply:os.getcwd []\n", "1:6", ("builds an object",)),
        ("x.yaml", "a: &a [*a]\n", "1:4", ("an alias in the file refers to itself",)),
        ("x.yml", "[" * 1_000_000, "1:1001", ("the file is nested too deep",)),
        ("x.yaml", "a: 2026-13-45\n", "1:4", ("is no timestamp",)),
        ("x.yaml", "a: 1\n---\nb: 2\n", "2:1", ("several documents",)),
        ("x.json", "[1, \0]", "1:5", ("NUL",)),
        ("x.yaml", "a: \ud800", "1:4", ("UTF-8",)),
    ],
)
def test_faults(tmp_path: Path, name: str, text: str, place: str, words: tuple[str, ...]) -> None:
    message = fault(tmp_path, name, text)
    assert message.startswith(f"data/{name}:{place}: ")
    for word in words:
        assert word in message


def test_aliases_that_explode(tmp_path: Path) -> None:  # case D3
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "the file explodes" in fault(tmp_path, "x.yaml", "\n".join(rows))


def test_ten_megabytes(tmp_path: Path) -> None:  # case D3
    assert fault(tmp_path, "x.json", f'"{"x" * 10_000_000}"').startswith("data/x.json: the file is over 10 MB")


def test_two_files_of_one_stem(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"data/a\.json: data/a\.toml and data/a\.json both make data\.a; rename one"):
        load(tmp_path, {"a.toml": "", "a.json": "1"})


def test_the_faults_of_all_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(SiteErrors) as caught:
        load(tmp_path, {"b.yaml": "a: [", "a.json": "{", "c.toml": "a", "d.toml": "fine = 1"})
    assert [str(fault).split(":")[0] for fault in caught.value.faults] == ["data/a.json", "data/b.yaml", "data/c.toml"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(JSON, st.booleans(), st.sampled_from([None, 1]))
def test_json_is_read_as_the_standard_library_reads_it(value: object, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert _json(text, "x.json") == value


@given(st.text('{}[]":,aN1-\\ \n', max_size=30))
def test_any_text_is_json_or_refused_at_a_place_in_it(text: str) -> None:
    faults = Faults()
    with faults.collect():
        assert _json(text, "x.json") == json.loads(text)
    if not faults:
        return
    with pytest.raises(SourceError) as caught:
        faults.raise_any()
    assert caught.value.location is not None
    assert 1 <= caught.value.location.line <= text.count("\n") + 1
