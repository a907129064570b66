"""How long a build takes, and how much memory: hybridsite beside Hugo, Eleventy, Astro and Pelican, in turns.

    python benchmarks/build.py [--posts 1000,10000] [--rounds 3] [--only hybridsite,hugo] [--install]
                               [--json FILE] [--draw docs/build.svg] [--from FILE]
    python benchmarks/build.py --large

Each tool builds the same posts (peers.py) cold, then with one post changed, then with nothing changed: whole processes,
by wall time, in turns, the order turned around each round; the figures are medians. Memory is the most that all
processes of a cold build had together (the sum of their PSS, looked at twenty times a second), in a build of its own
that isn't timed. Tools that aren't at hand are left out; `--install` gets them by pip and npm into .cache/benchmarks.
`--from` prints and draws what was measured before. `--large` builds 100,000 posts with ours alone, and says if time
grew in proportion from 10,000 and memory stayed below 2 GB: it ends 1 otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from peers import Tool, install, tools
from picture import picture

KINDS = ("cold", "one changed", "unchanged")
Figures = dict[str, dict[str, dict[str, float]]]
"""For each number of posts, for each tool: seconds by kind of build, and the peak memory in MB."""
MOST_GROWTH = 1.25
MOST_MEMORY = 2000


def run(tool: Tool, folder: Path) -> float:
    """Runs a build, and gives its wall time in seconds."""
    began = time.perf_counter()
    _Build(tool, folder).wait_for_success()
    return time.perf_counter() - began


def peak(tool: Tool, folder: Path) -> float:
    """Runs a build, and gives the most memory, in MB, that its processes had together."""
    build = _Build(tool, folder)
    most, ended = 0, threading.Event()

    def look() -> None:
        nonlocal most
        while not ended.wait(0.05):
            most = max(most, sum(map(_pss, _group(build.process.pid))))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        build.wait_for_success()
    finally:
        ended.set()
        looking.join()
    return most / 1024


class _Build:
    """A build under way, in a session of its own."""

    def __init__(self, tool: Tool, folder: Path) -> None:
        self.tool = tool
        self.process = subprocess.Popen(
            tool.command,
            cwd=folder,
            env={**os.environ, **tool.environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait_for_success(self) -> None:
        told, _ = self.process.communicate()
        if self.process.returncode:
            raise SystemExit(f"{self.tool.name} ended with {self.process.returncode}: {told.decode()[-2000:]}")


def _group(session: int) -> Iterator[str]:
    """Yields the processes of a session."""
    for process in os.listdir("/proc"):
        if process.isdecimal():
            try:
                stat = Path(f"/proc/{process}/stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[3]) == session:
                yield process


def _pss(process: str) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def clean(tool: Tool, folder: Path, aside: Path) -> None:
    """Leaves nothing of an earlier build, as in a fresh clone.

    It is moved aside, and removed when all is measured: for half a minute ext4 is slow to make files where as many
    were removed just now, since it looks for inodes that weren't theirs, and a build would be charged for that.
    """
    for made in (tool.output, ".hybridsite", *tool.leaves):
        if (folder / made).exists():
            (folder / made).rename(aside / str(len(os.listdir(aside))))


def change(tool: Tool, folder: Path) -> None:
    """Changes the text of one post."""
    with (folder / tool.posts / "7.md").open("a") as file:
        file.write("\nOne more sentence for it.\n")


def measure(count: int, rounds: int, wanted: list[Tool], *, parent: Path) -> dict[str, dict[str, float]]:
    """Builds a number of posts with each tool, in turns."""
    times: dict[str, dict[str, list[float]]] = {tool.name: {kind: [] for kind in KINDS} for tool in wanted}
    aside = parent / "aside"
    aside.mkdir()
    memory: dict[str, float] = {}
    for tool in wanted:
        folder = parent / tool.name
        tool.write(folder, count)
        memory[tool.name] = peak(tool, folder)
        pages = sum(1 for _ in (folder / tool.output).rglob("*.html"))
        assert pages >= count + 9, f"{tool.name} wrote {pages} pages"
    for number in range(rounds):
        for tool in wanted if number % 2 == 0 else reversed(wanted):
            folder = parent / tool.name
            clean(tool, folder, aside)
            for kind in KINDS:
                if kind == "one changed":
                    change(tool, folder)
                times[tool.name][kind].append(run(tool, folder))
    return {
        name: {**{kind: round(statistics.median(row[kind]), 3) for kind in KINDS}, "MB": round(memory[name])}
        for name, row in times.items()
    }


def table(figures: Figures) -> str:
    """Gives the figures as a table in Markdown; the ratios are of the time of a cold build to ours."""
    lines = ["| posts | tool | cold | times ours | one post changed | times ours | nothing changed | memory |"]
    lines.append("| --- " * 8 + "|")
    for count, rows in figures.items():
        ours = rows["hybridsite"]
        for name, row in rows.items():
            ratios = [f"{row[kind] / ours[kind]:.2f}" for kind in KINDS]
            cells = [
                f"{int(count):,}",
                name,
                f"{row['cold']:.2f} s",
                ratios[0],
                f"{row['one changed']:.2f} s",
                ratios[1],
            ]
            lines.append(f"| {' | '.join(cells)} | {row['unchanged']:.2f} s | {row['MB']:,.0f} MB |")
    return "\n".join(lines)


def large(rounds: int, few: int = 10_000, many: int = 100_000) -> None:
    """Builds many posts, and ends 1 where that takes more than in proportion, or more memory than may be."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        for count in (few, many):
            found[count] = measure(count, rounds, tools({"hybridsite"}), parent=_folder(name, count))["hybridsite"]
            print(f"{count:,} posts: {json.dumps(found[count])}", flush=True)
    growth = found[many]["cold"] / found[few]["cold"] * few / many
    print(f"time for a post at {many:,} is {growth:.2f} of that at {few:,} (at most {MOST_GROWTH}),")
    print(f"memory {found[many]['MB']:,.0f} MB (at most {MOST_MEMORY:,})")
    raise SystemExit(int(growth > MOST_GROWTH or found[many]["MB"] > MOST_MEMORY))


def _folder(parent: str, count: int) -> Path:
    folder = Path(parent, str(count))
    folder.mkdir()
    return folder


def main() -> None:
    """Reads the command line, measures, prints and draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", default="1000,10000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="names of tools, with commas between")
    parser.add_argument("--install", action="store_true", help="get the other tools first")
    parser.add_argument("--json", type=Path, help="a file for all figures")
    parser.add_argument("--draw", type=Path, help="a file for the picture")
    parser.add_argument("--from", dest="given", type=Path, help="figures that were measured before")
    parser.add_argument("--large", action="store_true", help="100,000 posts")
    asked = parser.parse_args()
    if asked.install:
        install()
    if asked.large:
        large(asked.rounds)
    figures: Figures = json.loads(asked.given.read_text()) if asked.given else {}
    wanted = tools({"hybridsite", *asked.only.lower().split(",")} if asked.only else None)
    with tempfile.TemporaryDirectory() as name:
        for count in [] if asked.given else asked.posts.split(","):
            figures[count] = measure(int(count), asked.rounds, wanted, parent=_folder(name, int(count)))
            print(table({count: figures[count]}), flush=True)
    if asked.given:
        print(table(figures))
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1) + "\n")
    if asked.draw:
        asked.draw.write_text(picture(figures))


if __name__ == "__main__":
    main()
