"""Session drivers by name: the built-in ones, a site's own, and what is said of those that can't be used."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from hybridsite import extensions
from hybridsite.errors import DriverError
from hybridsite.sessions import drivers
from hybridsite.sessions.drivers import create_store, find_store
from hybridsite.sessions.memory import MemoryStore
from hybridsite.sessions.sqlite import SqliteStore

HERE = __name__


class OwnStore(MemoryStore):
    """A store with options, as a site would write one."""

    def __init__(self, url: str, *, size: int = 1) -> None:
        super().__init__()
        self.options = {"url": url, "size": size}


class TakesAll(MemoryStore):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options


class Broken(MemoryStore):
    def __init__(self) -> None:
        raise TypeError("the network has no type")


class NoStore:
    """It lacks what a store has."""

    reach = "process"

    async def open(self) -> None:
        """Does nothing."""


@pytest.mark.parametrize(("driver", "kind"), [("memory", MemoryStore), ("sqlite", SqliteStore)])
def test_a_built_in_driver(driver: str, kind: Any, tmp_path: Path) -> None:
    assert isinstance(create_store(driver, {}, state=tmp_path), kind)
    assert find_store(driver) is kind
    assert list(tmp_path.iterdir()) == []  # it is not open yet


@pytest.mark.parametrize(("path", "file"), [(None, "sessions.db"), ("a/b.db", "a/b.db")])
def test_the_path_of_sqlite_is_relative_to_the_state(path: str | None, file: str, tmp_path: Path) -> None:
    async def check() -> None:
        store = create_store("sqlite", {} if path is None else {"path": path}, state=tmp_path)
        await store.open()
        await store.close()

    asyncio.run(check())
    assert (tmp_path / file).is_file()


@pytest.mark.parametrize("path", ["", 3, None, ["a"]])
def test_a_path_that_is_none_is_refused(path: object, tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="path of the session driver sqlite"):
        create_store("sqlite", {"path": path}, state=tmp_path)


def test_a_class_of_the_site_s_own(tmp_path: Path) -> None:
    store = create_store(f"{HERE}:OwnStore", {"url": "localhost", "size": 3}, state=tmp_path)
    assert isinstance(store, OwnStore)
    assert store.options == {"url": "localhost", "size": 3}
    everything = create_store(f"{HERE}:TakesAll", {"a": 1}, state=tmp_path)
    assert isinstance(everything, TakesAll)
    assert everything.options == {"a": 1}


def test_an_installed_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("own", f"{HERE}:OwnStore", drivers.ENTRY_POINTS)
    monkeypatch.setattr(extensions, "entry_points", lambda group: [point] if group == drivers.ENTRY_POINTS else [])
    assert find_store("own") is OwnStore
    with pytest.raises(DriverError, match=r'known are sqlite, memory, .*, own; did you mean "own"\?'):
        find_store("owm")


@pytest.mark.parametrize(
    ("driver", "closest"), [("sqlit", "sqlite"), ("SQLite", "sqlite"), ("memroy", "memory"), ("memory ", "memory")]
)
def test_an_unknown_driver_names_the_known_and_the_closest(driver: str, closest: str) -> None:
    with pytest.raises(DriverError) as caught:
        find_store(driver)
    assert "sqlite, memory" in caught.value.why
    assert caught.value.mend == f'did you mean "{closest}"?'


def test_an_unknown_driver_that_is_like_none_says_how_to_name_a_class() -> None:
    with pytest.raises(DriverError, match=r'"package\.module:Store"'):
        find_store("zookeeper")


@pytest.mark.parametrize(
    ("driver", "why"),
    [
        ("no_such_package.stores:Store", "no_such_package"),
        (f"{HERE}:Missing", "Missing"),
        (f"{HERE}:", ""),
        (":Store", ""),
        ("..stores:Store", ""),
        (f"{HERE}:OwnStore:again", "OwnStore:again"),
        (":", ""),
    ],
)
def test_what_can_not_be_imported_says_why(driver: str, why: str) -> None:
    with pytest.raises(DriverError, match="can't be loaded") as caught:
        find_store(driver)
    assert why in caught.value.why
    assert "install its package" in caught.value.mend


@pytest.mark.parametrize("driver", [f"{HERE}:NoStore", "os:path", "math:pi"])
def test_what_is_no_store_says_what_it_lacks(driver: str) -> None:
    with pytest.raises(DriverError, match=r"is no session store; it lacks .*touch"):
        find_store(driver)


def test_a_module_of_the_site_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "store_of_a_test_that_fails.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DriverError, match="ZeroDivisionError") as caught:
        find_store("store_of_a_test_that_fails:Store")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("driver", "options", "what", "mend"),
    [
        ("memory", {"url": "x"}, 'has no option "url"; it has none', ""),
        ("memory", {"clock": 1}, 'has no option "clock"', ""),
        ("sqlite", {"paht": "x"}, 'has no option "paht"; it knows path, synchronous, timeout', 'did you mean "path"?'),
        ("sqlite", {"synchronous": "off"}, 'synchronous = "off"', 'use "normal" or "full"'),
        (f"{HERE}:OwnStore", {"url": "x", "sise": 1}, 'has no option "sise"', 'did you mean "size"?'),
        (f"{HERE}:OwnStore", {}, "url", ""),
        (f"{HERE}:Broken", {}, "the network has no type", ""),
    ],
)
def test_options_that_a_driver_can_not_take(
    driver: str, options: dict[str, object], what: str, mend: str, tmp_path: Path
) -> None:
    with pytest.raises(DriverError) as caught:
        create_store(driver, options, state=tmp_path)
    assert what in str(caught.value)
    assert caught.value.mend == mend


def test_a_driver_is_imported_only_where_it_is_used() -> None:
    code = "import sys; import hybridsite.sessions.drivers; print('sqlite3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"
