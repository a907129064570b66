"""From nothing to a served site by the README's words alone: the wheel, a fresh environment, `new`, `dev`, a page."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hybridsite import __version__
from hybridsite.starting import STARTERS
from tests.e2e.support import Server, environment

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
STEPS = re.search(r"^## A new site\n.*?^```\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def ran(command: str | list[str], cwd: Path) -> str:
    """Runs a command that has to end well, without our own code on Python's path, and gives what it printed."""
    env = {name: value for name, value in environment().items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command, shell=isinstance(command, str), cwd=cwd, env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds the wheel, as `pip` does for everybody."""
    folder = tmp_path_factory.mktemp("wheel")
    ran([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], folder)
    (built,) = folder.glob(f"hybridsite-{__version__}-*.whl")
    return built


@pytest.mark.long
def test_the_wheel_has_every_file_of_the_starters(wheel: Path) -> None:
    starters = ROOT / "hybridsite/starters"
    wanted = {
        f"hybridsite/starters/{path.relative_to(starters).as_posix()}"
        for path in starters.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {f"hybridsite/starters/{name}/.gitignore" for name in STARTERS} <= wanted
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if name.startswith("hybridsite/starters/")} == wanted


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_readmes_words_lead_from_nothing_to_a_served_site(
    wheel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert STEPS is not None
    *before, dev = STEPS[1].replace("pip install .", f"pip install --quiet {wheel}").splitlines()
    assert (len(before), dev) == (2, ".venv/bin/hybridsite dev my-site")
    took: dict[str, float] = {}

    def timed(name: str, work: Callable[[], object]) -> None:
        began = time.perf_counter()
        work()
        took[name] = time.perf_counter() - began

    timed("install", lambda: ran(before[0], tmp_path))
    timed("new", lambda: ran(before[1], tmp_path))
    program = tmp_path / ".venv/bin/hybridsite"
    site = tmp_path / "my-site"

    def serve(command: str) -> Server:
        words = [str(program), command, str(site), "--port"]
        return Server(site, command=lambda port: [*words, str(port)], env={"PYTHONPATH": ""})

    with serve("dev") as server:
        server.stop()
        timed("dev", server.start)
        page = server.client().get("/")
        assert page.status_code == 200
        assert "<title>My site</title>" in page.text
    with capsys.disabled():  # told, never asserted: who knows what else the machine does
        steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items())
        print(f"\nfrom nothing to a served site: {sum(took.values()):.1f} s ({steps})")

    ran([str(program), "build", "--strict", str(site)], tmp_path)
    with serve("serve") as server:
        assert server.client().get("/blog/a-first-post/").status_code == 200


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_starters_own_tests_need_hybridsite_and_pytest_alone(wheel: Path, tmp_path: Path) -> None:
    ran(f"{sys.executable} -m venv .venv && .venv/bin/pip install --quiet {wheel} pytest", tmp_path)
    for name in STARTERS:
        ran([".venv/bin/hybridsite", "new", name, "--template", name], tmp_path)
        told = ran(["../.venv/bin/pytest", "-q"], tmp_path / name)
        assert re.search(r"^\d+ passed", told, re.MULTILINE), told
