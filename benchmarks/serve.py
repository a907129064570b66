"""How fast a site is served, beside servers with nothing between them and uvicorn.

    python benchmarks/serve.py [--rounds 5] [--seconds 3] [--visitors 64] [--only NAME …] [--json FILE]

Each pair is measured in turns, and told as the median of the rounds' ratios, since machines are noisy. Beside the
requests a second stands the time of the processor that the server took for one, which other programs disturb less: its
ratio is turned round, so that more is better in both. The load comes from wrk (`apt install wrk`), one thread, a
connection a visitor, each visitor with a cookie of its own.

    prerendered     the page as a file                   beside uvicorn and a bare function: same bytes and headers
    cached          the page from the route cache        beside the same page as a file
    on demand       the page rendered by each request    beside Starlette with the same templates
    session read    … showing a number in the session    beside Starlette with SessionMiddleware, reading
    session write   … and counting it up                 beside Starlette with SessionMiddleware, writing
    island          a number in the session, as a piece  beside uvicorn and a bare function: same bytes and headers
    action          a form, checked by a model, that leaves its outcome in the session: 303
                                                         beside uvicorn and a bare function that reads the form
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

LAYOUT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title><< title >></title></head>
<body>
<nav>{% for name in ["Inks", "Journal", "Cart"] %}<a href="/<< name | lower >>/"><< name >></a>{% endfor %}</nav>
<main>{% block main %}{% endblock %}</main>
</body>
</html>
"""
TEXT = "<p>Oak galls, walnut husks, woad, madder, weld and buckthorn grow within a walk of our pot.</p>\n" * 90
LIST = """{% for number in range(10) %}
  <li class="pot"><a href="/shop/<< number >>/">Ink number << number >></a> <span>at << number * 2 >> a pot</span>
{% endfor %}
"""
PAGE = (
    '{% extends "layouts/base.html" %}{% block main %}<h1>Inks</h1>\n<ul>' + LIST + "</ul>\n" + TEXT + "{% endblock %}"
)
COUNT = PAGE.replace("<h1>", "<p><< session.get('count', 0) >> so far</p><h1>")
LOAD = "async def load(context):\n    return {'title': 'Inks'}\n"
WRITE = (
    "async def load(context):\n"
    "    context.session['count'] = context.session.get('count', 0) + 1\n"
    "    return {'title': 'Inks'}\n"
)
ACTIONS = (
    "from pydantic import BaseModel, Field\nfrom hybridsite import action\n\n\n"
    "class Order(BaseModel):\n    product: str\n    quantity: int = Field(1, ge=1, le=99)\n\n\n"
    "@action\nasync def order(context, form: Order):\n    return form.quantity\n"
)
ON_DEMAND = "---\nprerender: false\n---\n"
SITE = {
    "site.toml": "",
    "actions.py": ACTIONS,
    "layouts/base.html": LAYOUT,
    "pages/index.html": PAGE,
    "pages/index.py": LOAD,
    "pages/now.html": ON_DEMAND + PAGE,
    "pages/now.py": LOAD,
    "pages/kept.html": ON_DEMAND.replace("false\n", "false\ncache: {max_age: 600}\n") + PAGE,
    "pages/kept.py": LOAD,
    "pages/read.html": ON_DEMAND + COUNT,
    "pages/read.py": LOAD,
    "pages/write.html": ON_DEMAND + COUNT,
    "pages/write.py": WRITE,
    "pages/island.html": '{% island "components/count.html" %}{% endisland %}',
    "components/count.html": "<b><< session.get('count', 0) >></b>",
}
PEER = """
import json, os, pathlib
import jinja2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import HTMLResponse
from starlette.routing import Route

here = pathlib.Path(__file__).parent
body = (here / "dist/client/index.html").read_bytes()
headers, piece_headers = (
    [(name.encode(), value.encode()) for name, value in json.loads((here / f"{file}.json").read_text())]
    for file in ("headers", "piece")
)
templates = jinja2.Environment(
    loader=jinja2.DictLoader(json.loads((here / "templates.json").read_text())),
    variable_start_string="<<", variable_end_string=">>", autoescape=True,
)

async def bare(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})

async def piece(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": piece_headers})
    await send({"type": "http.response.body", "body": b'{"' + b"x" * 24 + b'":"<b>1</b>"}'})
async def form(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    seen = [(b"location", b"/"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": seen})
    await send({"type": "http.response.body", "body": b""})

async def now(request):
    return HTMLResponse(templates.get_template("page").render(request=request, title="Inks"))

async def read(request):
    return HTMLResponse(templates.get_template("count").render(request=request, session=request.session, title="Inks"))

async def write(request):
    request.session["count"] = request.session.get("count", 0) + 1
    return HTMLResponse(templates.get_template("count").render(request=request, session=request.session, title="Inks"))

plain = Starlette(routes=[Route("/now/", now)])
sessions = Starlette(
    routes=[Route("/read/", read), Route("/write/", write)],
    middleware=[Middleware(SessionMiddleware, secret_key="x" * 40)],
)
"""
WRK = """
local cookies = {}
for line in io.lines(%r) do cookies[#cookies + 1] = line end
local turn = 0
request = function()
  turn = turn %% #cookies + 1
  return wrk.format(%s)
end
"""


