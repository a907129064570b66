"""A store that is down, hangs, is slow, or can't be written: what fails, what goes on, and how it ends."""

from __future__ import annotations

import re
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.support import CONSOLE, COOKIE, MakeSite, Serve, Server, ask, is_private, wait_until

# sqlite under a weather that the test decides by a file.
STORE = """
import asyncio, os
from pathlib import Path
from hybridsite.sessions.sqlite import SqliteStore

class Store(SqliteStore):
    def __init__(self, weather):
        super().__init__(Path(weather).with_name("weather.db"))
        self.weather = Path(weather)

    async def meet(self, call):
        with self.weather.with_name("calls").open("a") as calls:
            calls.write(call + "\\n")
        weather = self.weather.read_text()
        if weather == "refuse":
            raise ConnectionRefusedError("nobody listens")
        if weather == "hang":
            await asyncio.Event().wait()
        if weather == "slow":
            await asyncio.sleep(1)
        if self._connection is not None:
            self._connection.execute(f"PRAGMA query_only = {int(weather == 'read-only')}")

    async def open(self):
        await self.meet("open")
        await super().open()

    async def read(self, key):
        await self.meet("read")
        return await super().read(key)

    async def write(self, key, data, **options):
        await self.meet("write")
        return await super().write(key, data, **options)

    async def touch(self, key, **options):
        await self.meet("touch")
        return await super().touch(key, **options)

    async def delete(self, key, **options):
        await self.meet("delete")
        await super().delete(key, **options)
"""
SITE = {
    "site.toml": '[session]\ndriver = "weather:Store"\noptions = { weather = "env:WEATHER" }',
    "weather.py": STORE,
    "middleware.py": """
        async def on_request(context, call_next):
            if context.url.path == "/guarded/":
                context.session.get("a")
            return await call_next(context)
        """,
    "pages/console.py": CONSOLE,
    "pages/look.html": "---\nprerender: false\n---\n[<< session.get('a', 'none') >>]",
    "pages/guarded.html": "---\nprerender: false\n---\nguarded",
    "pages/caught.py": """
        from hybridsite.errors import SessionUnavailable

        def GET(context):
            try:
                return context.session.get("a", "none")
            except SessionUnavailable:
                return "without"
        """,
    "pages/untouched.html": "---\nprerender: false\n---\n<< number >>{% if false %}<< session.id >>{% endif %}",
    "pages/untouched.py": "def load(context):\n    return {'number': 7}",
    "pages/plain.html": "plain",
    "pages/503.html": "<h1>Back soon</h1>",
}
OUTAGE = ("sessions can't be", "sessions are back")


@dataclass
class Weather:
    """A server with such a store, and the file that decides."""

    server: Server
    file: Path

    def be(self, weather: str) -> None:
        self.file.write_text(weather)

    def calls(self) -> list[str]:
        """Gives the store's calls since it was last asked."""
        log = self.file.with_name("calls")
        calls = log.read_text().split() if log.exists() else []
        log.write_text("")
        return calls

    def told(self) -> list[int]:
        """Counts the lines of the log that tell of the beginning and the end of an outage."""
        return [self.server.log().count(words) for words in OUTAGE]


@pytest.fixture
def weather(make_site: MakeSite, tmp_path: Path) -> Iterator[Weather]:
    file = tmp_path / "weather"
    file.write_text("fine")
    with Server(make_site(SITE), env={"WEATHER": str(file)}) as server:
        yield Weather(server, file)


def signed_in(server: Server) -> httpx.Client:
    client = server.client()
    ask(client, "session['a'] = 'mine'")
    return client


def timed(client: httpx.Client, path: str, content: bytes | None = None) -> tuple[httpx.Response, float]:
    begun = time.monotonic()
    answer = client.get(path) if content is None else client.post(path, content=content)
    return answer, time.monotonic() - begun


def is_unavailable(answer: httpx.Response) -> bool:
    """Tells whether an answer is the site's page for an outage, which leaves the cookie alone."""
    if answer.status_code != 503:
        return False
    assert "Back soon" in answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert "no-store" in answer.headers["cache-control"]
    assert "set-cookie" not in answer.headers
    return True


