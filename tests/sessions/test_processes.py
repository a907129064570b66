"""Two processes that make requests in one session, over every driver that processes share."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.sessions.support import Driver, Visitor, managed

HAMMER = Path(__file__).with_name("hammer.py")


@pytest.fixture(params=["sqlite", "fs", "redis", "postgres"])
def driver(request: pytest.FixtureRequest) -> Driver:
    driver: Driver = request.param
    return driver


@pytest.fixture
def place(driver: Driver, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A folder, or the URL of a server that runs."""
    if driver in ("redis", "postgres"):
        url: str = request.getfixturevalue(f"{driver}_server").url
        return url
    return str(tmp_path)


def hammer(driver: Driver, place: str, cookie: str, name: str, count: int) -> subprocess.Popen[str]:
    """Starts a process that makes requests in one session, and prints a line for each that was answered."""
    command = [sys.executable, str(HAMMER), driver, place, cookie, name, str(count)]
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(root)})


async def begun(driver: Driver, place: str) -> str:
    """Starts a session and gives its cookie."""
    async with managed(driver, place, time.time) as manager:
        visitor = Visitor(manager)
        await visitor.ask(lambda session: session.set("first", 1))
        assert visitor.cookie is not None
        return visitor.cookie


async def data_of(driver: Driver, place: str, cookie: str) -> dict[str, object]:
    async with managed(driver, place, time.time) as manager:
        return await Visitor(manager, cookie).data()


def test_two_processes_lose_nothing(driver: Driver, place: str) -> None:
    # case C1, case C1b
    cookie = asyncio.run(begun(driver, place))
    processes = [hammer(driver, place, cookie, name, 200) for name in ("a", "b")]
    for process in processes:
        process.communicate(timeout=100)
        assert process.returncode == 0
    data = asyncio.run(data_of(driver, place, cookie))
    cart = data.pop("cart")
    expected = [f"{name}{n}" for name in ("a", "b") for n in range(200)]
    assert data == {"first": 1} | dict.fromkeys(expected, "set")
    assert isinstance(cart, list)
    assert sorted(cart) == sorted(expected)


def test_each_answered_write_is_there_after_a_kill(driver: Driver, place: str) -> None:
    # case C3
    cookie = asyncio.run(begun(driver, place))
    processes = [hammer(driver, place, cookie, name, 1_000_000) for name in ("a", "b")]
    answered: list[str] = []
    for process in processes:
        assert process.stdout is not None
        answered += [json.loads(process.stdout.readline()) for _ in range(30)]
    for process in processes:
        process.send_signal(signal.SIGKILL)
    for process in processes:
        rest, _ = process.communicate(timeout=30)
        answered += [json.loads(line) for line in rest.splitlines() if line.endswith('"')]
    data = asyncio.run(data_of(driver, place, cookie))
    cart = data["cart"]
    assert isinstance(cart, list)
    assert len(cart) == len(set(cart))
    assert set(answered) <= set(cart)
    assert set(answered) <= data.keys()