GET = '"GET", nil, {["Cookie"] = cookies[turn]}'
POST = (
    '"POST", nil, {["Cookie"] = cookies[turn], ["Origin"] = "http://127.0.0.1:" .. wrk.port, '
    '["Content-Type"] = "application/x-www-form-urlencoded"}, "product=woad&quantity=2"'
)


@dataclass(frozen=True)
class Pair:
    """What is measured: a path of the site, the peer that answers it too, and the ratio to reach, if there is one."""

    name: str
    path: str
    peer: str
    goal: float | None
    cookies: bool = False
    form: bool = False
    peer_path: str = ""


PAIRS = (
    Pair("prerendered", "/", "bare", 0.95),
    Pair("cached", "/kept/", "ours", 0.8, peer_path="/"),
    Pair("on demand", "/now/", "plain", 0.9),
    Pair("session read", "/read/", "sessions", 1.0, cookies=True),
    Pair("session write", "/write/", "sessions", 0.9, cookies=True),
    Pair("island", "(by its digest)", "piece", None, cookies=True),
    Pair("action", "/_actions/order", "form", None, cookies=True, form=True),
)


def write_site(folder: Path) -> None:
    """Writes the site, and what its peers need."""
    for name, text in SITE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "peer.py").write_text(PEER)
    templates = {"layouts/base.html": LAYOUT, "page": PAGE, "count": COUNT}
    (folder / "templates.json").write_text(json.dumps(templates))
    for name in ("headers", "piece"):
        (folder / f"{name}.json").write_text("[]")


def write_headers(folder: Path, name: str, port: int, path: str) -> None:
    """Writes the headers of an answer for the peer that sends the same."""
    headers = fetch(port, path).getheaders()
    told = [(name.lower(), value) for name, value in headers if name.lower() != "date"]
    (folder / f"{name}.json").write_text(json.dumps(told))


def island_path(folder: Path) -> str:
    """Gives the path by which the script fetches the piece of the page with an island."""
    found = re.search(r'<slot name="([^"]+)"', (folder / "dist/client/island/index.html").read_text())
    assert found, "the page has no island"
    return f"/_islands/{found[1]}.json"


@dataclass(frozen=True)
class Server:
    """A server that runs: where it listens, its process, and the seconds from its start to its first answer."""

    port: int
    process: int
    first_answer: float

    def cpu(self) -> float:
        """The seconds of the processor that it has taken, its own and the kernel's for it."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Figure:
    """One round of load: requests a second, and microseconds of the server's processor for one."""

    rate: float
    cpu: float


@contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[Server]:
    """Runs a server."""
    began = time.perf_counter()
    environ = {**os.environ, "HYBRIDSITE_SECRET": secrets.token_urlsafe(32)}
    server = subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                fetch(port, "/")
                break
            except OSError:
                if server.poll() is not None:
                    raise SystemExit(f"{command} ended with {server.returncode}") from None
                time.sleep(0.005)
        yield Server(port, server.pid, time.perf_counter() - began)
    finally:
        server.terminate()
        server.wait()


def fetch(port: int, path: str) -> http.client.HTTPResponse:
    """Sends one request, with the whole answer read."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def free_port() -> int:
    """Gives a port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def cookies(port: int, visitors: int, into: Path) -> None:
    """Lets visitors begin a session, and writes wrk scripts that ask, and post, as each of them in turn."""
    lines = []
    for _ in range(visitors):
        given = fetch(port, "/write/").getheader("set-cookie")
        assert given, "no session was begun"
        lines.append(given.partition(";")[0])
    (into.with_suffix(".txt")).write_text("\n".join(lines) + "\n")
    for script, asked in ((into, GET), (posting(into), POST)):
        script.write_text(WRK % (str(into.with_suffix(".txt")), asked))


def posting(script: Path) -> Path:
    """Gives the place of the script that posts, beside the one that asks."""
    return script.with_name(f"post-{script.name}")