def goes_on(server: Server, client: httpx.Client) -> None:
    """Checks that what needs no session is answered, also to a visitor who has one."""
    for path, text in (("/plain/", "plain"), ("/untouched/", "7")):
        answer, seconds = timed(client, path)
        assert (answer.status_code, answer.text.strip()) == (200, text)
        assert seconds < 1
    assert server.client().get("/look/").text.strip() == "[none]"  # without a cookie nothing is to be read


def is_back(client: httpx.Client) -> Callable[[], bool]:
    return lambda: client.get("/look/").text.strip() == "[mine]"


def test_refused_connections(weather: Weather) -> None:
    # case C5
    client = signed_in(weather.server)
    before = dict(client.cookies)
    weather.be("refuse")
    assert is_unavailable(client.get("/look/"))
    weather.calls()
    begun = time.monotonic()
    for _ in range(20):
        for path in ("/look/", "/guarded/"):
            assert is_unavailable(client.get(path))
        assert is_unavailable(client.post("/console", content=b"session['a'] = 'lost'"))
        assert is_unavailable(weather.server.client().post("/console", content=b"session['a'] = 1"))
        assert is_private(client.get("/caught"))
    assert client.get("/caught").text == "without"
    goes_on(weather.server, client)
    # A probe is two reads with an opening between them, once a second; the first three come sooner.
    assert len(weather.calls()) <= 3 * (4 + time.monotonic() - begun)
    assert weather.told() == [1, 0]
    assert "ConnectionRefusedError: nobody listens" in weather.server.log()
    weather.be("fine")
    wait_until(is_back(client), "the session")
    assert dict(client.cookies) == before
    assert ask(client, "session['b'] = 2; result = dict(session)") == "{'a': 'mine', 'b': 2}"
    wait_until(lambda: weather.told() == [1, 1], "the line that tells of the end")
    assert "Traceback" not in weather.server.log()
    assert str(client.cookies[COOKIE])[:20] not in weather.server.log()


def test_a_store_that_hangs(weather: Weather) -> None:
    # case C5
    client = signed_in(weather.server)
    weather.be("hang")
    with ThreadPoolExecutor(8) as pool:
        several = [weather.server.client(client.cookies[COOKIE]) for _ in range(8)]
        first = list(pool.map(lambda each: timed(each, "/look/"), several))
    for answer, seconds in first:
        assert is_unavailable(answer)
        assert seconds < 3  # two for the store, and one for a machine with other things to do
    answer, seconds = timed(client, "/look/")
    assert is_unavailable(answer)
    assert seconds < 1
    goes_on(weather.server, client)
    weather.be("fine")
    wait_until(is_back(client), "the session")
    assert weather.told() == [1, 1]


def test_a_store_that_is_slow(weather: Weather) -> None:
    # case C5: a read and a write take two seconds, which is all that a request may wait
    client = signed_in(weather.server)
    weather.be("slow")
    assert client.get("/look/").text.strip() == "[mine]"
    answer, seconds = timed(client, "/console", b"session['a'] = 'too slow'; session['b'] = 1")
    assert is_unavailable(answer)
    assert seconds < 3
    assert client.get("/look/").status_code == 200
    answer, seconds = timed(client, "/console", b"session['a'] = 'too slow'")
    assert is_unavailable(answer)
    assert seconds < 2  # the writes are known to be too slow
    weather.be("fine")
    wait_until(lambda: weather.told() == [1, 1], "the end of the outage")
    assert ask(client, "result = session.keys() - {'b'}") == "{'a'}"


def test_a_store_that_is_read_only(weather: Weather) -> None:
    # case C5
    client = signed_in(weather.server)
    weather.be("read-only")
    for _ in range(3):
        assert is_unavailable(client.post("/console", content=b"session['a'] = 'lost'"))
        assert is_unavailable(client.post("/console", content=b"session.destroy()"))
        assert is_unavailable(client.post("/console", content=b"session.regenerate()"))
        assert client.get("/look/").text.strip() == "[mine]"
    assert "readonly database" in weather.server.log()
    weather.be("fine")
    wait_until(lambda: weather.told() == [1, 1], "the end of the outage")
    assert ask(client, "session['b'] = 2; result = dict(session)") == "{'a': 'mine', 'b': 2}"


