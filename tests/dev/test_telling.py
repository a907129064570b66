"""What dev tells of: each fault once while it stands, and work that takes long."""

from __future__ import annotations

import asyncio

from hybridsite.dev.telling import Faults, told_when_long
from hybridsite.errors import SiteError
from hybridsite.news import News

A, B = SiteError("a"), SiteError("b")


def test_a_fault_is_told_once_while_it_stands_and_again_when_it_comes_back() -> None:
    told: list[str] = []
    faults = Faults(told.append)
    for error in (A, B, A):
        faults.tell(str(error), error)
    assert told == ["a", "b"]
    faults.next_state()
    faults.tell("a", A)
    assert (told, faults.as_before()) == (["a", "b"], " · 1 fault as before")
    faults.next_state()
    assert faults.as_before() == ""
    faults.next_state()
    faults.tell("a", A)
    assert told == ["a", "b", "a"]


def test_work_is_told_of_once_it_takes_long() -> None:
    async def run() -> list[News]:
        told: list[News] = []
        heard = asyncio.Event()

        def say(line: str) -> None:
            assert isinstance(line, News)
            told.append(line)
            heard.set()

        async with told_when_long(say, lambda: "reading", patience=60):
            pass
        assert told == []
        async with told_when_long(say, lambda: "reading", patience=0.001):
            await heard.wait()
        return told

    first = asyncio.run(run())[0]
    assert first.startswith("reading · ")
    assert first.kind == "progress"
