"""The route cache over HTTP: one render for many, several servers over one Redis, and Redis gone and back."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.e2e.support import SECRET, MakeSite, Serve, Server, built, is_private, wait_until
from tests.sessions.conftest import start_redis
from tests.sessions.servers import RedisServer

__all__ = ["start_redis"]

LIVE = "---\nprerender: false\ncache: {max_age: 10m, tags: [stock]}\n---\n<< turn >>"
COUNTING = """
import asyncio, os
turns = 0
gate = asyncio.Event()
async def load(context):
    global turns
    turns += 1
    mine = turns
    await asyncio.wait_for(gate.wait(), 30)
    return {"turn": f"{os.getpid()} {mine}"}
"""
FILES = {
    "site.toml": "",
    "pages/live.html": LIVE,
    "pages/live.py": COUNTING,
    "pages/open.py": (
        "import sys\ndef _live():\n"
        "    return next(found for name, found in sys.modules.items() if name.endswith('.pages.live'))\n"
        "async def GET(context):\n    _live().gate.set()\n    return str(_live().turns)\n"
    ),
    "pages/sold.py": "async def POST(context):\n    await context.cache.invalidate(tags=['stock'])\n    return 'ok'\n",
    "pages/enter.py": "def POST(context):\n    context.session['name'] = 'Ann'\n    return 'ok'\n",
    "pages/mine.py": (
        "def GET(context):\n    context.cache.set(max_age=60)\n    return context.session.get('name', 'nobody')\n"
    ),
}
PIECES = {
    "pages/inks/[name].html": "---\nprerender: false\ncache: {max_age: 10m}\n---\n"
    '{% island "components/cart.html", beside="all" %}…{% endisland %}'
    '{% island "components/cart.html", beside=params.name %}…{% endisland %}',
    "pages/add.py": "def POST(context):\n    context.session.update('cart', lambda n: n + 1, 0)\n    return 'ok'\n",
    "components/cart.html": "<< session.get('cart', 0) >> beside << beside >>",
}
REDIS = {**FILES, **PIECES, "site.toml": '[cache]\ndriver = "redis"\n'}


async def one(port: int, path: str) -> str:
    """Asks over a connection of its own, and gives the body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    return body.decode()


async def opened_after(asking: Iterable[asyncio.Task[str]], ports: Iterable[int]) -> tuple[set[str], list[str]]:
    """Lets requests wait for their page, opens the gates, and gives what all got, and how often it was rendered."""
    tasks = [*asking]
    await asyncio.sleep(0)
    turns = [await one(port, "/open") for port in ports]
    got = {await task for task in tasks}
    return got, [await one(port, "/open") for port in ports] if turns else []


