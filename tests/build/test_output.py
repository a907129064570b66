"""Where a build writes: beside the old site, exchanged with it as a whole, one build at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from hybridsite.build import output as output_module
from hybridsite.build.output import Output, build_lock
from hybridsite.build.store import Place
from hybridsite.errors import BuildError
from tests.e2e.support import tree, write_files

PLACES_THAT_FAIL: dict[str, tuple[object, str]] = {
    "mkdtemp": (tempfile, "mkdtemp"),
    "mkdir": (os, "mkdir"),
    "open": (os, "open"),
    "write": (os, "write"),
    "rename": (output_module, "_exchange"),
}


def old_site(root: Path) -> dict[str, str]:
    write_files(root, {"dist/client/index.html": "old", "dist/client/gone.html": "old"})
    return tree(root / "dist")


def left_beside(root: Path) -> list[str]:
    """Names what a build has forgotten beside dist/."""
    return sorted(path.name for path in root.iterdir() if path.name.startswith(".dist-"))


@pytest.mark.parametrize("exchanges", [True, False])
@pytest.mark.parametrize("existed", [True, False])
def test_the_new_site_takes_the_place_of_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanges: bool, existed: bool
) -> None:
    if not exchanges:
        monkeypatch.setattr(output_module, "_exchange", lambda *_: False)
    if existed:
        old_site(tmp_path)
    with Output(tmp_path) as output:
        output.write("client/index.html", b"new")
        output.write("client/deep/er/a.html", b"a")
        output.exchange()
    assert set(tree(tmp_path / "dist")) == {"client/index.html", "client/deep/er/a.html"}
    assert (tmp_path / "dist/client/index.html").read_bytes() == b"new"
    assert left_beside(tmp_path) == []


def test_the_exchange_leaves_no_moment_without_a_site(tmp_path: Path) -> None:
    # case D1
    old_site(tmp_path)
    index, seen, done = tmp_path / "dist/client/index.html", set[bytes](), threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.add(index.read_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for number in range(20):
            with Output(tmp_path) as output:
                output.write("client/index.html", b"new %d" % number)
                output.exchange()
    finally:
        done.set()
        watcher.join()
    assert seen <= {b"old", *(b"new %d" % number for number in range(20))}


@pytest.mark.parametrize("at_once", [True, False])
def test_what_takes_the_place_of_the_old_site_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    # case D1: power that fails after the exchange finds no empty files
    steps: list[str] = []
    fsync, exchange, syncfs = os.fsync, output_module._exchange, output_module._syncfs
    old_site(tmp_path)

    def name_of(descriptor: int) -> str:
        return Path(os.readlink(f"/proc/self/fd/{descriptor}")).name

    def spied_syncfs(descriptor: int) -> bool:
        steps.append("all")
        return syncfs(descriptor)

    def spied_fsync(descriptor: int) -> None:
        steps.append(name_of(descriptor))
        fsync(descriptor)

    def spied_exchange(one: Path, other: Path) -> bool:
        steps.append("exchange")
        return exchange(one, other)

    monkeypatch.setattr(os, "fsync", spied_fsync)
    monkeypatch.setattr(output_module, "_syncfs", spied_syncfs if at_once else lambda _: False)
    monkeypatch.setattr(output_module, "_exchange", spied_exchange)
    with Output(tmp_path) as output:
        output.write("client/a/index.html", b"new")
        output.exchange()
    before, after = steps[: steps.index("exchange")], steps[steps.index("exchange") + 1 :]
    assert (before == ["all"]) if at_once else {"index.html", "a", "client"} < set(before)
    assert after == [tmp_path.name]


@pytest.mark.parametrize("raised", [RuntimeError, KeyboardInterrupt])
def test_left_early_nothing_has_changed(tmp_path: Path, raised: type[BaseException]) -> None:
    # case D1
    before = old_site(tmp_path)

    def build() -> None:
        with Output(tmp_path) as output:
            output.write("client/index.html", b"new")
            raise raised

    with pytest.raises(raised):
        build()
    assert tree(tmp_path / "dist") == before
    assert left_beside(tmp_path) == []


@pytest.mark.parametrize("failing", sorted(PLACES_THAT_FAIL))
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_fails_leaves_the_old_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, code: int
) -> None:
    # case D1
    before = old_site(tmp_path)

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    def build(patched: pytest.MonkeyPatch) -> None:
        place, name = PLACES_THAT_FAIL[failing]
        if failing == "mkdtemp":
            patched.setattr(place, name, fail)
        with Output(tmp_path) as output:
            patched.setattr(place, name, fail)
            output.write("client/a/index.html", b"new")
            output.exchange()

    with monkeypatch.context() as patched, pytest.raises(BuildError, match="dist/ is as it was") as caught:
        build(patched)
    assert os.strerror(code) in str(caught.value)
    assert tree(tmp_path / "dist") == before


def test_a_file_that_the_system_takes_in_parts_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    with monkeypatch.context() as patched, Output(tmp_path) as output:
        patched.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data[:3])))
        place = output.write("client/a/b/index.html", b"0123456789")
        output.exchange()
    assert (tmp_path / "dist/client/a/b/index.html").read_bytes() == b"0123456789"
    assert place.size == 10


def test_what_a_killed_build_left_is_cleared_away(tmp_path: Path) -> None:
    # case D1
    write_files(tmp_path, {".dist-abc/client/index.html": "half", ".dist-abc-old/x": "x", ".distance/kept": "kept"})
    with Output(tmp_path) as output:
        output.write("client/index.html", b"new")
        output.exchange()
    assert left_beside(tmp_path) == []
    assert (tmp_path / ".distance/kept").exists()


def test_an_earlier_dist_is_made_into_the_next_one(tmp_path: Path) -> None:
    spare = tmp_path / "state/spare"
    spare.parent.mkdir()

    def build(files: dict[str, str]) -> dict[str, Place]:
        with Output(tmp_path, spare) as output:
            places = {
                name: known[name]
                if name in known and texts[name] == text and output.keep(name, known[name])
                else output.write(name, text.encode())
                for name, text in files.items()
            }
            output.exchange()
        assert {name: (tmp_path / "dist" / name).read_text() for name in tree(tmp_path / "dist")} == files
        texts.update(files)
        return places

    texts: dict[str, str] = {}
    known: dict[str, Place] = {}
    for files in (
        {"client/a": "a", "client/b/index.html": "b", "server/c": "c"},
        {"client/a": "a", "client/b/index.html": "new", "client/d/e/f": "f"},
        {"client/a/index.html": "folder", "client/b": "file", "client/d/e/f": "f"},
        {"client/a": "a", "client/d/e/g": "g"},
        {"client/a": "a"},
        {"client/a": "a", "client/d/e/f": "f"},
    ):
        known = build(files)
        write_files(tmp_path, {"dist/client/extra": "by hand", "dist/client/empty/x": "by hand"})
        before = tree(tmp_path / "dist")
        with Output(tmp_path, spare) as output:
            output.write("client/a", b"half")  # left early, as by a fault
        assert tree(tmp_path / "dist") == before
    assert left_beside(tmp_path) == []


def test_folders_may_be_read_by_a_web_server(tmp_path: Path) -> None:
    with Output(tmp_path) as output:
        output.write("client/index.html", b"new")
        output.exchange()
    assert (tmp_path / "dist").stat().st_mode & 0o777 == 0o755


def test_a_second_build_waits_and_says_so(tmp_path: Path) -> None:
    # case D2
    order: list[str] = []
    said = threading.Event()

    def second() -> None:
        with build_lock(tmp_path, said.set):
            order.append("second")

    with build_lock(tmp_path, lambda: order.append("waited for nobody")):
        thread = threading.Thread(target=second)
        thread.start()
        assert said.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_the_lock_of_a_process_that_died_is_free(tmp_path: Path) -> None:
    # case D2
    source = (
        "import os, sys\nfrom pathlib import Path\nfrom hybridsite.build.output import build_lock\n"
        "with build_lock(Path(sys.argv[1]), lambda: None):\n    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", source, str(tmp_path)], check=False)
    assert done.returncode == -9
    assert (tmp_path / "build.lock").exists()
    waited: list[str] = []
    with build_lock(tmp_path, lambda: waited.append("waited")):
        pass
    assert waited == []


def test_the_lock_is_given_back_after_a_fault(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), build_lock(tmp_path, lambda: None):
        raise RuntimeError
    with open(tmp_path / "build.lock") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_state_folder_that_is_none_is_a_clear_error(tmp_path: Path) -> None:
    # case D1
    (tmp_path / "state").touch()
    with pytest.raises(BuildError, match="dist/ is as it was"), build_lock(tmp_path / "state", lambda: None):
        pass
