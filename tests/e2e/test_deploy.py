"""A build while the server runs: it is taken over as a whole, no request fails, and none sees half of each."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
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
    page,
    tree,
    wait_until,
    write_files,
)
from tests.inprocess import built_here

WORKERS = pytest.mark.parametrize("args", [(), ("--workers", "2")], ids=["one worker", "two workers"])


def state_of(number: int) -> dict[str, str]:
    """Gives a site each of whose parts has the number of the build in it."""
    mark = f"mark-{number}-"
    return {
        "site.toml": "",
        "data/build.toml": f'mark = "{mark}"\n',
        "helper.py": f'MARK = "{mark}"\n',
        "assets/site.css": f".{mark} {{ color: red }}\n" + "/* more */\n" * number,
        "content/news/first.md": f"---\ntitle: First\n---\n{mark}\n",
        "layouts/base.html": f'{mark} <link rel="stylesheet" href="<< asset("site.css") >>"> << data.build.mark >>'
        "{% block main %}{% endblock %}",
        "pages/index.html": f'{{% extends "layouts/base.html" %}}{{% block main %}}{mark}'
        '{% island "components/piece.html", n=' + str(number) + " %}{% endisland %}{% endblock %}",
        "components/piece.html": f"<< session.get('n', 0) >> {mark}",
        "pages/now.html": '---\nprerender: false\n---\n{% extends "layouts/base.html" %}'
        f"{{% block main %}}{mark} << helped >> << late >> << collection('news')[0].html >>{{% endblock %}}",
        "pages/now.py": "from helper import MARK\n\n\ndef load(context):\n"
        '    return {"helped": MARK, "late": context.render("components/late.html").body.decode()}\n',
        "components/late.html": f"{mark}",
        "pages/console.py": CONSOLE,
    }


def marks(text: str) -> set[int]:
    return {int(number) for number in re.findall(r"mark-(\d+)-", text)}


def shows(client: httpx.Client, number: int) -> bool:
    """Tells whether the home page is all of one build."""
    return marks(client.get("/").text) == {number}


class Load:
    """Visitors who ask for pages without a pause, each with the style sheet that the page names."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._done = threading.Event()
        self.wrong: list[str] = []
        self.seen: Counter[int] = Counter()

    def has_met(self, number: int) -> bool:
        """Tells whether a build was seen, or anything wrong."""
        return self.seen[number] > 0 or bool(self.wrong)

    @contextmanager
    def by(self, visitors: int) -> Iterator[None]:
        """Lets so many visitors ask at once."""
        threads = [threading.Thread(target=self._visit, args=(number,)) for number in range(visitors)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._done.set()
            for thread in threads:
                thread.join()

    def _visit(self, number: int) -> None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=60)
            while not self._done.is_set():
                for path in ("/", "/now/"):
                    self._look(connection, path)
                self._done.wait(0.005)  # the machine has other things to do
                if number % 2:  # half of them come anew, to another worker
                    connection.close()
            connection.close()
        except Exception as error:
            self.wrong.append(f"{type(error).__name__}: {error}")

    def _look(self, connection: http.client.HTTPConnection, path: str) -> None:
        text = self._get(connection, path)
        sheet = re.search(r'href="(/assets/[^"]+\.css)"', text)
        seen = marks(text)
        if sheet is None or len(seen) != 1:
            self.wrong.append(f"{path}: {seen}: {text[:200]}")
            return
        if marks(self._get(connection, sheet[1])) != seen:
            self.wrong.append(f"{path}: the style sheet is of another build")
        self.seen.update(seen)

    def _get(self, connection: http.client.HTTPConnection, path: str) -> str:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode()
        if answer.status != 200:
            self.wrong.append(f"{path}: {answer.status}")
        return body


def deploys(site: Path, server: Server, *, visitors: int, builds: int) -> None:
    load = Load(server)
    with load.by(visitors):
        wait_until(partial(load.has_met, 1), "the first build")
        for number in range(2, builds + 2):
            write_files(site, state_of(number))
            built(site)
            wait_until(partial(load.has_met, number), f"build {number}")
            assert not load.wrong
    assert load.wrong == []
    assert set(load.seen) == set(range(1, builds + 2))


@pytest.mark.timeout(400)
@WORKERS
def test_builds_under_load_fail_no_request_and_mix_no_builds(
    make_site: MakeSite, serve: Serve, args: tuple[str, ...]
) -> None:
    site = make_site(state_of(1))
    deploys(site, serve(site, *args), visitors=8, builds=3)


@pytest.mark.long
@pytest.mark.timeout(900)
@WORKERS
def test_twenty_builds_under_the_load_of_64_connections(
    make_site: MakeSite, serve: Serve, args: tuple[str, ...]
) -> None:
    site = make_site(state_of(1))
    deploys(site, serve(site, *args), visitors=64, builds=20)


