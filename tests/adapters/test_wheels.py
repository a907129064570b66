"""Wheels for a function's machine: which platforms they may be for, what is kept of them, and what pip complains of."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

from hybridsite.adapters import wheels
from hybridsite.adapters.wheels import Target, installed
from hybridsite.errors import AdapterError


def test_an_older_python_runs_on_an_older_c_library() -> None:
    assert next(Target("3.11", "x86_64").platforms()) == "manylinux_2_26_x86_64"
    assert next(Target("3.12", "x86_64").platforms()) == "manylinux_2_34_x86_64"


def test_arm64_is_aarch64_in_the_names_of_wheels() -> None:
    tags = list(Target("3.12", "arm64").platforms())
    assert (tags[0], tags[-2:]) == ("manylinux_2_34_aarch64", ["manylinux_2_17_aarch64", "manylinux2014_aarch64"])
    assert all(tag.endswith("_aarch64") for tag in tags)


def test_pip_s_wheels_are_for_the_function_s_machine_and_are_kept(tmp_path: Path) -> None:
    folder = installed(["markupsafe"], Target("3.12", "arm64"), tmp_path)
    (library,) = folder.glob("markupsafe/_speedups*.so")
    assert library.name == "_speedups.cpython-312-aarch64-linux-gnu.so"
    assert library.read_bytes()[18:20] == b"\xb7\x00"  # ELF's e_machine: AArch64
    (folder / "mark").touch()
    assert (installed(["markupsafe"], Target("3.12", "arm64"), tmp_path) / "mark").exists()


def test_what_is_kept_of_other_requirements_goes(tmp_path: Path) -> None:
    installed([], Target("3.12", "x86_64"), tmp_path)
    folder = installed([], Target("3.13", "x86_64"), tmp_path)
    assert list(tmp_path.iterdir()) == [folder]


def test_pip_s_error_is_told_in_its_words_and_leaves_nothing(tmp_path: Path) -> None:
    wrong = (tmp_path / "no-such-package").as_uri()
    with pytest.raises(AdapterError) as caught:
        installed([f"nothing @ {wrong}"], Target("3.12", "arm64"), tmp_path / "cache")
    told = str(caught.value)
    assert told.startswith("site.toml: pip can't install the function's packages for Python 3.12 on arm64")
    assert "no-such-package" in told
    assert "ERROR:" not in told
    assert "set packages = false in [build.function]" in told
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("version", ["23.2.1", "24.0", "24.1.2"])
def test_a_pip_that_asks_its_own_python_is_told_before_it_tries(
    tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    other = "3.14" if sys.version_info[:2] != (3, 14) else "3.13"
    with pytest.raises(AdapterError, match=f"pip {version} can't choose packages for Python {other}") as caught:
        installed([], Target(other, "x86_64"), tmp_path)
    assert str(caught.value).endswith("python -m pip install --upgrade pip")
    wheels.check_pip(Target(f"{sys.version_info.major}.{sys.version_info.minor}", "x86_64"))


@pytest.mark.parametrize("version", ["24.2", "24.3.1", "25.0", "26.0rc1", "26.3"])
def test_a_pip_that_can_is_taken(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    for python in ("3.11", "3.12", "3.13", "3.14"):
        wheels.check_pip(Target(python, "x86_64"))


def test_without_pip_it_is_told_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", unknown)
    with pytest.raises(AdapterError, match="pip, which installs the function's packages, is not installed") as caught:
        installed([], Target("3.12", "x86_64"), tmp_path)
    assert "python -m ensurepip" in str(caught.value)
