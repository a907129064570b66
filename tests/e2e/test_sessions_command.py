"""`hybridsite sessions`: figures and handles, beside a running server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.support import CONSOLE, Hybridsite, MakeSite, Serve, ask, built

SITE = {
    "site.toml": '[session]\nttl = "1h"\nindex = ["user_id"]',
    "pages/console.py": CONSOLE,
}
KEY = "private words"


def stats(hybridsite: Hybridsite, site: Path) -> dict[str, str]:
    done = hybridsite("sessions", "stats", site)
    assert (done.returncode, done.stderr) == (0, "")
    return dict(line.split(None, 1) for line in done.stdout.splitlines())


@pytest.mark.parametrize("driver", ["sqlite", "fs"])
def test_beside_a_running_server(make_site: MakeSite, serve: Serve, hybridsite: Hybridsite, driver: str) -> None:
    toml = SITE["site.toml"].replace("[session]", f'[session]\ndriver = "{driver}"')
    site = make_site({**SITE, "site.toml": toml})
    server = serve(site)
    clients = [server.client() for _ in range(3)]
    for client, user in zip(clients, ("42", "'42'", "'ada@example.com'"), strict=True):
        ask(client, f"session['user_id'] = {user}; session['{KEY}'] = '{KEY}' * 10")
    handles = sorted(ask(client, "result = session.id").strip("'") for client in clients)
    ask(clients[2], "session.destroy()")
    figures = stats(hybridsite, site)
    assert (figures["sessions"], figures["ended"], figures["unreadable"]) == ("2", "1", "0")
    listed = hybridsite("sessions", "list", site).stdout
    assert sorted(set(handles) & set(re.findall(r"^[0-9a-f]{64}", listed, re.MULTILINE))) == sorted(
        ask(client, "result = session.id").strip("'") for client in clients[:2]
    )
    assert len(re.findall(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", listed)) == 4
    revoked = hybridsite("sessions", "revoke", "user_id", "42", site)
    assert (revoked.returncode, revoked.stdout) == (0, "ended 2 sessions\n")
    assert [ask(client, "result = len(session)") for client in clients] == ["0", "0", "0"]
    swept = hybridsite("sessions", "sweep", site)
    assert (swept.returncode, swept.stdout) == (0, "removed 0 ended sessions\n")  # tombstones stay for a minute
    assert stats(hybridsite, site)["sessions"] == "0"
    for done in (revoked, swept):
        assert KEY not in done.stdout + done.stderr + listed


def test_a_dist_folder_and_a_store_of_ones_own(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    store = "from hybridsite.sessions.sqlite import SqliteStore\n\nclass Store(SqliteStore):\n    pass\n"
    toml = '[session]\ndriver = "own:Store"\noptions = { path = "env:OWN" }'
    site = make_site({"site.toml": toml, "own.py": store, "pages/index.html": "home", "pages/console.py": CONSOLE})
    env = {"OWN": str(site / "own.db")}
    built(site, env=env)
    for place in (site, site / "dist"):
        done = hybridsite("sessions", "stats", place, env=env)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("sessions    0\n")
    assert (site / "own.db").exists()


@pytest.mark.parametrize(
    ("toml", "words", "told"),
    [
        ("[session]\ndriver = false", ("stats",), "the site has no sessions; name a [session] driver"),
        ("[session]\ndriver = 'memory'", ("list",), 'sessions of the driver "memory" are in the memory of the server'),
        ("", ("revoke", "user_id", "42"), "sessions can't be found by 'user_id'; it is not in [session] index"),
    ],
)
def test_what_can_not_be(
    make_site: MakeSite, hybridsite: Hybridsite, toml: str, words: tuple[str, ...], told: str
) -> None:
    done = hybridsite("sessions", *words, make_site({"site.toml": toml}))
    assert done.returncode == 1
    assert done.stderr.startswith(told)
    assert done.stdout == ""


def test_a_store_that_does_not_answer(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    # case C5
    store = """
        from hybridsite.sessions.memory import MemoryStore

        class Store(MemoryStore):
            reach = "machine"

            async def open(self):
                raise ConnectionRefusedError("nobody listens")
        """
    done = hybridsite("sessions", "stats", make_site({"site.toml": "[session]\ndriver = 'own:Store'", "own.py": store}))
    assert done.returncode == 1
    assert "nobody listens" in done.stderr
    assert "the session store does not answer" in done.stderr
    assert "Traceback" not in done.stderr