def test_what_an_open_page_refers_to_stays(make_site: MakeSite, serve: Serve) -> None:
    site = make_site(state_of(1))
    server = serve(site)
    client = server.client()
    ask(client, "session['n'] = 7")
    before = client.get("/").text
    sheet = re.search(r'href="(/assets/[^"]+)"', before)
    digest = re.search(r'<slot name="([^"]+)"', before)
    script = re.search(r'src="(/_islands/[^"]+\.js)"', before)
    assert sheet is not None
    assert digest is not None
    assert script is not None
    write_files(site, {**state_of(2), "pages/index.html": "mark-2-", "assets/site.css": ".mark-2- { color: blue }"})
    built_here(site)
    assert not (site / f"dist/client{script[1]}").exists()  # no page has an island any more
    wait_until(lambda: marks(client.get("/").text) == {2}, "the new build")
    kept = client.get(sheet[1])
    assert marks(kept.text) == {1}
    assert "immutable" in kept.headers["cache-control"]
    assert client.get(script[1]).status_code == 200
    assert "7" in client.get(f"/_islands/{digest[1]}").text
    assert ask(client, "result = session['n']") == "7"  # the sessions went on


def test_a_dist_from_another_machine_is_taken_over_too(make_site: MakeSite, serve: Serve, tmp_path: Path) -> None:
    # There is no .hybridsite/previous/ of the build: the server remembers by itself what it gave out.
    site, dist = make_site(state_of(1)), tmp_path / "here/dist"
    env = {"HYBRIDSITE_SECRET": SECRET}
    built(site, env=env)
    shutil.copytree(site / "dist", dist)
    server = serve(dist, env=env)
    client = server.client()
    before = client.get("/").text
    for number in (2, 3):
        write_files(site, state_of(number))
        built(site, env=env)
        shutil.copytree(site / "dist", tmp_path / "here/new")
        dist.rename(tmp_path / f"here/old{number}")  # for a moment there is none
        assert client.get("/now/").status_code == 200
        (tmp_path / "here/new").rename(dist)
        wait_until(partial(shows, client, number), "the new build")
    sheet = re.search(r'href="(/assets/[^"]+)"', before)
    digest = re.search(r'<slot name="([^"]+)"', before)
    assert sheet is not None
    assert digest is not None
    assert marks(client.get(sheet[1]).text) == {1}
    assert client.get(f"/_islands/{digest[1]}").status_code == 200


@WORKERS
def test_sighup_has_a_new_build_taken_over(make_site: MakeSite, serve: Serve, args: tuple[str, ...]) -> None:
    site = make_site(state_of(1))
    server = serve(site, *args)
    write_files(site, state_of(2))
    built_here(site)
    os.kill(server.pid, signal.SIGHUP)
    wait_until(lambda: marks(server.client().get("/").text) == {2}, "the new build")
    os.kill(server.pid, signal.SIGHUP)  # with nothing new it does nothing
    assert server.client().get("/").status_code == 200
    # The first answer may be of a worker that began with the new build.
    wait_until(lambda: "taken over" in server.log(), "the worker that had the old one to say so")
    assert server.stop() == 0


def test_a_build_that_cant_be_served_leaves_the_one_before(make_site: MakeSite, serve: Serve) -> None:
    site = make_site(state_of(1))
    server = serve(site)
    manifest = site / "dist/server/manifest.json"
    whole = manifest.read_bytes()
    manifest.write_text("{")
    wait_until(lambda: "the new build can't be served" in server.log(), "the fault")
    assert marks(server.client().get("/now/").text) == {1}
    assert server.client().get("/nowhere/").status_code == 404
    manifest.write_bytes(whole)
    write_files(site, state_of(2))
    built_here(site)
    wait_until(lambda: marks(server.client().get("/now/").text) == {2}, "the next build")


def test_a_request_ends_with_the_build_that_it_began_with(make_site: MakeSite, serve: Serve, tmp_path: Path) -> None:
    site = make_site(state_of(1))
    server = serve(site)
    gate, answers = tmp_path / "gate", list[str]()
    code = f"""
        from pathlib import Path
        Path({str(tmp_path / "begun")!r}).touch()
        while not Path({str(gate)!r}).exists():
            await asyncio.sleep(0.01)
        result = context.render("components/late.html").body + b" " + context.site.data["build"]["mark"].encode()
        session["late"] = 1
        """
    client = server.client()
    thread = threading.Thread(target=lambda: answers.append(ask(client, code)))
    thread.start()
    wait_until((tmp_path / "begun").exists, "the request to begin")
    write_files(site, {**state_of(2), "site.toml": "[session]\nttl = '3d'\n"})  # with sessions of its own
    built_here(site)
    wait_until(lambda: marks(server.client().get("/").text) == {2}, "the new build")
    gate.touch()
    thread.join(30)
    assert answers == ["b'mark-1- mark-1-'"]
    assert ask(client, "result = session['late']") == "1"


