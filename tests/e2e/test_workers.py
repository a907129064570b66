"""Several workers: what stands still is replaced, the others serve on; what the log tells; readiness."""

from __future__ import annotations

import json
import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.e2e.support import CONSOLE, Hybridsite, MakeSite, Serve, Server, built, wait_until, write_files

ENDLESS = {
    "site.toml": '[limits]\ntime = "2s"\n[server]\ngrace = "1s"\n',
    "pages/index.html": "home",
    "pages/now.html": "---\nprerender: false\n---\nnow",
    "pages/template.html": "---\nprerender: false\n---\n\n{% for n in range(10 ** 12) %}{% endfor %}",
    "pages/handler.py": "async def GET(context):\n    while True:\n        pass\n",
    "pages/thread.py": "def GET(context):\n    while True:\n        pass\n",
    "pages/regex.py": "import re\n\n\ndef GET(context):\n    return str(re.match('(a|a)*$', 'a' * 60 + 'b'))\n",
    "pages/console.py": CONSOLE,
}


def pids(server: Server) -> set[int]:
    """Gives the processes that answer, each by connections of their own."""
    found = set()
    for _ in range(30):
        with suppress(httpx.TransportError), httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
            found.add(client.post("/console", content=b"", headers={"Origin": server.url}).json()["pid"])
    return found


def visit(server: Server, path: str) -> None:
    with suppress(httpx.TransportError):
        httpx.get(f"{server.url}{path}", timeout=60, trust_env=False)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/template/", "stands still, at pages/template.html:5, and ends"),
        ("/handler", "stands still, at pages/handler.py:"),
        ("/thread", "/thread goes on after it was given up, and holds a thread"),
        ("/regex", "doesn't answer, and is killed"),
    ],
)
def test_a_worker_with_what_never_ends_is_replaced_and_the_others_serve_on(
    make_site: MakeSite, serve: Serve, path: str, told: str
) -> None:
    # case B7
    server = serve(make_site(ENDLESS), "--workers", "2")
    wait_until(lambda: len(pids(server)) == 2, "both workers")
    before = pids(server)
    thread = threading.Thread(target=visit, args=(server, path))
    thread.start()
    wait_until(lambda: told in server.log() and _served(server), "the log")
    wait_until(lambda: "is replaced" in server.log() and _served(server), "the replacement", 60)
    wait_until(lambda: len(found := pids(server)) == 2 and len(found & before) == 1, "another worker", 60)
    thread.join()
    assert server.stop() == 0


def _served(server: Server) -> bool:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
        assert client.get("/").text == "home"
        assert client.get("/now/").text.strip() == "now"
    return True


def test_a_single_process_that_stands_still_ends(make_site: MakeSite, serve: Serve) -> None:
    # case B7: whoever started it starts it again
    server = serve(make_site(ENDLESS))
    visit(server, "/template/")
    assert server.wait() == 1
    assert "stands still, at pages/template.html:5, and ends" in server.log()


def test_a_process_that_was_stopped_for_a_while_goes_on(make_site: MakeSite, serve: Serve) -> None:
    server = serve(make_site(ENDLESS))
    os.kill(server.pid, signal.SIGSTOP)
    threading.Event().wait(4)  # longer than it may stand still
    os.kill(server.pid, signal.SIGCONT)
    assert _served(server)
    assert "stands still" not in server.log()
    assert server.stop() == 0


@pytest.mark.parametrize("args", [(), ("--workers", "2")], ids=["one worker", "two workers"])
@pytest.mark.parametrize("path", ["/slow", "/ever"])
def test_the_grace_has_an_end(make_site: MakeSite, serve: Serve, args: tuple[str, ...], path: str) -> None:
    # case L1
    files = {
        "pages/slow.py": "import asyncio\n\n\nasync def GET(context):\n    await asyncio.sleep(1000)\n",
        "pages/ever.py": "import time\n\n\ndef GET(context):\n    time.sleep(1000)\n",
    }
    server = serve(make_site({**files, "pages/begun.py": "def GET(context):\n    return 'x'\n"}), "--grace", "1", *args)
    thread = threading.Thread(target=visit, args=(server, path))
    thread.start()
    visit(server, "/begun")
    server.stop()
    thread.join()


