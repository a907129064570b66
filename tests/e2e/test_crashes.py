"""Servers that are killed amid writes, and chains of requests over a slow store: what was answered is there."""

from __future__ import annotations

import asyncio
import random
import threading
from functools import partial

import httpx
import pytest

from tests.e2e.support import CONSOLE, COOKIE, MakeSite, Server, ask, wait_until

WRITES = {
    "pages/index.html": "home",
    "pages/console.py": CONSOLE,
    "pages/set.py": """
        def POST(context):
            context.session[context.request.query_params["key"]] = "x"
            return "kept"
        """,
}
SLOW_STORE = """
import asyncio
from hybridsite.sessions.sqlite import SqliteStore

class Store(SqliteStore):
    reach = "process"

    def __init__(self, path="slow.db"):
        super().__init__(path)

    async def read(self, key):
        await asyncio.sleep(0.02)
        return await super().read(key)

    async def write(self, key, data, **expected):
        await asyncio.sleep(0.02)
        return await super().write(key, data, **expected)
"""
SIGN_IN = {
    "site.toml": '[session]\ndriver = "slow:Store"\noptions = { path = "PATH" }\n',
    "slow.py": SLOW_STORE,
    "pages/index.html": "home",
    "pages/enter.py": """
        def POST(context):
            context.session.regenerate()
            context.session["user"] = context.request.query_params["user"]
            return context.redirect(context.url_for("pages/member.py"), 303)
        """,
    "pages/member.py": "def GET(context):\n    return context.session.get('user', 'nobody')",
}


def _writer(server: Server, cookie: str, keys: list[str], answered: list[str]) -> None:
    """Writes key after key until the server is gone; notes those that were answered."""
    client = server.client(cookie)
    for key in keys:
        try:
            answer = client.post(f"/set?key={key}")
        except httpx.TransportError:
            return
        if answer.status_code == 200:
            answered.append(key)


def _has(answered: list[str], goal: int) -> bool:
    return len(answered) >= goal


# case C3
@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.long)])
@pytest.mark.parametrize("driver", ["sqlite", "fs"])
def test_each_answered_write_is_there_after_kills(make_site: MakeSite, driver: str, rounds: int) -> None:
    site = make_site({**WRITES, "site.toml": f'[session]\ndriver = "{driver}"\n'})
    dice = random.Random(rounds)
    with Server(site) as server:
        client = server.client()
        ask(client, "session['first'] = 1")
        cookie = client.cookies[COOKIE]
        for number in range(rounds):
            answered: list[str] = []
            keys = [[f"{number}-{writer}-{key}" for key in range(250)] for writer in range(4)]
            writers = [threading.Thread(target=_writer, args=(server, cookie, mine, answered)) for mine in keys]
            for writer in writers:
                writer.start()
            goal = dice.randrange(1, 100)
            wait_until(partial(_has, answered, goal), f"{goal} writes")
            server.kill()
            for writer in writers:
                writer.join()
            server.start()
            kept = ask(server.client(cookie), "result = set(session)")
            assert set(answered) - eval(kept) == set(), f"round {number}"
            ask(server.client(cookie), "[session.delete(key) for key in list(session)]; session['first'] = 1")


@pytest.mark.parametrize("number", [200, pytest.param(1000, marks=pytest.mark.long)])
def test_chains_of_requests_over_a_slow_store_miss_nothing(make_site: MakeSite, number: int) -> None:
    # express-session#74, #309: the redirect was answered before the session was stored.
    site = make_site(SIGN_IN)
    settings = site / "site.toml"
    settings.write_text(settings.read_text().replace("PATH", str(site / "slow.db")))
    with Server(site) as server:

        async def chain(user: int, gate: asyncio.Semaphore) -> str:
            async with gate, httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as client:
                to = await client.post(f"/enter?user=u{user}", headers={"Origin": server.url})
                assert to.status_code == 303, to.text
                return (await client.get(to.headers["location"])).text

        async def chains() -> list[str]:
            gate = asyncio.Semaphore(50)
            return await asyncio.gather(*(chain(user, gate) for user in range(number)))

        assert asyncio.run(chains()) == [f"u{user}" for user in range(number)]
