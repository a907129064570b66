"""roll_back(): dist/ and the build before it change places, or nothing happens."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hybridsite.build import rollback
from hybridsite.build.rollback import roll_back
from hybridsite.errors import BuildError
from hybridsite.previous import kept_islands
from tests.e2e.support import tree, write_files, write_site
from tests.inprocess import MEMORY, built_here

ISLAND = "{%% island 'components/a.html', n=%d %%}{%% endisland %%}"


def two_builds(root: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Gives what dist/ was after the first build, and after the second one."""
    write_site(root, {"site.toml": MEMORY, "components/a.html": "<< n >>", "pages/index.html": ISLAND % 1})
    built_here(root)
    first = tree(root / "dist")
    write_files(root, {"pages/index.html": ISLAND % 2})
    built_here(root)
    return first, tree(root / "dist")


def test_each_takes_the_place_of_the_other_again_and_again(tmp_path: Path) -> None:
    root = tmp_path / "site"
    first, second = two_builds(root)
    for expected in (first, second, first):
        told = roll_back(root, root / ".hybridsite")
        assert tree(root / "dist") == expected
        assert told.now != told.before
        assert told.now in told.sentence


def test_what_both_gave_out_is_kept(tmp_path: Path) -> None:
    root = tmp_path / "site"
    two_builds(root)
    roll_back(root, root / ".hybridsite")
    islands = kept_islands(root / ".hybridsite", time.time())
    assert {props["n"] for _, props in islands.values()} == {1, 2}


def test_the_build_before_outlives_builds_that_fail(tmp_path: Path) -> None:
    root = tmp_path / "site"
    first, _ = two_builds(root)
    for _ in range(3):
        write_files(root, {"pages/bad.html": "<< nobody >>"})
        with pytest.raises(Exception, match="nobody"):
            built_here(root)
    roll_back(root, root / ".hybridsite")
    assert tree(root / "dist") == first


def test_the_same_build_once_more_is_none_to_go_back_to(tmp_path: Path) -> None:
    root = tmp_path / "site"
    first, _ = two_builds(root)
    built_here(root, clean=True)
    roll_back(root, root / ".hybridsite")
    assert tree(root / "dist") == first


def test_where_the_system_cant_dist_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    root = tmp_path / "site"
    _, second = two_builds(root)
    monkeypatch.setattr(rollback, "exchange", fail)
    with pytest.raises(BuildError, match="can't be put back; Permission denied; dist/ is as it was"):
        roll_back(root, root / ".hybridsite")
    assert tree(root / "dist") == second


@pytest.mark.parametrize("damage", ["missing", "cut off"])
def test_without_a_whole_build_before_nothing_happens(tmp_path: Path, damage: str) -> None:
    root = tmp_path / "site"
    _, second = two_builds(root)
    manifest = root / ".hybridsite/previous/dist/server/manifest.json"
    manifest.unlink()  # it may be a second name of a file in dist/
    if damage == "cut off":
        manifest.write_text("{")
    with pytest.raises(BuildError, match="there is no build to go back to"):
        roll_back(root, root / ".hybridsite")
    assert tree(root / "dist") == second
