"""nginx, as docs/scaling.md has it, before three servers over one Redis, on two addresses; one is killed under load.

Each server has a copy of dist/ and a state folder of its own: what they share is Redis and the secret.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.e2e import nginx
from tests.e2e.support import COOKIE, SECRET, MakeSite, Server, built, free_port, wait_until, write_files
from tests.sessions.conftest import start_redis
from tests.sessions.servers import RedisServer

__all__ = ["start_redis"]

DOCUMENT = Path(__file__).parents[2] / "docs/scaling.md"
ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.2")
VISITORS = 12
# A request that a server has begun when it dies: the one whose process is named in the file `doomed` never answers.
HELD = """
import asyncio, os
from pathlib import Path

async def ALL(context):
    folder = Path(os.environ["FOLDER"])
    with (folder / "held").open("a") as notes:
        notes.write(f"{context.request.method} {os.getpid()}\\n")
    if (folder / "doomed").read_text() == str(os.getpid()):
        await asyncio.Event().wait()
    return str(os.getpid())
"""
CART = """
import os

def GET(context):
    return {"cart": context.session.get("cart", []), "server": os.getpid()}

async def POST(context):
    form = await context.request.form()
    context.session.update("cart", lambda cart: [*cart, form["ink"]], [])
    return context.redirect("/api/cart", 303)
