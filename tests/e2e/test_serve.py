"""`hybridsite serve` and the ASGI application: when it builds, how it ends, what it listens to."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import httpx
import pytest

from tests.e2e.support import (
    CONSOLE,
    SECRET,
    Hybridsite,
    MakeSite,
    Serve,
    Server,
    ask,
    built,
    bytes_below,
    tree,
    wait_until,
    write_files,
    write_site,
)

SITE = {
    "pages/index.html": "home << prerendering >>",
    "pages/now.html": "---\nprerender: false\n---\nnow",
    "pages/console.py": CONSOLE,
}


def test_it_builds_what_is_missing(make_site: MakeSite, serve: Serve) -> None:
    site = make_site(SITE)
    server = serve(site)
    assert (site / "dist/client/index.html").is_file()
    assert server.client().get("/").text == "home True"
    assert server.client().get("/now/").text.strip() == "now"
    assert server.client().get("/healthz").status_code == 200
    assert server.url in server.log()


def test_it_builds_when_sources_are_newer_and_only_then(make_site: MakeSite, serve: Serve) -> None:
    site = make_site(SITE)
    built(site)
    before = (site / "dist/server/manifest.json").stat()
    server = serve(site)
    ask(server.client(), "session['a'] = 1")
    server.restart()
    after = (site / "dist/server/manifest.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    write_files(site, {"pages/index.html": "changed", "data/new.toml": ""})
    server.restart()
    assert server.client().get("/").text == "changed"


@pytest.mark.parametrize("change", ["pages", "layouts", "data", "site.toml", "removed", "public", "module"])
def test_each_kind_of_source_counts(make_site: MakeSite, serve: Serve, change: str) -> None:
    site = make_site(
        {
            "pages/index.html": "{% extends 'layouts/a.html' %}{% block b %}<< data.shop.name >> << n >>{% endblock %}",
            "pages/index.py": "def load(context):\n    return {'n': 1}",
            "pages/old.html": "old",
            "layouts/a.html": "{% block b %}{% endblock %}",
            "data/shop.toml": "name = 'Tea'",
            "public/a.txt": "a",
        }
    )
    built(site)
    changes = {
        "pages": ("pages/index.html", "changed", "/", "changed"),
        "layouts": ("layouts/a.html", "changed", "/", "changed"),
        "data": ("data/shop.toml", "name = 'Cup'", "/", "Cup 1"),
        "module": ("pages/index.py", "def load(context):\n    return {'n': 2}", "/", "Tea 2"),
        "public": ("public/a.txt", "b", "/a.txt", "b"),
        "site.toml": ("site.toml", "[site]\nbase = '/x'", "/x/", "Tea 1"),
    }
    if change == "removed":
        (site / "pages/old.html").unlink()
        assert serve(site).client().get("/old/").status_code == 404
        return
    file, text, path, expected = changes[change]
    write_files(site, {file: text})
    assert serve(site).client().get(path).text.strip() == expected


def test_no_build_serves_what_is_there(make_site: MakeSite, serve: Serve, hybridsite: Hybridsite) -> None:
    site = make_site(SITE)
    done = hybridsite("serve", site, "--no-build", "--port", "0")
    assert done.returncode == 1
    assert "hybridsite build" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    built(site)
    write_files(site, {"pages/index.html": "changed"})
    before = tree(site / "dist")
    assert serve(site, "--no-build").client().get("/").text == "home True"
    assert tree(site / "dist") == before


def test_a_site_at_fault_is_not_served(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    done = hybridsite("serve", make_site({"pages/index.html": "<< nobody >>"}), "--port", "0")
    assert done.returncode == 1
    assert done.stderr.startswith("pages/index.html:1:")


@pytest.mark.parametrize("args", [(), ("--workers", "2")], ids=["one worker", "two workers"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_requests_end_and_the_exit_code_is_0(
    make_site: MakeSite, serve: Serve, tmp_path: Path, args: tuple[str, ...], number: signal.Signals
) -> None:
    server = serve(make_site(SITE), *args)
    client, answers = server.client(), list[str]()
    code = f"""
        from pathlib import Path
        Path({str(tmp_path / "begun")!r}).touch()
        while not Path({str(tmp_path / "go")!r}).exists():
            await asyncio.sleep(0.01)
        session["late"] = 1
        result = "whole"
        """
    thread = threading.Thread(target=lambda: answers.append(ask(client, code)))
    thread.start()
    wait_until((tmp_path / "begun").exists, "the request to begin")
    os.kill(server.pid, number)
    wait_until(lambda: not listens(server), "the server to take no more requests")
    assert answers == []
    (tmp_path / "go").touch()
    thread.join(30)
    assert answers == ["'whole'"]
    assert server.wait() in ((0,) if number == signal.SIGTERM else (0, 128 + number))
    assert "Traceback" not in server.log()
    server.start()
    assert ask(client, "result = session['late']") == "1"


def listens(server: Server) -> bool:
    try:
        httpx.get(f"{server.url}/healthz", trust_env=False, verify=False, timeout=1)
    except httpx.TransportError:
        return False
    return True


def test_a_worker_that_dies_is_replaced(make_site: MakeSite, serve: Serve) -> None:
    server = serve(make_site(SITE), "--workers", "2")
    client = server.client()
    ask(client, "session['a'] = 1")

    def pids() -> set[int]:
        found = set()
        for _ in range(30):  # each by a connection of its own
            with httpx.Client(base_url=server.url, trust_env=False, verify=False) as fresh:
                found.add(fresh.post("/console", content=b"", headers={"Origin": server.url}).json()["pid"])
        return found

    wait_until(lambda: len(pids()) == 2, "both workers to answer")
    dead = pids().pop()
    os.kill(dead, signal.SIGKILL)
    wait_until(lambda: _settled(pids, dead), "another worker to answer")
    assert ask(server.client(client.cookies["hybridsite-session"]), "result = session['a']") == "1"


def _settled(pids: object, dead: int) -> bool:
    assert callable(pids)
    try:
        found = pids()
    except httpx.TransportError:
        return False
    return len(found) == 2 and dead not in found


def uvicorn(port: int) -> list[str]:
    return [sys.executable, "-m", "uvicorn", "hybridsite.asgi:app", "--port", str(port)]


@pytest.mark.parametrize("folder", ["site", "dist"])
def test_any_asgi_server_runs_the_app(make_site: MakeSite, folder: str) -> None:
    site = make_site(SITE)
    built(site)
    path = site if folder == "site" else site / "dist"
    with Server(site, env={"HYBRIDSITE_SITE": str(path)}, command=uvicorn) as server:
        client = server.client()
        assert client.get("/").text == "home True"
        assert client.get("/now/").text.strip() == "now"
        ask(client, "session['a'] = (1, 2)")
        assert ask(client, "result = session['a']") == "(1, 2)"
        assert server.stop() in (0, -signal.SIGTERM)


def test_the_server_keeps_its_secret_to_itself(tmp_path: Path) -> None:
    # case D5
    site = write_site(tmp_path / "site", SITE)
    with Server(site, env={"HYBRIDSITE_SECRET": SECRET}) as server:
        client = server.client()
        ask(client, "session['a'] = 1")
        assert client.post("/console", content=b"raise RuntimeError").status_code == 500
        assert SECRET not in server.log()
        assert SECRET.encode() not in bytes_below(site)


@pytest.mark.parametrize("args", [(), ("--workers", "2")], ids=["one worker", "two workers"])
def test_what_was_loaded_is_left_out_of_the_search_for_garbage(
    make_site: MakeSite, serve: Serve, args: tuple[str, ...]
) -> None:
    client = serve(make_site(SITE), *args).client()
    told = ask(client, "import gc; result = (gc.get_freeze_count() > 10_000, gc.get_threshold()[0])")
    assert told == "(True, 10000)"


def test_the_settings_behind_the_flags(make_site: MakeSite) -> None:
    def plain(port: int) -> list[str]:
        (site / "site.toml").write_text(f'[server]\nhost = "127.0.0.1"\nport = {port}\nworkers = 2\n')
        return [sys.executable, "-m", "hybridsite", "serve", str(site)]

    site = make_site(SITE)
    with Server(site, command=plain) as server:
        assert server.client().get("/").text == "home True"
        assert ask(server.client(), "result = os.getppid()") == str(server.pid)
