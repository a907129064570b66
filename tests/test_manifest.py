"""The manifest: the same bytes for the same site, read back as it was, and a clear error for anything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.errors import ServeError
from hybridsite.manifest import MANIFEST, BuiltFile, Manifest, etag, read_manifest, server_sources
from tests.e2e.support import write_files

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
FILES = st.builds(
    BuiltFile,
    TEXT,
    TEXT,
    TEXT,
    TEXT,
    st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple),
    st.none() | TEXT.filter(bool),
)
MANIFESTS = st.builds(
    Manifest,
    TEXT,
    st.booleans(),
    st.lists(FILES, max_size=3).map(tuple),
    st.dictionaries(st.sampled_from([404, 500, 503]), TEXT),
    st.dictionaries(TEXT, TEXT, max_size=3),
)


def put(dist: Path, body: bytes) -> Path:
    write_files(dist, {MANIFEST: body})
    return dist


@given(MANIFESTS)
def test_it_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> None:
    dist = put(tmp_path_factory.getbasetemp() / "round-trip", manifest.to_json())
    assert read_manifest(dist) == manifest


@given(MANIFESTS)
def test_it_is_written_as_json_indents_it(manifest: Manifest) -> None:
    body = manifest.to_json()
    assert body == json.dumps(json.loads(body), ensure_ascii=False, indent=1).encode() + b"\n"


def test_the_order_in_which_things_were_found_leaves_no_trace() -> None:
    one = Manifest("1", False, (), {404: "404.html", 500: "500.html"}, {"a": "1", "b": "2"})
    two = Manifest("1", False, (), {500: "500.html", 404: "404.html"}, {"b": "2", "a": "1"})
    assert one.to_json() == two.to_json()


WHOLE = Manifest("1", False, (BuiltFile("/", "index.html", "text/html", '"x"'),), {404: "404.html"}, {}).to_json()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "is damaged"),
        (b"\xff\xfe", "is damaged"),
        (WHOLE[:-20], "is damaged"),
        (b"[]", "is damaged"),
        (b'{"format": 0}', "another version"),
        (b'{"format": 2}', "is damaged"),
        (b'{"format": 2, "files": [{}], "errors": {}}', "is damaged"),
        (b'{"format": 2, "files": [1], "errors": {}}', "is damaged"),
        (b'{"format": 2, "files": null, "errors": {}}', "is damaged"),
        (b'{"format": 2, "files": [], "errors": {"a": "b"}}', "is damaged"),
        (b'{"format": 2, "files": [], "errors": []}', "is damaged"),
    ],
)
def test_a_damaged_manifest_is_a_clear_error(tmp_path: Path, body: bytes, told: str) -> None:
    # case D7
    with pytest.raises(ServeError, match="build the site anew") as caught:
        read_manifest(put(tmp_path, body))
    assert told in str(caught.value)


def test_a_folder_without_one_holds_no_built_site(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match="holds no built site"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("key", ["files", "errors", "sources", "hybridsite", "drafts"])
def test_no_part_may_be_missing(tmp_path: Path, key: str) -> None:
    content = json.loads(WHOLE)
    del content[key]
    with pytest.raises(ServeError, match="is damaged"):
        read_manifest(put(tmp_path, json.dumps(content).encode()))


def test_what_the_server_needs_and_nothing_else(tmp_path: Path) -> None:
    # case P3
    needed = {
        "site.toml",
        "middleware.py",
        "shopkeeper.py",
        "components/a.html",
        "content/post.md",
        "data/deep/a.toml",
        "layouts/a.html",
        "locales/de.po",
        "pages/a.html",
        "pages/_b.html",
        "lib/__init__.py",
        "lib/deep/a.py",
    }
    others = {
        ".env",
        ".local.py",
        ".git/config",
        ".hybridsite/secret",
        "README.md",
        "assets/a.py",
        "dist/server/a.py",
        "notes/a.txt",
        "public/a.py",
        "tests/test_a.py",
        "_old/a.py",
        "lib/table.csv",
        "lib/.hidden.py",
        "lib/__pycache__/a.py",
        "pages/.draft.html",
        "pages/__pycache__/a.cpython-311.pyc",
        "pages/.git/a.html",
        "hidden/.a.py",
        "node_modules/deep/a.py",
    }
    write_files(tmp_path, dict.fromkeys(needed | others, ""))
    found = list(server_sources(tmp_path))
    assert set(found) == needed
    assert len(found) == len(needed)
    assert found == list(server_sources(tmp_path))


def test_an_etag_is_strong_and_of_the_bytes() -> None:
    assert etag(b"a") == etag(b"a") != etag(b"b")
    assert len(etag(b"")) == 34
    assert etag(b"").startswith('"')
