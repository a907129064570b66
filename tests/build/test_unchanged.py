"""Where nothing has changed, the last build's report is told again, before what a build needs is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.support import built, environment, hybridsite, page, write_files, write_site

SITE: dict[str, str | bytes] = {
    "pages/index.html": "<< session >>",
    "pages/posts/[n].html": "<< params.n >>",
    "pages/posts/[n].py": "def paths(site):\n    return [{'params': {'n': n}} for n in 'ab']\n",
    "public/a.txt": "a",
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = write_site(tmp_path / "site", SITE)
    built(root)
    return root


def test_it_is_told_as_the_build_was(site: Path) -> None:
    first = hybridsite("build", site, "--clean")
    again = hybridsite("build", site)
    assert again.stderr == first.stderr
    assert "`session` is undefined" in again.stderr
    assert again.stdout.splitlines()[:-1] == first.stdout.splitlines()[:-1]
    assert again.stdout.splitlines()[-1].startswith("built 0 pages, kept 3 in ")


def test_it_imports_nothing_that_a_build_needs(site: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "hybridsite", "build", str(site)]
    done = subprocess.run(command, env=environment(), capture_output=True, encoding="utf-8", check=True)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "msgspec" in loaded
    assert loaded & {"asyncio", "jinja2", "pydantic", "pyromark", "starlette", "yaml"} == set()


@pytest.mark.parametrize(
    "file", ["dist/client/index.html", "dist/client/a.txt", "dist/server/manifest.json", "dist/server/site.toml"]
)
def test_a_dist_that_was_changed_is_built_anew(site: Path, file: str) -> None:
    before = (site / file).read_bytes()
    (site / file).write_text("changed")
    built(site)
    assert (site / file).read_bytes() == before
    (site / file).unlink()
    built(site)
    assert (site / file).read_bytes() == before


def test_strict_fails_again(site: Path) -> None:
    assert [hybridsite("build", site, "--strict").returncode for _ in range(2)] == [1, 1]


def test_a_change_is_seen(site: Path) -> None:
    write_files(site, {"pages/index.html": "new", "pages/n.html": "n"})
    assert "built 4 pages" in built(site).stdout  # the pages that ran Python with them
    assert page(site, "index.html") == "new"
    (site / "pages/n.html").unlink()
    built(site)
    assert not (site / "dist/client/n").exists()


def test_another_environment_or_drafts_are_seen(tmp_path: Path) -> None:
    code = "import os\ndef load(context):\n    return {'x': os.environ['SHOP_NAME']}\n"
    draft = "---\ndraft: true\n---\n"
    files: dict[str, str | bytes] = {"pages/a.html": "<< x >>", "pages/a.py": code, "pages/d.html": draft}
    root = write_site(tmp_path / "site", files)
    for name in ("oak", "gall"):
        built(root, env={"SHOP_NAME": name})
        assert page(root, "a/index.html") == name
    built(root, "--drafts", env={"SHOP_NAME": "gall"})
    assert (root / "dist/client/d/index.html").exists()
    built(root, env={"SHOP_NAME": "gall"})
    assert not (root / "dist/client/d/index.html").exists()