def test_a_kept_page_is_of_the_build_that_is_served(make_site: MakeSite, serve: Serve) -> None:
    def kept(number: int) -> dict[str, str]:
        return {
            **state_of(number),
            "pages/kept.html": f"---\nprerender: false\ncache: {{max_age: 600}}\n---\nmark-{number}-",
        }

    site = make_site(kept(1))
    server = serve(site)
    client = server.client()
    assert marks(client.get("/kept/").text) == {1}
    assert client.get("/kept/").headers["x-cache"] == "HIT"
    write_files(site, kept(2))
    built_here(site)
    wait_until(lambda: marks(client.get("/").text) == {2}, "the new build")
    assert marks(client.get("/kept/").text) == {2}


def test_large_files_are_of_the_build_that_is_served(make_site: MakeSite, serve: Serve) -> None:
    # They are read when they are asked for, which may be before the server has seen the new build.
    def large(number: int) -> dict[str, str]:
        return {
            **state_of(number),
            "pages/large.html": f"mark-{number}-" + "x" * 300_000,
            "public/gone.txt": "y" * 300_000,
        }

    site = make_site(large(1))
    server = serve(site)
    client = server.client()
    assert marks(client.get("/large/").text) == {1}
    write_files(site, large(2))
    (site / "public/gone.txt").unlink()
    built_here(site)
    text = client.get("/large/")  # at once
    assert marks(text.text) == {2}
    assert "etag" in text.headers
    assert client.get("/gone.txt").status_code == 404
    assert marks(client.get("/").text) == {2}


# Rollback.


def test_a_rollback_puts_the_build_before_back_and_a_second_one_the_last(
    make_site: MakeSite, serve: Serve, hybridsite: Hybridsite
) -> None:
    site = make_site(state_of(1))
    server = serve(site)
    client = server.client()
    first = tree(site / "dist")
    write_files(site, state_of(2))
    built(site)
    second = tree(site / "dist")
    wait_until(lambda: marks(client.get("/").text) == {2}, "the second build")
    sheet = re.search(r'href="(/assets/[^"]+)"', client.get("/").text)
    assert sheet is not None
    done = hybridsite("rollback", site)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(
        r"dist/ is build [0-9a-f]{12} of [\d-]+ [\d:]+ UTC again, in the place of [0-9a-f]{12} of [\d-]+ [\d:]+ UTC; "
        r"once more puts that one back\n",
        done.stdout,
    )
    assert tree(site / "dist") == first
    wait_until(lambda: marks(client.get("/").text) == {1}, "the first build")
    assert marks(client.get("/now/").text) == {1}
    assert marks(client.get(sheet[1]).text) == {2}  # pages that are open go on
    assert hybridsite("rollback", site).returncode == 0
    assert tree(site / "dist") == second
    wait_until(lambda: marks(client.get("/").text) == {2}, "the second build")


def test_a_build_after_a_rollback_is_the_sources_again(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site(state_of(1))
    built(site)
    write_files(site, state_of(2))
    built(site)
    second = tree(site / "dist")
    assert hybridsite("rollback", site).returncode == 0
    assert marks(page(site, "index.html")) == {1}
    built(site)
    assert tree(site / "dist") == second
    assert hybridsite("rollback", site).returncode == 0
    assert marks(page(site, "index.html")) == {1}


def test_serve_leaves_what_was_put_back(make_site: MakeSite, serve: Serve, hybridsite: Hybridsite) -> None:
    site = make_site(state_of(1))
    built(site)
    write_files(site, state_of(2))
    built(site)
    assert hybridsite("rollback", site).returncode == 0
    assert marks(serve(site).client().get("/").text) == {1}


def test_without_a_build_before_there_is_nothing_to_go_back_to(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site(state_of(1))
    built(site)
    before = tree(site / "dist")
    done = hybridsite("rollback", site)
    assert done.returncode == 1
    assert done.stderr.startswith("there is no build to go back to; ")
    assert len(done.stderr.splitlines()) == 1
    assert tree(site / "dist") == before


def test_the_sources_of_old_builds_are_removed(make_site: MakeSite, serve: Serve) -> None:
    site = make_site(state_of(1))
    server = serve(site)
    client = server.client()
    served = site / ".hybridsite/served"
    old, long_ago = {path.name for path in served.iterdir()}, time.time() - 3600
    assert len(old) == 1
    for number in (2, 3):
        write_files(site, state_of(number))
        built_here(site)
        wait_until(partial(shows, client, number), "the new build")
        with suppress(FileNotFoundError):  # it may be gone already
            os.utime(served / next(iter(old)), (long_ago, long_ago))
    wait_until(lambda: not old & {path.name for path in served.iterdir()}, "the first build's sources to go")
    assert marks(client.get("/now/").text) == {3}
