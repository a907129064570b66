"""Whether dist/ is older than its sources."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hybridsite import __version__
from hybridsite.build.freshness import fingerprint, is_stale, remember
from hybridsite.build.snapshot import snapshot
from hybridsite.manifest import Manifest
from tests.e2e.support import write_files, write_site
from tests.inprocess import built_here

SITE: dict[str, str | bytes] = {"pages/a.html": "a", "public/a.txt": "a", "data/a.toml": "", "helper.py": ""}


MANIFEST = Manifest(__version__, False, (), {}, {}).to_json()


def fresh(tmp_path: Path) -> tuple[Path, Path]:
    root = write_site(tmp_path / "site", SITE | {"dist/server/manifest.json": MANIFEST})
    state = tmp_path / "state"
    state.mkdir()
    remember(fingerprint(root, snapshot(root)), state)
    assert not is_stale(root, state)
    return root, state


@pytest.mark.parametrize(
    "file", ["site.toml", "pages/a.html", "pages/n.html", "public/a.txt", "public/b/n", "helper.py"]
)
def test_a_changed_source_counts(tmp_path: Path, file: str) -> None:
    root, state = fresh(tmp_path)
    write_files(root, {file: "changed"})
    assert is_stale(root, state)


@pytest.mark.parametrize("file", ["pages/a.html", "public/a.txt", "data/a.toml"])
def test_a_removed_or_touched_source_counts(tmp_path: Path, file: str) -> None:
    root, state = fresh(tmp_path)
    os.utime(root / file, ns=(1, 1))
    assert is_stale(root, state)
    remember(fingerprint(root, snapshot(root)), state)
    (root / file).unlink()
    assert is_stale(root, state)


@pytest.mark.parametrize("file", ["README.md", "dist/client/x", ".git/index", "pages/__pycache__/a.pyc", "pages/.a"])
def test_what_is_no_source_does_not(tmp_path: Path, file: str) -> None:
    root, state = fresh(tmp_path)
    write_files(root, {file: "changed"})
    assert not is_stale(root, state)


@pytest.mark.parametrize("stamp", [None, "", "[]", "{}", '"x"', "\x00"])
def test_a_damaged_stamp_means_stale(tmp_path: Path, stamp: str | None) -> None:
    # case D7
    root, state = fresh(tmp_path)
    if stamp is None:
        (state / "built.json").unlink()
    else:
        (state / "built.json").write_text(stamp)
    assert is_stale(root, state)


def test_without_a_manifest_it_is_stale(tmp_path: Path) -> None:
    root, state = fresh(tmp_path)
    (root / "dist/server/manifest.json").unlink()
    assert is_stale(root, state)


def test_a_build_with_drafts_is_stale(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", {"pages/index.html": "x", "pages/d.html": "---\ndraft: true\n---\nx"})
    state = root / ".hybridsite"
    before = fingerprint(root, snapshot(root))
    built_here(root, drafts=True)
    remember(before, state)
    assert is_stale(root, state)
    built_here(root)
    assert not is_stale(root, state)