"""
FILES: dict[str, str | bytes] = {
    "site.toml": '[session]\ndriver = "redis"\n[cache]\ndriver = "redis"\n',
    "assets/site.css": "b { color: red }",
    "pages/index.html": "first <link rel=stylesheet href=\"<< asset('site.css') >>\">",
    "pages/api/cart.py": CART,
    "pages/held.py": HELD,
    "pages/stock.html": "---\nprerender: false\ncache: {max_age: 10m, tags: [stock]}\n---\n<< server >> <<turn >>",
    "pages/stock.py": "import os\nturn = 0\ndef load(context):\n    global turn\n    turn += 1\n"
    "    return {'server': os.getpid(), 'turn': turn}\n",
    "pages/sold.py": "async def POST(context):\n    await context.cache.invalidate(tags=['stock'])\n    return 'ok'\n",
}


@dataclass(frozen=True)
class Cluster:
    """Three servers, and the address at which nginx answers for all of them."""

    servers: Sequence[Server]
    folders: Sequence[Path]
    site: Path
    notes: Path
    url: str

    def held(self) -> list[str]:
        """The requests for /held so far: method and process."""
        return (self.notes / "held").read_text().splitlines()


@pytest.fixture
def cluster(make_site: MakeSite, start_redis: Callable[..., RedisServer], tmp_path: Path) -> Iterator[Cluster]:
    """Starts everything."""
    site = make_site(FILES)
    env = {"REDIS_URL": start_redis().url, "HYBRIDSITE_SECRET": SECRET, "FOLDER": str(tmp_path)}
    write_files(tmp_path, {"held": "", "doomed": ""})
    built(site, env=env)
    folders = [tmp_path / f"machine-{number}" for number in range(len(ADDRESSES))]
    port = free_port()
    with ExitStack() as stack:
        servers = []
        for folder, address in zip(folders, ADDRESSES, strict=True):
            shutil.copytree(site / "dist", folder / "dist")
            own = Server(folder / "dist", "--no-build", env=env, host=address)
            servers.append(stack.enter_context(own))
        stack.enter_context(nginx.running(tmp_path / "nginx", port, documented(servers, port)))
        yield Cluster(servers, folders, site, tmp_path, f"http://127.0.0.1:{port}")


def documented(servers: Sequence[Server], port: int) -> str:
    """Gives nginx's settings of the documentation, with the addresses of this test."""
    found = re.search(r"^```nginx\n(.+?)^```$", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found
    text = found[1]
    ours = {f"server 10.0.0.{place} ": f"server {server.host}:{server.port} " for place, server in places(servers)}
    for theirs, own in {**ours, "listen 443 ssl;": f"listen 127.0.0.1:{port};"}.items():
        assert text.count(theirs) == 1, theirs
        text = text.replace(theirs, own)
    return text


def places(servers: Sequence[Server]) -> Iterator[tuple[str, Server]]:
    yield from zip(("11:8000", "12:8000", "12:8001"), servers, strict=True)


@dataclass
class Visitor:
    """Puts inks into a cart, two at once, and looks after each pair whether the cart is what it was told."""

    name: int
    client: httpx.AsyncClient
    kept: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    turns: int = 0
    failures: int = 0

    async def put(self) -> None:
        """Puts one ink in. A 502 leaves it open whether that came about; everything else has to be 303."""
        self.turns += 1
        ink = f"ink-{self.name}-{self.turns}"
        answer = await self.client.post("/api/cart", data={"ink": ink})
        assert answer.status_code in (303, 502), answer.text
        self.failures += answer.status_code == 502
        (self.kept if answer.status_code == 303 else self.unsure).append(ink)

    async def look(self) -> None:
        """Looks into the cart: what was answered is there, once, and nothing else but what was left open."""
        answer = await self.client.get("/api/cart")
        assert answer.status_code == 200, answer.text
        told = answer.json()
        self.seen.add(told["server"])
        cart = Counter(told["cart"])
        self.kept += [ink for ink in self.unsure if ink in cart]
        self.unsure.clear()
        assert cart == Counter(self.kept)

    async def shop(self, closed: asyncio.Event) -> None:
        """Goes on until the shop is closed."""
        while not self.kept:  # the first answer brings the cookie
            await self.put()
        while not closed.is_set():
            await asyncio.gather(self.put(), self.put())
            await self.look()


async def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition, and lets the visitors go on meanwhile."""
    while not condition():
        await asyncio.sleep(0.02)


async def more_inks(visitors: Sequence[Visitor]) -> None:
    """Waits until each visitor has put more inks into the cart, and looked at them."""
    before = [len(each.kept) for each in visitors]
    await until(lambda: all(len(each.kept) > had + 4 for each, had in zip(visitors, before, strict=True)))


async def held(
    cluster: Cluster, client: httpx.AsyncClient, pid: int, method: str
) -> list[asyncio.Task[httpx.Response]]:
    """Asks for /held until a process has begun a request by that method; gives all that was asked."""
    asked: list[asyncio.Task[httpx.Response]] = []
    before = len(cluster.held())
    while f"{method} {pid}" not in cluster.held():
        asked.append(asyncio.create_task(client.request(method, "/held")))
        await until(lambda: len(cluster.held()) >= before + len(asked))
    return asked


async def killed_under_load(cluster: Cluster, visitors: Sequence[Visitor], client: httpx.AsyncClient) -> None:
    """Is the story: everybody shops, a server dies with requests that it has begun, and comes back."""
    doomed, pid, closed = cluster.servers[1], cluster.servers[1].pid, asyncio.Event()
    all_pids = {server.pid for server in cluster.servers}
    async with asyncio.TaskGroup() as group, asyncio.timeout(60):
        for each in visitors:
            group.create_task(each.shop(closed))
        await until(lambda: set[int]().union(*(each.seen for each in visitors)) == all_pids)
        await more_inks(visitors)
        asked = {method: await held(cluster, client, pid, method) for method in ("GET", "POST")}
        assert [each.failures for each in visitors] == [0] * VISITORS
        doomed.kill()
        answers = {method: await asyncio.gather(*tasks) for method, tasks in asked.items()}
        # What can be asked twice was, of another server; what can't was told to have failed, and done by nobody.
        assert {answer.status_code for answer in answers["GET"]} == {200}
        assert str(pid) not in {answer.text for answer in answers["GET"]}
        assert [answer.status_code for answer in answers["POST"]] == [200] * (len(asked["POST"]) - 1) + [502]
        methods = Counter(line.split()[0] for line in cluster.held())
        assert methods == {"GET": len(asked["GET"]) + 1, "POST": len(asked["POST"])}
        await more_inks(visitors)  # what was answered before has arrived
        for each in visitors:
            each.seen.clear()
        await more_inks(visitors)
        assert set[int]().union(*(each.seen for each in visitors)) == all_pids - {pid}
        await asyncio.to_thread(doomed.start)
        await until(lambda: any(doomed.pid in each.seen for each in visitors))
        closed.set()


def test_a_server_that_is_killed_under_load_takes_no_session_with_it(cluster: Cluster) -> None:
    (cluster.notes / "doomed").write_text(str(cluster.servers[1].pid))

    async def story() -> None:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(browser(cluster)) for _ in range(VISITORS + 1)]
            visitors = [Visitor(number, client) for number, client in enumerate(clients[1:])]
            await killed_under_load(cluster, visitors, clients[0])
            for each in visitors:
                for server in cluster.servers:
                    cart = server.client(each.client.cookies[COOKIE]).get("/api/cart").json()["cart"]
                    assert Counter(cart) == Counter(each.kept)

    asyncio.run(story())


def browser(cluster: Cluster) -> httpx.AsyncClient:
    headers = {"Origin": cluster.url}
    return httpx.AsyncClient(base_url=cluster.url, headers=headers, timeout=60, trust_env=False, verify=False)


def test_what_one_server_renders_the_others_give_out_until_one_of_them_drops_it(cluster: Cluster) -> None:
    clients = [server.client() for server in cluster.servers]

    def asked() -> tuple[list[str], set[str]]:
        answers = [client.get("/stock/") for client in clients]
        return [answer.headers["x-cache"] for answer in answers], {answer.text for answer in answers}

    states, texts = asked()
    assert (states, len(texts)) == (["MISS", "HIT", "HIT"], 1)
    assert clients[2].post("/sold").text == "ok"
    states, after = asked()
    assert (states, len(after)) == (["MISS", "HIT", "HIT"], 1)
    assert not after & texts
    front = httpx.get(f"{cluster.url}/stock/", trust_env=False)
    assert (front.headers["x-cache"], {front.text}) == ("HIT", after)


def test_while_one_server_has_a_new_build_its_pages_have_their_files(cluster: Cluster) -> None:
    write_files(cluster.site, {"pages/index.html": str(FILES["pages/index.html"]).replace("first", "second")})
    write_files(cluster.site, {"assets/site.css": "b { color: #010203 }"})
    built(cluster.site)
    machine = cluster.folders[0]
    shutil.copytree(cluster.site / "dist", machine / "new")
    (machine / "dist").rename(machine / "old")
    (machine / "new").rename(machine / "dist")
    direct = cluster.servers[0].client()
    wait_until(lambda: direct.get("/").text.startswith("second"), "the new build")
    with httpx.Client(base_url=cluster.url, trust_env=False) as client:
        pages = {page.split()[0]: page for page in (client.get("/").text for _ in range(6))}
        assert set(pages) == {"first", "second"}
        for name, sheet in (("first", "b{color:red}"), ("second", "b{color:#010203}")):
            found = re.search(r'href="([^"]+)"', pages[name])
            assert found
            assert {client.get(found[1]).text for _ in range(6)} == {sheet}  # whichever server is asked
        assert [client.get(path).status_code for path in ("/assets/none.css", "/nowhere/")] == [404, 404]
