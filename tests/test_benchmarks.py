"""The benchmarks of builds and of servers: they run, and their pictures and tables say what was measured."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.e2e.support import environment

ROOT = Path(__file__).parent.parent
ROWS = {
    "1000": {
        "hybridsite": {"cold": 0.5, "one changed": 0.2, "unchanged": 0.1, "MB": 60},
        "Hugo <1>": {"cold": 1.0, "one changed": 1.0, "unchanged": 0.9, "MB": 121},
    }
}


def benchmark(*arguments: str | Path, script: str = "build.py") -> str:
    """Runs a script to its end, and gives what it printed."""
    done = run(*arguments, script=script)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run(*arguments: str | Path, script: str) -> subprocess.CompletedProcess[str]:
    """Runs a script to its end, whatever that is."""
    command = [sys.executable, str(ROOT / "benchmarks" / script), *map(str, arguments)]
    env = environment({"PYTHONPATH": str(ROOT)})
    return subprocess.run(command, env=env, capture_output=True, encoding="utf-8", check=False)


def test_figures_become_a_table_with_ratios_and_a_picture_for_light_and_dark_pages(tmp_path: Path) -> None:
    (tmp_path / "figures.json").write_text(json.dumps(ROWS))
    table = benchmark("--from", tmp_path / "figures.json", "--draw", tmp_path / "build.svg")
    assert "| 1,000 | hybridsite | 0.50 s | 1.00 | 0.20 s | 1.00 | 0.10 s | 60 MB |" in table
    assert "| 1,000 | Hugo <1> | 1.00 s | 2.00 | 1.00 s | 5.00 | 0.90 s | 121 MB |" in table
    text = (tmp_path / "build.svg").read_text()
    picture = ElementTree.fromstring(text)
    name = "{http://www.w3.org/2000/svg}"
    bars = [float(bar.get("width", 0)) for bar in picture.iter(f"{name}rect")]
    assert bars == [270.0, 108.0, 540.0, 540.0]  # cold and changed, the faster tool first
    told = [part.text for part in picture.iter(f"{name}text")]
    assert {"1,000 posts", "hybridsite", "Hugo <1>", "0.50", "0.20"} <= set(told)
    assert "prefers-color-scheme: dark" in text


def test_it_measures_our_own_builds(tmp_path: Path) -> None:
    benchmark("--posts", "40", "--rounds", "1", "--only", "hybridsite", "--json", tmp_path / "figures.json")
    row = json.loads((tmp_path / "figures.json").read_text())["40"]["hybridsite"]
    assert row.keys() == {"cold", "one changed", "unchanged", "MB"}
    assert all(value > 0 for value in row.values())


def test_requests_a_second_become_a_table_with_ratios_and_a_picture(tmp_path: Path) -> None:
    told = {"cpu": 26.0, "p50": 1.6, "p99": 3.4, "MB": 46, "goal": None, "ratio": 1.0, "cpu ratio": 1.0}
    ours, theirs = {**told, "rate": 30000.0}, {**told, "rate": 20000.0, "ratio": 1.5, "cpu ratio": 1.25, "goal": 0.95}
    cases = {"prerendered": {"uvicorn <1>": theirs, "hybridsite": ours}}
    (tmp_path / "figures.json").write_text(json.dumps({"start to first answer, s": 0.5, "cases": cases}))
    table = benchmark("--from", tmp_path / "figures.json", "--draw", tmp_path / "serve.svg", script="serve.py")
    assert "| prerendered | hybridsite | 30,000 |  |  | 26 |  | 1.6 | 3.4 | 46 |" in table
    assert "| prerendered | uvicorn <1> | 20,000 | 1.50 | 0.95 | 26 | 1.25 | 1.6 | 3.4 | 46 |" in table
    text = (tmp_path / "serve.svg").read_text()
    name = "{http://www.w3.org/2000/svg}"
    picture = ElementTree.fromstring(text)
    assert [float(bar.get("width", 0)) for bar in picture.iter(f"{name}rect")] == [390.0, 260.0]  # the faster first
    assert [group.get("class") for group in picture.iter(f"{name}g")] == ["ours", "theirs"]
    assert {"prerendered", "uvicorn <1>", "30,000/s · 3.4 ms"} <= {part.text for part in picture.iter(f"{name}text")}
    assert "prefers-color-scheme: dark" in text


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_it_measures_servers_in_turns(tmp_path: Path) -> None:
    options = ("--only", "on demand", "--rounds", "1", "--seconds", "1", "--visitors", "4")
    benchmark(*options, "--json", tmp_path / "figures.json", script="serve.py")
    rows = json.loads((tmp_path / "figures.json").read_text())["cases"]["on demand"]
    assert {"hybridsite", "Starlette"} <= rows.keys() <= {"hybridsite", "Starlette", "Astro"}
    for row in rows.values():
        assert len(row["rounds"]) == 1
        assert all(row[name] > 0 for name in ("rate", "cpu", "p50", "p99", "MB", "ratio", "cpu ratio"))


def test_a_mixture_of_all_requests_is_answered_rightly_and_leaves_no_descriptor_open(tmp_path: Path) -> None:
    options = ("--requests", "2000", "--visitors", "4", "--json", tmp_path / "figures.json")
    done = run(*options, script="memory.py")  # whose goal for memory is for more requests than these
    assert done.stderr == ""
    assert "descriptors by 0 (goal: 0)" in done.stdout
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures[-1][0] >= 2000
    kinds = dict(kind.rsplit(" ", 1) for kind in done.stdout.splitlines()[-2].split("; "))
    assert len(kinds) == 12
    assert all(int(count) > 150 for count in kinds.values())
