"""The docs say what is there: commands, settings, errors, drivers, dependencies."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from hybridsite import __version__
from hybridsite.adapters.adapter import BUILT_IN as ADAPTERS
from hybridsite.cli.main import main
from hybridsite.sessions.drivers import BUILT_IN, find_store

ROOT = Path(__file__).resolve().parent.parent
DOCS = {path.name: path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
EVERYTHING = "\n".join([(ROOT / "README.md").read_text("utf-8"), *DOCS.values()])


def test_pages_made_from_classes_are_up_to_date() -> None:
    done = subprocess.run([sys.executable, ROOT / "scripts/make-docs", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_and_option_is_documented(name: str) -> None:
    assert f"hybridsite {name}" in EVERYTHING
    for parameter in main.commands[name].params:
        if isinstance(parameter, click.Option):
            assert any(f"`{word}" in EVERYTHING for word in parameter.opts), parameter.opts


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {re.split(r"[>=;\[ ]", line)[0] for line in project["dependencies"]}
    section = DOCS["architecture.md"].partition("## Dependencies")[2]
    assert {
        name for names in re.findall(r"^\| ([a-z][a-z0-9, -]*) \|", section, re.MULTILINE) for name in names.split(", ")
    } - {"package"} == wanted


def test_every_module_stands_in_the_architecture() -> None:
    rooms = {path.name for path in (ROOT / "hybridsite").glob("*.py")} - {"__init__.py", "__main__.py"}
    missing = sorted(name for name in rooms if name not in DOCS["architecture.md"])
    assert missing == []


@pytest.mark.parametrize("driver", sorted(BUILT_IN))
def test_every_session_driver_has_a_page_with_its_options(driver: str) -> None:
    page = (ROOT / "docs/drivers" / f"{driver}.md").read_text("utf-8")
    assert f"](drivers/{driver}.md)" in DOCS["sessions.md"]
    for name, parameter in inspect.signature(find_store(driver)).parameters.items():
        assert name == "clock" or parameter.kind is parameter.VAR_KEYWORD or f"`{name}`" in page, name


@pytest.mark.parametrize("adapter", sorted(ADAPTERS))
def test_every_adapter_stands_in_the_table_and_has_a_guide(adapter: str) -> None:
    assert f"`{adapter}`" in DOCS["adapters.md"]
    assert adapter == "standalone" or f"](hosts/{adapter}.md)" in DOCS["adapters.md"]


def test_every_extra_has_its_reason() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    section = DOCS["architecture.md"].partition("## Packages of the extras")[2].partition("## ")[0]
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", section, re.MULTILINE)) == extras.keys() - {"all"}
    assert extras["all"] == [f"hybridsite[{','.join(name for name in extras if name != 'all')}]"]


def test_links_between_pages_lead_somewhere() -> None:
    below = [path for folder in ("drivers", "hosts") for path in (ROOT / "docs" / folder).glob("*.md")]
    pages = {f"{path.parent.name}/{path.name}": path.read_text("utf-8") for path in below}
    for name, text in {"../README.md": (ROOT / "README.md").read_text("utf-8"), **DOCS, **pages}.items():
        folder = (ROOT / "docs" / name).resolve().parent
        prose = re.sub(r"^(`{3,})[^`\n]*$.*?^\1$|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)#:]+)\)", prose):
            assert (folder / target).exists(), f"{name}: {target}"


def test_changelog_has_the_version() -> None:
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_every_picture_is_small_shown_and_made_by_the_script() -> None:
    script = (ROOT / "scripts/make-screenshots").read_text("utf-8")
    names = set(re.findall(r'^    "([a-z-]+)": ', script.partition("SHOTS: ")[2].partition("}")[0], re.MULTILINE))
    pictures = {path.stem: path for path in (ROOT / "docs").glob("*.png") if path.stem != "example"}
    assert set(pictures) == names
    for name, path in pictures.items():
        assert path.stat().st_size <= 150_000, name
        assert f"({name}.png)" in EVERYTHING, name
