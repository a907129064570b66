"""Documentation that nobody here wrote: every file is rendered, or its fault has its place; no build crashes.

scripts/fetch-texts --docs brings it.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from hybridsite import sources
from hybridsite.errors import SiteError, SiteErrors
from hybridsite.frontmatter import read_front_matter
from hybridsite.markdown import render
from tests.inprocess import built_here

DOCS = Path(__file__).resolve().parent.parent / ".cache/texts/docs"
# Package: files, and how many of them have a fault. docs/markdown.md says which.
COUNTS = {
    "black": (39, 20),
    "griffe": (85, 10),
    "hatch": (85, 53),
    "markdown": (71, 4),
    "mkdocs": (17, 0),
    "pydantic": (5, 0),
    "pymdown-extensions": (56, 2),
    "textual": (2, 0),
}


def faults_of(path: Path, *, trusted: bool) -> list[SiteError]:
    """Reads and renders one file, and gives what is wrong with it."""
    try:
        source = sources.load(path, path.name)
        read_front_matter(source)
        render(source.body, file=path.name, line=source.body_line, trusted=trusted)
    except SiteErrors as several:
        return list(several.faults)
    except SiteError as fault:
        return [fault]
    return []


@pytest.mark.long
@pytest.mark.parametrize("package", sorted(COUNTS))
def test_documentation_of_strangers_is_rendered_or_its_faults_have_their_place(package: str) -> None:
    if not (DOCS / package).exists():
        pytest.skip("scripts/fetch-texts --docs brings it")
    files = sorted((DOCS / package).rglob("*.md"))
    found = {path: faults_of(path, trusted=True) for path in files}
    whats: Counter[str] = Counter(fault.what for faults in found.values() for fault in faults)
    print(f"{package}: {len(files)} files, {sum(map(bool, found.values()))} with faults; {whats.most_common(12)}")
    for path, faults in found.items():
        lines = path.read_text("utf-8").count("\n") + 1
        for fault in faults:
            assert fault.location is not None
            assert 1 <= fault.location.line <= lines, fault
        assert faults_of(path, trusted=False) == []
    assert (len(files), sum(map(bool, found.values()))) == COUNTS[package]


@pytest.mark.long
@pytest.mark.parametrize("package", sorted(COUNTS))
def test_a_site_of_such_documentation_is_built_or_told_what_is_wrong(package: str, tmp_path: Path) -> None:
    if not (DOCS / package).exists():
        pytest.skip("scripts/fetch-texts --docs brings it")
    shutil.copytree(DOCS / package, tmp_path / "pages")
    (tmp_path / "site.toml").touch()
    (tmp_path / "pages/index.html").touch()
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.md")}
    while faults := build_faults(tmp_path):
        files = {fault.location.file for fault in faults if fault.location}
        assert len(files) > 0
        assert files <= names
        for name in files:  # the rest has to build
            (tmp_path / name).unlink()
        names -= files
    assert (tmp_path / "dist/client/index.html").exists()


def build_faults(root: Path) -> tuple[SiteError, ...]:
    """Builds a site, and gives what is wrong with it."""
    try:
        built_here(root)
    except SiteErrors as several:
        return several.faults
    except SiteError as fault:
        return (fault,)
    return ()
