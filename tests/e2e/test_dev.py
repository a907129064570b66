"""`hybridsite dev` as the real command: ports, hosts, and what it says."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.support import COMMAND, Server, built, environment, hybridsite, wait_until, write_files, write_site

PAGE = "<!doctype html><html><body><p>hello</p></body></html>\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_site(tmp_path / "site", {"pages/index.html": PAGE})


@pytest.fixture
def dev(site: Path) -> Iterator[Server]:
    with Server(site, command=lambda port: [*COMMAND, "dev", str(site), "--port", str(port)]) as server:
        yield server


def test_a_change_is_shown_and_said_in_a_line(site: Path, dev: Server) -> None:
    assert "hello" in httpx.get(dev.url).text
    write_files(site, {"pages/index.html": PAGE.replace("hello", "goodbye")})
    wait_until(lambda: "goodbye" in httpx.get(dev.url).text, "the change")
    assert "changed pages/index.html · reloaded in " in dev.log()
    assert not (site / "dist").exists()
    write_files(site, {"pages/new.html": PAGE})
    wait_until(lambda: httpx.get(f"{dev.url}/new/").status_code == 200, "the new page")
    (site / "pages/new.html").unlink()
    wait_until(lambda: httpx.get(f"{dev.url}/new/").status_code == 404, "the page to go")


def test_a_page_that_listens_hears_of_a_change(site: Path, dev: Server) -> None:
    with httpx.stream("GET", f"{dev.url}/_dev/events", timeout=20) as events:
        lines = (line for line in events.iter_lines() if line.startswith("data: "))
        first = next(lines)
        write_files(site, {"pages/index.html": PAGE.replace("hello", "goodbye")})
        assert next(lines) != first


def test_a_site_at_fault_starts_and_recovers(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", {"pages/index.html": PAGE, "site.toml": "[sit]\n"})
    with Server(site, command=lambda port: [*COMMAND, "dev", str(site), "--port", str(port)]) as dev:
        answer = httpx.get(dev.url)
        assert answer.status_code == 500
        assert "site.toml:1" in answer.text
        assert "site.toml:1" in dev.log()
        write_files(site, {"site.toml": ""})
        wait_until(lambda: httpx.get(dev.url).status_code == 200, "the mended site")


def test_each_thing_that_happens_is_a_line_of_json(site: Path) -> None:
    told = ["--json", "-v"]
    with Server(site, command=lambda port: [*COMMAND, "dev", str(site), "--port", str(port), *told]) as dev:
        write_files(site, {"pages/index.html": PAGE.replace("hello", "<< nobody >>")})
        wait_until(lambda: httpx.get(dev.url).status_code == 500, "the fault")
        assert httpx.get(dev.url).status_code == 500
        write_files(site, {"pages/other.html": PAGE})
        wait_until(lambda: httpx.get(f"{dev.url}/other/").status_code == 200, "the other page")
        assert httpx.get(dev.url).status_code == 500
        wait_until(lambda: dev.log().count('"request"') > 3, "the requests")
        lines = [json.loads(line) for line in dev.log().splitlines() if line.startswith("{")]
    faults = [each for each in lines if each["event"] == "fault"]
    assert [each["faults"][0]["file"] for each in faults] == ["pages/index.html"]  # told once, though met thrice
    assert faults[0]["faults"][0]["line"] == 1
    changed = [each for each in lines if each["event"] == "changed"]
    assert [each["files"] for each in changed[:1]] == [["pages/index.html"]]
    asked = [each for each in lines if each["event"] == "request"]
    assert ("GET", "/other/", 200) in {(each["method"], each["path"], each["status"]) for each in asked}


def test_a_taken_port_is_exchanged_for_the_next_free_one(site: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [*COMMAND, "dev", str(site), "--port", str(port)]
        own = environment({"PYTHONUNBUFFERED": "1"})
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=own) as process:
            assert process.stdout is not None
            said, address = process.stdout.readline(), process.stdout.readline()
            process.terminate()
            assert process.wait(20) == 0
    other = int(said.partition("is taken: ")[2].split()[0])
    assert other != port
    assert f"http://127.0.0.1:{other} " in address


def test_a_folder_without_settings_is_no_site(tmp_path: Path) -> None:
    done = hybridsite("dev", tmp_path)
    assert done.returncode == 1
    assert "is no site" in done.stderr
    assert "Traceback" not in done.stderr


def test_dev_stops_while_a_page_listens(site: Path, dev: Server) -> None:
    with httpx.stream("GET", f"{dev.url}/_dev/events", timeout=20) as events:
        next(events.iter_lines())
        assert dev.stop() == 0


def test_a_server_shows_nothing_of_a_fault_and_has_no_channel(tmp_path: Path) -> None:
    # case X5
    page = "---\nprerender: false\n---\n<p><< pgae.secret >></p>\n"
    site = write_site(tmp_path / "site", {"pages/index.html": page})
    built(site)
    with Server(site) as server:
        answer = httpx.get(server.url)
        assert answer.status_code == 500
        assert "pages/index" not in answer.text
        assert "pgae" not in answer.text
        assert httpx.get(f"{server.url}/_dev/events").status_code == 404
        assert httpx.get(f"{server.url}/_dev/client.js").status_code == 404