def load(server: Server, path: str, visitors: int, seconds: int, script: Path | None) -> Figure:
    """Runs one round. Anything but 2xx ends the benchmark: errors are fast."""
    command = ["wrk", "-t1", f"-c{visitors}", f"-d{seconds}s", *(["-s", str(script)] if script else [])]
    began = server.cpu()
    told = subprocess.run(
        [*command, f"http://127.0.0.1:{server.port}{path}"], capture_output=True, text=True, check=True
    ).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise SystemExit(told)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told)
    requests = re.search(r"(\d+) requests in", told)
    assert rate, told
    assert requests, told
    return Figure(float(rate[1]), (server.cpu() - began) / int(requests[1]) * 1e6)


def compare(pair: Pair, mine: list[Figure], theirs: list[Figure]) -> dict[str, object]:
    """Prints a pair's medians, and gives its figures."""
    both = list(zip(mine, theirs, strict=True))
    ratio = statistics.median(a.rate / b.rate for a, b in both)
    cpu = statistics.median(b.cpu / a.cpu for a, b in both)
    rates = [f"{statistics.median(figure.rate for figure in side):6.0f}" for side in (mine, theirs)]
    costs = [f"{statistics.median(figure.cpu for figure in side):5.1f}" for side in (mine, theirs)]
    goal = "" if pair.goal is None else f" (goal {pair.goal})"
    print(f"{pair.name:14} {rates[0]} requests/s, {rates[1]} of {pair.peer:8}  ratio {ratio:.2f}{goal}")
    print(f"{'':14} {costs[0]} µs of CPU,  {costs[1]} of {pair.peer:8}  ratio {cpu:.2f}", flush=True)
    sides = {
        name: [{"rate": round(figure.rate), "cpu": round(figure.cpu, 1)} for figure in side]
        for name, side in (("ours", mine), ("peer", theirs))
    }
    return {"ratio": round(ratio, 3), "cpu ratio": round(cpu, 3), "goal": pair.goal, **sides}


def measure(rounds: int, seconds: int, visitors: int, only: list[str]) -> dict[str, object]:
    """Runs every pair, or those that are named, and gives the figures."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        write_site(folder)
        port = free_port()
        python = [sys.executable, "-m"]
        subprocess.run([*python, "hybridsite", "build", folder], check=True, stdout=subprocess.DEVNULL)
        start = [*python, "hybridsite", "serve", str(folder), "--port", str(port)]
        starts = []
        for _ in range(rounds):
            with running(start, port, folder) as once:
                starts.append(once.first_answer)
        ours = stack.enter_context(running(start, port, folder))
        write_headers(folder, "headers", port, "/")
        write_headers(folder, "piece", port, island_path(folder))
        results: dict[str, object] = {"start to first answer, s": round(statistics.median(starts), 3)}
        print(f"start to first answer: {statistics.median(starts):.2f} s (goal 0.6)")
        servers: dict[str, Server] = {}
        for peer in ("bare", "form", "piece", "plain", "sessions"):
            port = free_port()
            command = [*python, "uvicorn", f"peer:{peer}", "--port", str(port), "--no-access-log", "--no-server-header"]
            servers[peer] = stack.enter_context(running([*command, "--log-level", "error"], port, folder))
        servers["ours"] = ours
        scripts = {server.port: folder / f"{server.port}.lua" for server in (ours, servers["sessions"])}
        for port, script in scripts.items():
            cookies(port, visitors, script)
        for pair in PAIRS:
            if only and pair.name not in only:
                continue
            path = island_path(folder) if pair.peer == "piece" else pair.path
            sides: tuple[list[Figure], list[Figure]] = ([], [])
            for _ in range(rounds):
                paths = (path, pair.peer_path or path)
                for server, asked, side in zip((ours, servers[pair.peer]), paths, sides, strict=True):
                    script = scripts.get(server.port, scripts[ours.port]) if pair.cookies else None
                    script = posting(script) if script and pair.form else script
                    side.append(load(server, asked, visitors, seconds, script))
            results[pair.name] = compare(pair, *sides)
        return results


def main() -> None:
    """Reads the command line, measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of load for each figure")
    parser.add_argument("--visitors", type=int, default=64)
    parser.add_argument("--only", nargs="+", default=[], choices=[pair.name for pair in PAIRS], metavar="NAME")
    parser.add_argument("--json", type=Path, help="a file for all figures")
    asked = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: apt install wrk")
    results = measure(asked.rounds, asked.seconds, asked.visitors, asked.only)
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