def test_workers_end_with_their_supervisor(make_site: MakeSite, serve: Serve) -> None:
    server = serve(make_site(ENDLESS), "--workers", "2")
    wait_until(lambda: len(pids(server)) == 2, "both workers")
    workers = pids(server)
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), "the workers to end")


ONLY_IN_A_WORKER = """
import os
if os.environ.get("HYBRIDSITE_SITE"):
    raise RuntimeError("no")

def GET(context):
    return ""
"""


def test_a_site_that_no_worker_can_serve_ends_the_server(make_site: MakeSite, serve: Serve) -> None:
    site = make_site({"pages/a.py": ONLY_IN_A_WORKER})
    built(site)
    with pytest.raises(AssertionError, match="ended with 1") as caught:
        serve(site, "--workers", "2")
    assert "no worker could start" in str(caught.value)


@pytest.mark.parametrize("args", [(), ("--workers", "2")], ids=["one worker", "two workers"])
def test_the_log_in_json(make_site: MakeSite, serve: Serve, args: tuple[str, ...]) -> None:
    files = {"pages/bad.py": "def GET(context):\n    raise RuntimeError('geheim')\n", "pages/index.html": "home"}
    server = serve(make_site(files), "--log-format", "json", "--access-log", *args)
    name = server.client().get("/", headers={"X-Request-ID": "one-two"}).headers["x-request-id"]
    assert name == "one-two"
    server.client().get("/bad?secret=4711")
    server.stop()
    objects = [json.loads(line) for line in server.log().splitlines()]  # of both streams, with what the build says
    assert objects[0]["event"] in ("news", "route")
    assert any(server.url in one["message"] for one in objects if one.get("event") == "news")
    assert [one for one in objects if one.get("id") == name and one["path"] == "/" and one["status"] == 200]
    fault = next(one for one in objects if "RuntimeError" in one.get("message", ""))
    answered = next(one for one in objects if one.get("path") == "/bad")
    assert f"(request {answered['id']})" in fault["message"]
    assert "pages/bad.py" in fault["trace"]
    assert "4711" not in server.log()


def test_faults_are_objects_too_where_the_log_is_in_json(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site({"site.toml": '[server]\nlog_format = "json"\n', "pages/index.html": "<< nowhere >>"})
    done = hybridsite("serve", site)
    assert [json.loads(line)["faults"][0]["line"] for line in done.stdout.splitlines()] == [1]
    assert done.stderr == ""
    write_files(site, {"site.toml": "[server]\nlog_frmat = 1\n"})
    for more in ((), ("-v",)):
        done = hybridsite("serve", site, "--log-format", "json", *more)
        (fault,) = map(json.loads, done.stdout.splitlines())
        assert (fault["event"], done.stderr, "trace" in fault) == ("fault", "", bool(more))


def test_a_server_is_ready_when_its_store_answers(make_site: MakeSite, serve: Serve) -> None:
    files = {"pages/now.html": "---\nprerender: false\n---\n<< session.get('a') >>", "pages/index.html": "home"}
    ready = serve(make_site(files)).client().get("/readyz")
    assert (ready.status_code, ready.text, ready.headers["cache-control"]) == (200, "ok\n", "no-store")
    redis = '[session]\ndriver = "redis"\noptions = { url = "redis://127.0.0.1:1" }\n'
    client = serve(
        make_site({"site.toml": redis, **files}), env={"HYBRIDSITE_SECRET": "s" * 20 + "T9x-q2LmZ0vK"}
    ).client()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.headers["cache-control"]) == (503, "no-store")
    assert client.get("/healthz").status_code == 200
    assert client.get("/").text == "home"
