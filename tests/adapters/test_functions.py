"""The folder of a function: what lies in it, what is told before the build stands, and what a host can't take."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import pytest

from hybridsite.adapters import functions, vercel
from hybridsite.errors import AdapterError, DriverError
from tests.e2e.support import page, write_site
from tests.inprocess import ON_DEMAND, built_here

PLAIN = '[build.function]\npackages = false\npython = "3.12"\n'
ADAPTERS = {"lambda": ".lambda/function", "vercel": ".vercel/output/functions/_hybridsite.func"}


def settings(adapter: str, more: str = "") -> str:
    return f'[site]\nurl = "https://shop.example"\n[build]\nadapter = "{adapter}"\n{PLAIN}{more}'


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_it_has_the_site_and_hybridsite_and_leaves_packages_to_others(tmp_path: Path, adapter: str) -> None:
    files = {"pages/index.html": f"{ON_DEMAND}now", "requirements.txt": "babel\n"}
    more = '[session]\ndriver = "redis"\n'
    root = write_site(tmp_path, {"site.toml": settings(adapter, more), **files})
    built_here(root)
    folder = root / ADAPTERS[adapter]
    assert (folder / "dist/server/manifest.json").read_bytes() == (root / "dist/server/manifest.json").read_bytes()
    assert [path.name for path in (folder / "_vendor").iterdir()] == ["hybridsite"]
    assert not list(folder.rglob("__pycache__"))
    (listed,) = root.glob(".*/requirements.txt")
    lines = listed.read_text().splitlines()
    names = {line.split(">")[0].split("[")[0].split("=")[0] for line in lines}
    assert {"starlette", "babel", "redis", {"lambda": "mangum", "vercel": "vercel-runtime"}[adapter]} <= names
    assert not {"uvicorn", "watchfiles", "psycopg"} & names
    assert "extra ==" not in listed.read_text()


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_one_that_is_too_large_leaves_the_build_before_as_it_was(
    tmp_path: Path, adapter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_site(tmp_path, {"site.toml": settings(adapter), "pages/index.html": f"{ON_DEMAND}now"})
    (root / "public").mkdir()
    (root / "public/a.txt").write_text("before")
    built_here(root)
    folder = root / ADAPTERS[adapter]
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    (root / "public/a.txt").write_text("after!")  # as long
    monkeypatch.setattr(functions, "_MOST_BYTES", size - 1)
    with pytest.raises(AdapterError, match=r"the function has \d+ MiB, and the host takes \d+"):
        built_here(root)
    assert page(root, "a.txt") == "before"
    assert (folder / "dist/client/a.txt").read_text() == "before"
    monkeypatch.setattr(functions, "_MOST_BYTES", size)  # what is told before is what is written
    built_here(root)
    assert (folder / "dist/client/a.txt").read_text() == "after!"


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("driver", ["sqlite", "fs", "memory"])
def test_a_driver_that_can_t_work_there_is_an_error_with_those_that_can(
    tmp_path: Path, adapter: str, driver: str
) -> None:
    more = f'[session]\ndriver = "{driver}"\n'
    root = write_site(tmp_path, {"site.toml": settings(adapter, more), "pages/index.html": ON_DEMAND})
    with pytest.raises(DriverError) as caught:
        built_here(root)
    assert f'the session driver "{driver}" can\'t work on the host of the adapter "{adapter}"' in str(caught.value)
    assert all(name in str(caught.value) for name in ("upstash", "redis", "dynamodb", "postgres"))
    assert not (root / "dist").exists()


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_without_a_driver_a_session_is_undefined_and_the_build_says_so(tmp_path: Path, adapter: str) -> None:
    text = f"{ON_DEMAND}<< session.get('a') >>"
    root = write_site(tmp_path, {"site.toml": settings(adapter), "pages/index.html": text})
    (notice,) = built_here(root).notices
    assert "session" in str(notice)
    assert all(name in str(notice) for name in ("upstash", "redis", "dynamodb", "postgres"))


def test_vercel_has_no_function_where_nothing_is_asked(tmp_path: Path) -> None:
    root = write_site(tmp_path, {"site.toml": settings("vercel"), "pages/index.html": "home"})
    built_here(root)
    output = root / ".vercel/output"
    assert not (output / "functions").exists()
    assert (output / "static/index.html").read_text() == "home"
    assert json.loads((output / "config.json").read_text())["version"] == 3


def test_vercel_is_told_the_machine(tmp_path: Path) -> None:
    text = settings("vercel").replace('"3.12"', '"3.13"\narchitecture = "arm64"')
    root = write_site(tmp_path, {"site.toml": text, "pages/index.html": ON_DEMAND})
    built_here(root)
    told = json.loads((root / ADAPTERS["vercel"] / ".vc-config.json").read_text())
    assert (told["runtime"], told["architecture"]) == ("python3.13", "arm64")


def test_vercel_has_no_python_3_11(tmp_path: Path) -> None:
    text = settings("vercel").replace("3.12", "3.11")
    root = write_site(tmp_path, {"site.toml": text, "pages/index.html": ON_DEMAND})
    with pytest.raises(AdapterError, match=r"^site.toml:7:1: Vercel has no Python 3.11"):
        built_here(root)


def test_more_rules_than_vercel_s_router_takes_are_an_error(tmp_path: Path) -> None:
    redirects = "".join(f'"/old-{number}" = "/new"\n' for number in range(vercel._MOST_ROUTES))
    text = f"{settings('vercel')}[redirects]\n{redirects}"
    root = write_site(tmp_path, {"site.toml": text, "pages/index.html": "home"})
    with pytest.raises(AdapterError, match=r"rules of Vercel's router, and it takes 2,048"):
        built_here(root)
    assert not (root / "dist").exists()


def test_hybridsite_has_to_be_installed_where_its_packages_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_site(tmp_path, {"site.toml": settings("lambda"), "pages/index.html": ON_DEMAND})

    def unknown(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", unknown)
    with pytest.raises(AdapterError, match="hybridsite's dependencies aren't known, since it is not installed"):
        built_here(root)
