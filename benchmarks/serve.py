"""How fast a site is served, beside others that serve the same, in one run.

    python benchmarks/serve.py [--install] [--rounds 5] [--seconds 3] [--visitors 64] [--only NAME …] [--json FILE]
                               [--draw FILE] [--from FILE]

All who answer the same are measured in turns, and told as the median of the rounds' ratios, since machines are noisy.
Beside the requests a second stands the time of the processor that the server took for one, which other programs
disturb less: its ratio is turned round, so that more is better in both. The load comes from wrk (`apt install wrk`),
one thread, a connection a visitor, each visitor with a cookie of its own. A round for each comes before those that
count. Memory is what a server holds after the last one.

    prerendered     the page as a file                   beside uvicorn and a bare function: same bytes and headers;
                                                         nginx, Starlette's StaticFiles and Astro
    cached          the page from the route cache        beside the same page as a file
    on demand       the page rendered by each request    beside Starlette with the same templates, and Astro
    session read    … showing a number in the session    beside Starlette with SessionMiddleware, and Astro
    session write   … and counting it up                 beside the same
    island          a number in the session, as a piece  beside uvicorn and a bare function: same bytes and headers
    action          a form, checked by a model, that leaves its outcome in the session: 303
                                                         beside uvicorn and a bare function that reads the form

`--install` gets Astro with its adapter for Node, and Node 22, from npm. What isn't at hand is left out, and told.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peers
from load import Figure, Server, cookies, free_port, load, posting, running, size
from picture import rates
from rivals import serving, write_applications
from served import island_path, write_site

OURS = "hybridsite"
Figures = dict[str, Any]


@dataclass(frozen=True)
class Beside:
    """Who answers the same: its name, the ratio to reach, if there is one, and its path where that is another."""

    name: str
    goal: float | None = None
    path: str = ""


@dataclass(frozen=True)
class Case:
    """What is measured: a path of the site, and who answers it too."""

    name: str
    path: str
    beside: tuple[Beside, ...]
    cookies: bool = False
    form: bool = False


_WITH_SESSIONS = "Starlette, SessionMiddleware"
CASES = (
    Case(
        "prerendered",
        "/",
        (Beside("uvicorn", 0.95), Beside("nginx"), Beside("Starlette, StaticFiles"), Beside("Astro")),
    ),
    Case("cached", "/kept/", (Beside(OURS, 0.8, "/"),)),
    Case("on demand", "/now/", (Beside("Starlette", 0.9), Beside("Astro", 4.0))),
    Case("session read", "/read/", (Beside(_WITH_SESSIONS, 1.0), Beside("Astro", 4.0)), cookies=True),
    Case("session write", "/write/", (Beside(_WITH_SESSIONS, 0.9), Beside("Astro", 4.0)), cookies=True),
    Case("island", "", (Beside("uvicorn, a piece"),), cookies=True),
    Case("action", "/_actions/order", (Beside("uvicorn, a form"),), cookies=True, form=True),
)


def row(figures: Sequence[Figure], ours: Sequence[Figure], goal: float | None, memory: float) -> Figures:
    """Gives what is told of one server: medians, and the ratios of ours to it."""
    middle = {
        name: round(statistics.median(getattr(figure, name) for figure in figures), digits)
        for name, digits in (("rate", 0), ("cpu", 1), ("p50", 2), ("p99", 2))
    }
    pairs = list(zip(ours, figures, strict=True))
    return {
        **middle,
        "MB": round(memory),
        "ratio": round(statistics.median(mine.rate / theirs.rate for mine, theirs in pairs), 3),
        "cpu ratio": round(statistics.median(theirs.cpu / mine.cpu for mine, theirs in pairs), 3),
        "goal": goal,
        "rounds": [vars(figure) for figure in figures],
    }


def table(results: Figures) -> str:
    """Gives the figures as a table in Markdown."""
    lines = ["| | server | requests/s | ratio | goal | µs of CPU | ratio | p50 ms | p99 ms | MB |", "| --- " * 10 + "|"]
    for name, rows in results["cases"].items():
        for server, told in rows.items():
            ratios = ["", "", ""]
            if server != OURS:
                goal = "" if told["goal"] is None else f"{told['goal']}"
                ratios = [f"{told['ratio']:.2f}", goal, f"{told['cpu ratio']:.2f}"]
            first = [f"{told['rate']:,.0f}", *ratios[:2], f"{told['cpu']:.0f}", ratios[2]]
            last = [f"{told['p50']:.1f}", f"{told['p99']:.1f}", f"{told['MB']:,.0f}"]
            lines.append(f"| {' | '.join([name, server, *first, *last])} |")
    return "\n".join(lines)


class Run:
    """One run: the site and all who stand beside it, each started when it is first needed."""

    def __init__(self, folder: Path, stack: ExitStack, visitors: int, seconds: int) -> None:
        self.folder = folder
        self.stack = stack
        self.visitors = visitors
        self.seconds = seconds
        self.servers: dict[str, Server | None] = {}
        self.scripts: dict[str, Path] = {}

    def start(self, rounds: int) -> float:
        """Builds the site, starts it some times, and at last for good; gives the seconds to its first answer."""
        write_site(self.folder)
        python, port = [sys.executable, "-m", "hybridsite"], free_port()
        subprocess.run([*python, "build", self.folder], check=True, stdout=subprocess.DEVNULL)
        command = [*python, "serve", str(self.folder), "--port", str(port)]
        starts = []
        for _ in range(rounds):
            with running(command, port, self.folder) as once:
                starts.append(once.first_answer)
        ours = self.stack.enter_context(running(command, port, self.folder))
        self.servers[OURS] = ours
        write_applications(self.folder, ours, island_path(self.folder))
        return statistics.median(starts)

    def server(self, name: str) -> Server | None:
        """Gives a server that runs; None where it isn't at hand."""
        if name not in self.servers:
            self.servers[name] = self.stack.enter_context(serving(name, self.folder))
            if self.servers[name] is None:
                how = "python benchmarks/serve.py --install" if name == "Astro" else f"apt install {name}"
                print(f"{name} is left out: {how}", file=sys.stderr)
        return self.servers[name]

    def script(self, name: str, server: Server, case: Case) -> Path | None:
        """Gives what has wrk send the cookies of a server's visitors; of ours, where a server has no sessions."""
        if not case.cookies:
            return None
        owner = name if name in (OURS, _WITH_SESSIONS, "Astro") else OURS
        if owner not in self.scripts:
            own = server if owner == name else self.servers[OURS]
            assert own is not None
            self.scripts[owner] = self.folder / f"{own.port}.lua"
            cookies(own.port, self.visitors, self.scripts[owner])
        return posting(self.scripts[owner]) if case.form else self.scripts[owner]

    def measure(self, case: Case, rounds: int) -> Figures:
        """Puts all who answer a case under load, in turns."""
        path = case.path or island_path(self.folder)
        ours = self.server(OURS)
        assert ours is not None
        sides: list[tuple[str, str, str, Server, float | None]] = [(OURS, OURS, path, ours, None)]
        for each in case.beside:
            server = self.server(each.name)
            if server is not None:
                told = f"{each.name}, as a file" if each.path else each.name
                sides.append((told, each.name, each.path or path, server, each.goal))
        if case.path and not case.form:
            sizes = {told: size(server.port, asked) for told, _, asked, server, _ in sides}
            assert max(sizes.values()) < 1.1 * min(sizes.values()), f"these aren't the same page: {sizes}"
        for _, name, asked, server, _ in sides:  # Node compiles what it runs often
            load(server, asked, self.visitors, self.seconds, self.script(name, server, case))
        figures: dict[str, list[Figure]] = {side[0]: [] for side in sides}
        for turn in range(rounds):
            for told, name, asked, server, _ in sides if turn % 2 == 0 else reversed(sides):
                script = self.script(name, server, case)
                figures[told].append(load(server, asked, self.visitors, self.seconds, script))
        return {told: row(figures[told], figures[OURS], goal, server.memory()) for told, _, _, server, goal in sides}


