"""Redis and PostgreSQL that are killed, or hang, while visitors come and go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from tests.e2e.support import CONSOLE, COOKIE, SECRET, MakeSite, Serve, Server, ask, wait_until
from tests.sessions.servers import PostgresServer, RedisServer, binary

SITE = {
    "pages/console.py": CONSOLE,
    "pages/look.html": "---\nprerender: false\n---\n[<< session.get('a', 'none') >>]",
    "pages/demand.html": "---\nprerender: false\n---\non demand, without a session",
    "pages/built.html": "built",
}
QUIET = ("/built/", "/demand/")


@pytest.fixture(params=["redis", "postgres"])
def store(request: pytest.FixtureRequest) -> Iterator[RedisServer | PostgresServer]:
    program = {"redis": "redis-server", "postgres": "postgres"}[request.param]
    if binary(program) is None:
        pytest.skip(f"there is no {program}")
    durable = ("--appendonly", "yes", "--appendfsync", "always")
    store = RedisServer(*durable) if request.param == "redis" else PostgresServer()
    yield store
    store.end()


@pytest.fixture
def server(store: RedisServer | PostgresServer, make_site: MakeSite, serve: Serve) -> Server:
    driver = "redis" if isinstance(store, RedisServer) else "postgres"
    toml = f'[session]\ndriver = "{driver}"\noptions = {{ url = "env:STORE" }}'
    return serve(make_site({**SITE, "site.toml": toml}), env={"STORE": store.url, "HYBRIDSITE_SECRET": SECRET})


@dataclass
class Load:
    """What visitors met: for each path the statuses, and the longest time that one took."""

    statuses: dict[str, list[int]] = field(default_factory=dict)
    longest: float = 0.0

    def note(self, path: str, status: int, seconds: float) -> None:
        self.statuses.setdefault(path, []).append(status)
        self.longest = max(self.longest, seconds)


@contextmanager
def visitors(server: Server, cookie: str) -> Iterator[Load]:
    """Has visitors come for as long as the block takes: each opens one page over and over."""
    load, over = Load(), threading.Event()

    def come(path: str) -> None:
        with httpx.Client(base_url=server.url, timeout=30, trust_env=False, cookies={COOKIE: cookie}) as client:
            while not over.is_set():
                begun = time.monotonic()
                status = client.get(path).status_code
                load.note(path, status, time.monotonic() - begun)

    threads = [threading.Thread(target=come, args=(path,)) for path in (*QUIET, "/look/", "/look/")]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        over.set()
        for thread in threads:
            thread.join()


def read(client: httpx.Client) -> Callable[[], bool]:
    return lambda: client.get("/look/").text.strip() == "[mine]"


@pytest.mark.parametrize(
    ("store", "how"),
    [(store, how) for store in ("redis", "postgres") for how in ("killed", "hanging")],
    indirect=["store"],
)
def test_a_store_that_goes_down_under_load(store: RedisServer | PostgresServer, server: Server, how: str) -> None:
    # case C5
    client = server.client()
    ask(client, "session['a'] = 'mine'")
    cookie = client.cookies[COOKIE]
    with visitors(server, cookie) as load:
        wait_until(lambda: len(load.statuses) == 3, "the visitors")
        store.kill() if how == "killed" else store.stop()
        wait_until(lambda: 503 in load.statuses["/look/"], "the outage")
        for path in QUIET:
            seen = len(load.statuses[path])
            wait_until(lambda path=path, seen=seen: len(load.statuses[path]) > seen + 20, path)  # type: ignore[misc]
        store.start() if how == "killed" else store.resume()
        wait_until(read(client), "the session")
        seen = len(load.statuses["/look/"])
        wait_until(lambda: len(load.statuses["/look/"]) > seen + 20, "the visitors with a session")
    for path in QUIET:
        assert set(load.statuses[path]) == {200}
    assert set(load.statuses["/look/"]) == {200, 503}
    assert set(load.statuses["/look/"][-10:]) == {200}
    assert load.longest < 3  # two seconds for the store, one for a machine with other things to do
    assert client.cookies[COOKIE] == cookie
    log = server.log()
    assert (log.count("sessions can't be"), log.count("sessions are back")) == (1, 1)
    assert "Traceback" not in log
    assert ask(client, "session['b'] = 2; result = dict(session)") == "{'a': 'mine', 'b': 2}"


def test_a_server_that_starts_before_its_store(store: RedisServer | PostgresServer, server: Server) -> None:
    client = server.client()
    ask(client, "session['a'] = 'mine'")
    server.stop()
    store.kill()
    server.start()
    assert [client.get(path).status_code for path in (*QUIET, "/look/")] == [200, 200, 503]
    store.start()
    wait_until(read(client), "the session")
    assert server.log().count("sessions are back") == 1
