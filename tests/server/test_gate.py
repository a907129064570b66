"""The gate: how many requests are worked on at once, an address's share, and requests that take too long."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from starlette.types import Message, Scope

from hybridsite.server import gate as gate_module
from hybridsite.server.deployment import Deployment
from tests.e2e.support import write_site
from tests.inprocess import MEMORY, Answer, app_of, ask, asked, scope_of

HELD = """
import asyncio
gate, begun = asyncio.Event(), []

async def GET(context):
    begun.append(1)
    await gate.wait()
    return "done"
"""
EVER = """
import asyncio

async def GET(context):
    context.session["a"] = 1
    await asyncio.sleep(1e6)
"""
STUBBORN = """
import asyncio
open = asyncio.Event()

async def GET(context):
    while not open.is_set():
        try:
            await open.wait()
        except asyncio.CancelledError:
            pass
    return "late"
"""
THREAD = """
import threading
open = threading.Event()

def GET(context):
    open.wait(60)
    return "late"
"""
FILES: Mapping[str, str] = {
    "pages/index.html": "home",
    "pages/held.py": HELD,
    "pages/quick.py": "async def GET(context):\n    return 'quick'\n",
    "pages/body.py": "async def POST(context):\n    return await context.request.body()\n",
    "pages/ever.py": EVER,
    "pages/stubborn.py": STUBBORN,
    "pages/thread.py": THREAD,
}


def made(folder: Path, limits: str) -> Deployment:
    return app_of(write_site(folder / "site", {"site.toml": f"{MEMORY}[limits]\n{limits}\n", **FILES}))


def by(address: str | None, path: str) -> Scope:
    return {**scope_of(path), "client": (address, 1) if address else None}


def value(app: Deployment, page: str, name: str) -> object:
    """Gives what stands under a name in the module of a page."""
    module = app.current.site.resources[f"pages/{page}.py"].module
    assert module is not None
    return module.value(name)


async def until(condition: object) -> None:
    assert callable(condition)
    while not condition():
        await asyncio.sleep(0.005)


async def held(app: Deployment, *addresses: str | None) -> list[asyncio.Task[Answer]]:
    """Has requests of these addresses begin, and wait."""
    tasks = [asyncio.create_task(asked(app, by(address, "/held"))) for address in addresses]
    begun = value(app, "held", "begun")
    assert isinstance(begun, list)
    await until(lambda: len(begun) == len(addresses))
    return tasks


async def let_go(app: Deployment, tasks: list[asyncio.Task[Answer]]) -> None:
    event = value(app, "held", "gate")
    assert isinstance(event, asyncio.Event)
    event.set()
    assert [(await task).text for task in tasks] == ["done"] * len(tasks)


def test_beyond_the_limit_of_concurrency_requests_are_answered_503(tmp_path: Path) -> None:
    # case L2
    app = made(tmp_path, "concurrency = 3")

    async def story() -> None:
        tasks = await held(app, "1.1.1.1", "2.2.2.2", "3.3.3.3")
        refused = await asked(app, by("4.4.4.4", "/quick"))
        assert (refused.status, refused.header["retry-after"]) == (503, "1")
        assert refused.header["cache-control"] == "no-store"
        assert (await asked(app, by("4.4.4.4", "/"))).text == "home"  # files take nothing
        assert (await asked(app, by("4.4.4.4", "/healthz"))).status == 200
        await let_go(app, tasks)
        assert (await asked(app, by("4.4.4.4", "/quick"))).text == "quick"

    asyncio.run(story())


def test_an_address_has_its_share_and_locks_nobody_out(tmp_path: Path) -> None:
    # case L2
    app = made(tmp_path, "concurrency = 4")

    async def story() -> None:
        tasks = await held(app, "1.1.1.1", "1.1.1.1")
        assert (await asked(app, by("1.1.1.1", "/quick"))).status == 503
        assert (await asked(app, by("2.2.2.2", "/quick"))).status == 200
        assert (await asked(app, by(None, "/quick"))).status == 200
        forwarded = {**scope_of("/quick", headers={"X-Forwarded-For": "1.1.1.1"}), "client": ("127.0.0.1", 1)}
        assert (await asked(app, forwarded)).status == 503  # the proxy says whom it asks for
        assert (await asked(app, by("127.0.0.1", "/quick"))).status == 200  # it doesn't: it stands for all
        await let_go(app, tasks)
        assert (await asked(app, by("1.1.1.1", "/quick"))).status == 200

    asyncio.run(story())


def test_what_takes_too_long_is_answered_503_and_saves_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = made(tmp_path, "time = 0.01")

    async def story() -> None:
        task = asyncio.create_task(asked(app, scope_of("/ever")))
        while not task.done():
            await asyncio.sleep(0.02)
            app.gate.look()
        answer = await task
        assert answer.status == 503
        assert answer.header["retry-after"]
        assert "set-cookie" not in answer.header
        assert (await asked(app, scope_of("/quick"))).text == "quick"

    with caplog.at_level(logging.ERROR, "hybridsite"):
        asyncio.run(story())
    assert caplog.messages == ["/ever took over 0.01 s, and is answered 503"]


@pytest.mark.parametrize("page", ["stubborn", "thread"])
def test_what_cant_be_ended_is_answered_too_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    # case B7
    monkeypatch.setattr(gate_module, "_ENDING", 0.01)
    app, stuck = made(tmp_path, "time = 0.05"), list[int]()
    app.gate.stuck = lambda: stuck.append(1)

    async def story() -> None:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            sent.append(message)

        task = asyncio.create_task(app(scope_of(f"/{page}"), receive, send))
        while not sent:
            await asyncio.sleep(0.01)
            app.gate.look()
        assert sent[0]["status"] == 503
        if page == "thread":
            while not stuck:
                await asyncio.sleep(0.01)
                app.gate.look()
        event = value(app, page, "open")
        assert isinstance(event, asyncio.Event | threading.Event)
        event.set()
        await task
        assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
        stuck.clear()

        def is_free() -> bool:
            app.gate.look()
            return not app.gate._loose

        await until(is_free)

    with caplog.at_level(logging.ERROR, "hybridsite"):
        asyncio.run(story())
    assert caplog.messages[0] == f"/{page} took over 0.05 s, and is answered 503"
    assert ("/thread goes on after it was given up, and holds a thread" in caplog.messages) == (page == "thread")
    assert stuck == []


def test_the_time_that_a_visitor_takes_for_a_body_is_none_of_the_answers(tmp_path: Path) -> None:
    app = made(tmp_path, "time = 0.01")

    async def story() -> None:
        sent: list[Message] = []
        pieces = iter([b"a", b"b", b""])

        async def receive() -> Message:
            await asyncio.sleep(0.05)
            app.gate.look()
            piece = next(pieces)
            return {"type": "http.request", "body": piece, "more_body": bool(piece)}

        async def send(message: Message) -> None:
            sent.append(message)

        await app(scope_of("/body", "POST", {"Origin": "http://127.0.0.1"}), receive, send)
        assert (sent[0]["status"], sent[1]["body"]) == (200, b"ab")

    asyncio.run(story())


@pytest.mark.parametrize(("limits", "most"), [("body = '2 KiB'", 2048), ("body = 100", 100)])
def test_the_limit_of_a_body(tmp_path: Path, limits: str, most: int) -> None:
    # case B1
    app = made(tmp_path, limits)
    headers = {"Origin": "http://127.0.0.1"}
    assert ask(app, "/body", "POST", headers=headers, body=b"x" * most).status == 200
    assert ask(app, "/body", "POST", headers=headers, body=b"x" * (most + 1)).status == 413