@pytest.mark.parametrize("trouble", ["refuse", "hang"])
def test_a_server_whose_store_is_down_at_start(weather: Weather, trouble: str) -> None:
    client = signed_in(weather.server)
    weather.server.stop()
    weather.be(trouble)
    weather.server.start()
    assert is_unavailable(client.get("/look/"))
    goes_on(weather.server, client)
    weather.be("fine")
    wait_until(is_back(client), "the session")
    assert weather.told() == [1, 1]


def test_a_visitor_who_goes_away_leaves_all_in_order(weather: Weather) -> None:
    # case C8
    client = signed_in(weather.server)
    weather.be("slow")
    body = b"session['a'] = 'gone'; session.regenerate()"
    head = (
        f"POST /console HTTP/1.1\r\nHost: 127.0.0.1:{weather.server.port}\r\nOrigin: {weather.server.url}\r\n"
        f"Cookie: {COOKIE}={client.cookies[COOKIE]}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    weather.calls()
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", weather.server.port)) as connection:
            connection.sendall(head.encode() + body)
            wait_until(lambda: "read" in weather.calls(), "the request to be under way")
    weather.be("fine")
    wait_until(lambda: client.get("/look/").text.strip() in ("[mine]", "[none]"), "the session")
    other = signed_in(weather.server)
    assert other.get("/look/").text.strip() == "[mine]"
    assert weather.server.stop() == 0


def test_a_page_for_503_that_is_rendered_on_demand(make_site: MakeSite, serve: Serve, tmp_path: Path) -> None:
    weather = tmp_path / "weather"
    weather.write_text("fine")
    page = "---\nprerender: false\n---\nBack soon, << session.get('a', 'visitor') if session else 'whoever' >>."
    server = serve(make_site({**SITE, "pages/503.html": page}), env={"WEATHER": str(weather)})
    client = signed_in(server)
    weather.write_text("refuse")
    for path in ("/look/", "/guarded/"):
        answer = client.get(path)
        assert is_unavailable(answer)
        assert answer.text.strip() == "Back soon, whoever."
    assert "undefined" not in server.log()


def test_a_site_without_a_page_for_503(make_site: MakeSite, serve: Serve, tmp_path: Path) -> None:
    weather = tmp_path / "weather"
    weather.write_text("refuse")
    site = make_site({name: text for name, text in SITE.items() if name != "pages/503.html"})
    answer = serve(site, env={"WEATHER": str(weather)}).client().post("/console", content=b"session['a'] = 1")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "503 Service Unavailable" in answer.text


def test_a_database_that_another_program_has_locked(make_site: MakeSite, serve: Serve) -> None:
    # case C5
    site = make_site({name: text for name, text in SITE.items() if name != "weather.py"} | {"site.toml": ""})
    server = serve(site)
    client = signed_in(server)
    other = sqlite3.connect(site / ".hybridsite/sessions.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answer, seconds = timed(client, "/console", b"session['a'] = 'lost'")
    assert is_unavailable(answer)
    assert seconds < 3
    assert client.get("/look/").text.strip() == "[mine]"
    goes_on(server, client)
    other.close()
    wait_until(lambda: "sessions are back" in server.log(), "the end of the outage")
    assert ask(client, "session['b'] = 2; result = dict(session)") == "{'a': 'mine', 'b': 2}"
    assert re.search(r"sessions can't be saved.*(locked|in time)", server.log())


def test_a_locked_database_does_not_keep_a_server_from_starting(make_site: MakeSite, serve: Serve) -> None:
    site = make_site({name: text for name, text in SITE.items() if name != "weather.py"} | {"site.toml": ""})
    server = serve(site)
    client = signed_in(server)
    server.stop()
    other = sqlite3.connect(site / ".hybridsite/sessions.db", isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE sessions SET expires = expires")
    server.start()
    assert is_unavailable(client.get("/look/"))
    goes_on(server, client)
    other.execute("ROLLBACK")
    other.close()
    wait_until(is_back(client), "the session")