def measure(rounds: int, seconds: int, visitors: int, only: list[str]) -> Figures:
    """Runs every case, or those that are named, and gives the figures."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        run = Run(Path(name), stack, visitors, seconds)
        results: Figures = {"start to first answer, s": round(run.start(rounds), 3), "cases": {}}
        print(f"start to first answer: {results['start to first answer, s']:.2f} s (goal 0.6)")
        for case in CASES:
            if not only or case.name in only:
                results["cases"][case.name] = run.measure(case, rounds)
                lines = table({"cases": {case.name: results["cases"][case.name]}}).splitlines()
                print("\n".join(lines if len(results["cases"]) == 1 else lines[2:]), flush=True)
        return results


def main() -> None:
    """Reads the command line, measures, prints and draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of load for each figure")
    parser.add_argument("--visitors", type=int, default=64)
    parser.add_argument("--only", nargs="+", default=[], choices=[case.name for case in CASES], metavar="NAME")
    parser.add_argument("--install", action="store_true", help="get Astro and Node first")
    parser.add_argument("--json", type=Path, help="a file for all figures")
    parser.add_argument("--draw", type=Path, help="a file for the picture")
    parser.add_argument("--from", dest="given", type=Path, help="figures that were measured before")
    asked = parser.parse_args()
    if asked.install:
        peers.install()
    if asked.given:
        results: Figures = json.loads(asked.given.read_text())
        print(table(results))
    elif shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: apt install wrk")
    else:
        results = measure(asked.rounds, asked.seconds, asked.visitors, asked.only)
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=1) + "\n")
    if asked.draw:
        asked.draw.write_text(rates(results["cases"]))


if __name__ == "__main__":
    main()
