"""The benchmark of builds: it runs, and its picture and its table say what was measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from tests.e2e.support import environment

ROOT = Path(__file__).parent.parent
ROWS = {
    "1000": {
        "hybridsite": {"cold": 0.5, "one changed": 0.2, "unchanged": 0.1, "MB": 60},
        "Hugo <1>": {"cold": 1.0, "one changed": 1.0, "unchanged": 0.9, "MB": 121},
    }
}


def benchmark(*arguments: str | Path) -> str:
    """Runs the script to its end, and gives what it printed."""
    command = [sys.executable, str(ROOT / "benchmarks/build.py"), *map(str, arguments)]
    env = environment({"PYTHONPATH": str(ROOT)})
    return subprocess.run(command, env=env, capture_output=True, encoding="utf-8", check=True).stdout


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