def test_a_thousand_misses_at_once_are_one_render(make_site: MakeSite, serve: Serve) -> None:
    # case R6
    site = make_site(FILES)
    built(site)
    server = serve(site)

    async def within() -> tuple[set[str], list[str]]:
        asking = [asyncio.create_task(one(server.port, "/live/")) for _ in range(1000)]
        return await opened_after(asking, [server.port])

    got, turns = asyncio.run(within())
    assert len(got) == 1
    assert turns == ["1"]
    again = server.client().get("/live/")
    assert (again.headers["x-cache"], {again.text}) == ("HIT", got)
    assert re.fullmatch(r"\d+", again.headers["age"])
    known = server.client().get("/live/", headers={"If-None-Match": again.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")


def test_an_answer_that_used_a_session_is_its_visitors_own(make_site: MakeSite, serve: Serve) -> None:
    # case R3, case R8
    server = serve(make_site(FILES))
    ann, other = server.client(), server.client()
    ann.post("/enter")
    for _ in range(3):
        for visitor, name in ((ann, "Ann"), (other, "nobody")):
            answer = visitor.get("/mine")
            assert answer.text == name
            assert is_private(answer)
            assert answer.headers["x-cache"] == "BYPASS"


def test_the_table_of_routes_tells_what_is_kept(make_site: MakeSite) -> None:
    done = built(make_site(FILES))
    [row] = [line for line in done.stdout.splitlines() if "/live/" in line]
    assert "cached 600 s" in row
    assert "prerender: false" in row


def test_several_workers_with_a_cache_each_are_told_of(make_site: MakeSite, serve: Serve) -> None:
    server = serve(make_site(FILES), "--workers", "2")
    assert "each of 2 workers has a cache of its own" in server.log()
    assert "islands" not in server.log()


def test_several_workers_with_computed_islands_on_kept_pages_are_told_of(make_site: MakeSite, serve: Serve) -> None:
    server = serve(make_site({**FILES, **PIECES}), "--workers", "2")
    assert "each worker knows only those islands with computed props" in server.log()


def test_a_cache_without_its_url_is_told_at_start(make_site: MakeSite) -> None:
    site = make_site(REDIS)
    built(site)  # a build needs none
    with pytest.raises(AssertionError, match=r"site.toml: the cache driver .redis. lacks its url; set REDIS_URL"):
        Server(site, env={"REDIS_URL": ""}).start()


@pytest.fixture
def shared(make_site: MakeSite, start_redis: Callable[..., RedisServer]) -> Iterator[tuple[list[Server], RedisServer]]:
    """Two servers of one build, over one Redis."""
    site: Path = make_site(REDIS)
    redis = start_redis()
    env = {"REDIS_URL": redis.url, "HYBRIDSITE_SECRET": SECRET}
    built(site, env=env)
    with ExitStack() as stack:
        yield [stack.enter_context(Server(site, env=env)) for _ in range(2)], redis


def test_two_servers_render_once_and_invalidate_together(shared: tuple[list[Server], RedisServer]) -> None:
    servers, _ = shared
    ports = [server.port for server in servers]

    async def within() -> tuple[set[str], list[str]]:
        asking = [asyncio.create_task(one(port, "/live/")) for _ in range(50) for port in ports]
        return await opened_after(asking, ports)

    got, turns = asyncio.run(within())
    assert len(got) == 1
    assert sorted(turns) == ["0", "1"]
    one_server, other = (server.client() for server in servers)
    assert {one_server.get("/live/").text, other.get("/live/").text} == got
    assert one_server.get("/live/").headers["x-cache"] == "HIT"
    assert one_server.post("/sold").text == "ok"
    new = other.get("/live/")
    assert new.headers["x-cache"] == "MISS"
    assert {new.text} != got
    assert one_server.get("/live/").text == new.text


def test_while_redis_is_away_pages_are_rendered(shared: tuple[list[Server], RedisServer]) -> None:
    servers, redis = shared
    server = servers[0]
    client = server.client()
    client.get("/open")
    assert [client.get("/live/").headers["x-cache"] for _ in range(2)] == ["MISS", "HIT"]
    before = client.get("/live/").text
    redis.kill()
    texts = {client.get("/live/").text for _ in range(5)}
    assert len(texts) == 5
    assert client.post("/sold").text == "ok"
    redis.start()
    wait_until(lambda: client.get("/live/").headers["x-cache"] == "HIT", "the cache to be back")
    assert client.get("/live/").text != before
    assert server.log().count("the cache can't be used, and every page is rendered") == 1
    assert server.log().count("the cache is back after") == 1


def test_what_is_invalidated_while_redis_hangs_does_not_come_back(shared: tuple[list[Server], RedisServer]) -> None:
    servers, redis = shared
    client = servers[0].client()
    client.get("/open")
    before = client.get("/live/").text
    redis.stop()
    assert client.post("/sold").text == "ok"
    redis.resume()
    wait_until(lambda: client.get("/live/").headers["x-cache"] == "HIT", "the cache to be back")
    assert client.get("/live/").text != before


def pieces(client: httpx.Client, page: httpx.Response) -> list[str]:
    """Fetches the islands of a page as the script does; "" for what isn't there."""
    digests = re.findall(r'<slot name="([^"]+)"', page.text)
    answer = client.get(f"/_islands/{','.join(digests)}.json")
    assert answer.status_code == 200
    assert is_private(answer)
    return [answer.json().get(digest, "") for digest in digests]


def test_a_kept_page_has_pieces_of_its_visitors_on_every_server_and_after_a_restart(
    shared: tuple[list[Server], RedisServer],
) -> None:
    # case R3
    servers, _ = shared
    ann, other = servers[0].client(), servers[1].client()
    ann.post("/add")
    mine, theirs = ann.get("/inks/woad/"), other.get("/inks/woad/")
    assert [answer.headers["x-cache"] for answer in (mine, theirs)] == ["MISS", "HIT"]
    assert mine.content == theirs.content
    assert not is_private(mine)
    assert "set-cookie" not in mine.headers
    assert "woad" not in mine.text
    assert pieces(ann, mine) == ["1 beside all", "1 beside woad"]
    assert pieces(other, theirs) == ["0 beside all", "0 beside woad"]
    servers[1].restart()
    again = servers[1].client()
    assert again.get("/inks/woad/").headers["x-cache"] == "HIT"
    assert pieces(again, theirs) == ["0 beside all", "0 beside woad"]
    assert again.get(f"/_islands/{'A' * 24}").status_code == 404


def test_while_redis_is_away_a_page_has_the_pieces_that_the_process_knows(
    shared: tuple[list[Server], RedisServer],
) -> None:
    servers, redis = shared
    client, other = (server.client() for server in servers)
    redis.kill()
    page = client.get("/inks/weld/")
    assert pieces(client, page) == ["0 beside all", "0 beside weld"]
    assert pieces(other, page) == ["0 beside all", ""]


def test_with_a_memory_of_its_own_a_server_knows_after_a_restart_what_the_build_knew(
    make_site: MakeSite, serve: Serve
) -> None:
    server = serve(make_site({**FILES, **PIECES}))
    client = server.client()
    client.post("/add")
    pages = [client.get("/inks/woad/") for _ in range(2)]
    assert [answer.headers["x-cache"] for answer in pages] == ["MISS", "HIT"]
    assert pieces(client, pages[0]) == ["1 beside all", "1 beside woad"]
    server.restart()
    assert pieces(client, pages[0]) == ["1 beside all", ""]
    assert pieces(client, client.get("/inks/woad/")) == ["1 beside all", "1 beside woad"]
