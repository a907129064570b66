"""The breaker above a store: what fails, what is asked meanwhile, and what is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hybridsite.errors import DriverError, SessionDataError, SessionNotFoundError, SessionUnavailable
from hybridsite.sessions import outage
from hybridsite.sessions.manager import SessionManager
from hybridsite.sessions.memory import MemoryStore
from hybridsite.sessions.session import Session
from hybridsite.sessions.store import StoreDown
from tests.sessions.support import Clock, Visitor, add, make_manager, put

Meet = Callable[[], Awaitable[None]]


class Weather(MemoryStore):
    """A store of memory whose calls meet what the test says, by their names, before they do anything."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock=clock)
        self.meets: dict[str, Meet] = {}
        self.calls: list[str] = []

    async def _meet(self, call: str) -> None:
        self.calls.append(call)
        if call in self.meets:
            await self.meets[call]()

    async def open(self) -> None:
        await self._meet("open")

    async def close(self) -> None:
        await self._meet("close")

    async def read(self, key: str) -> Any:
        await self._meet("read")
        return await super().read(key)

    async def write(self, key: str, data: bytes, **options: Any) -> int:
        await self._meet("write")
        return await super().write(key, data, **options)

    async def touch(self, key: str, **options: Any) -> bool:
        await self._meet("touch")
        return await super().touch(key, **options)


class Case:
    def __init__(self) -> None:
        self.clock = Clock()
        self.store = Weather(self.clock)
        self.manager: SessionManager = make_manager(self.store, self.clock)
        self.visitor = Visitor(self.manager)

    async def is_back(self) -> None:
        """Waits for the end of the outage."""
        probing = self.manager.store._probing
        assert probing is not None
        await probing

    async def fails(self, act: Callable[[Session], object]) -> None:
        with pytest.raises(SessionUnavailable):
            await self.visitor.ask(act)


def run(check: Callable[[Case], Awaitable[None]]) -> None:
    async def whole() -> None:
        case = Case()
        await case.visitor.ask(put(a=1))
        case.store.calls.clear()
        await check(case)

    asyncio.run(whole())


async def refuse() -> None:
    raise StoreDown from ConnectionRefusedError("nobody listens")


async def hang() -> None:
    await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "_BUDGET", 0.2)
    monkeypatch.setattr(outage, "_WELL", 0.1)
    monkeypatch.setattr(outage, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(outage, "_LONGEST_PAUSE", 0.01)


@pytest.mark.parametrize(
    "touch",
    [
        lambda session: session.get("a"),
        lambda session: session["a"],
        lambda session: "a" in session,
        len,
        list,
        dict,
        lambda session: list(session.keys()),
        lambda session: list(session.items()),
        lambda session: session.id,
        put(a=2),
        add(1),
        lambda session: session.delete("a"),
        lambda session: session.flash("a"),
        lambda session: session._show_flashes(use_up=True),
        Session.regenerate,
        Session.destroy,
    ],
)
def test_what_touches_a_session_that_did_not_load_fails(touch: Callable[[Session], object]) -> None:
    async def check(case: Case) -> None:
        case.store.meets["read"] = refuse
        cookie = case.visitor.cookie
        session = await case.visitor.open()
        assert (bool(session), session.touched) == (True, False)  # `{% if session %}` asks no more than that
        with pytest.raises(SessionUnavailable) as caught:
            touch(session)
        assert isinstance(caught.value.__cause__, StoreDown)
        assert session.touched  # so that the answer is private
        assert (await case.visitor.save(session)).set_cookie is None
        assert case.visitor.cookie == cookie
        case.store.meets.clear()
        await case.is_back()
        assert await case.visitor.data() == {"a": 1}

    run(check)


def test_during_an_outage_nothing_is_asked_but_by_probes(caplog: pytest.LogCaptureFixture) -> None:
    # case C5
    async def check(case: Case) -> None:
        case.store.meets.update(read=refuse, open=refuse)
        await case.fails(lambda session: session.get("a"))
        case.store.calls.clear()
        for _ in range(100):
            await case.fails(lambda session: session.get("a"))
            with pytest.raises(SessionUnavailable):
                await Visitor(case.manager).ask(put(a=1))
        assert case.store.calls == []
        case.store.meets.clear()
        await case.is_back()

    caplog.set_level(logging.INFO)
    run(check)
    told = [record.getMessage() for record in caplog.records if record.name == "hybridsite.sessions"]
    assert len(told) == 2
    assert told[0].endswith("answer 503: ConnectionRefusedError: nobody listens")
    assert told[1].startswith("sessions are back after")


def test_reads_go_on_where_only_writes_fail() -> None:
    async def check(case: Case) -> None:
        case.store.meets["write"] = refuse
        await case.fails(put(a=2))
        await case.fails(Session.destroy)
        assert await case.visitor.data() == {"a": 1}
        case.store.meets.clear()
        await case.is_back()
        await case.visitor.ask(put(a=2))
        assert await case.visitor.data() == {"a": 2}
        assert len(case.store._records) == 1  # the probe's record is gone

    run(check)


def test_all_calls_of_a_request_have_one_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(case: Case) -> None:
        async def slow() -> None:
            await asyncio.sleep(1.1)

        monkeypatch.setattr(outage, "_BUDGET", 2)
        case.store.meets.update(read=slow, write=slow)
        assert await case.visitor.data() == {"a": 1}
        await case.fails(put(a=2))
        case.store.meets.clear()
        await case.is_back()
        assert await case.visitor.data() == {"a": 1}

    run(check)


def test_a_store_that_has_to_be_opened_anew() -> None:
    async def check(case: Case) -> None:
        async def mend() -> None:
            case.store.meets.clear()

        case.store.meets.update(read=refuse, open=mend)
        await case.fails(dict)
        await case.is_back()
        assert case.store.calls[:5] == ["read", "read", "close", "open", "read"]
        assert await case.visitor.data() == {"a": 1}

    run(check)


def test_what_hung_before_the_end_is_no_new_outage(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(case: Case) -> None:
        hangs, is_over = asyncio.Event(), asyncio.Event()

        async def hang_and_refuse() -> None:
            hangs.set()
            await is_over.wait()
            await refuse()

        monkeypatch.setattr(outage, "_BUDGET", 60)
        case.store.meets["read"] = hang_and_refuse
        late = asyncio.create_task(case.fails(dict))
        await hangs.wait()
        case.store.meets["read"] = refuse
        await case.fails(dict)
        case.store.meets.clear()
        await case.is_back()
        assert not late.done()
        is_over.set()
        await late
        assert await case.visitor.data() == {"a": 1}

    run(check)
    assert len([record for record in caplog.records if "can't be read" in record.getMessage()]) == 1


def test_a_request_that_is_cancelled_is_no_outage() -> None:
    # case C8
    async def check(case: Case) -> None:
        for call in ("read", "write"):
            case.store.meets[call] = hang
            request = asyncio.create_task(case.visitor.ask(put(a=2)))
            while call not in case.store.calls:
                await asyncio.sleep(0)
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request
            case.store.meets.clear()
            assert case.manager.store._probing is None
            assert await case.visitor.data() == {"a": 1}

    run(check)


@pytest.mark.parametrize("waits", [False, True])
def test_a_record_that_a_store_can_not_read_is_no_outage(waits: bool) -> None:
    # case S15
    async def check(case: Case) -> None:
        async def unreadable() -> None:
            if waits:
                await asyncio.sleep(0)
            raise SessionDataError("another program's item has its key")

        case.store.meets["read"] = unreadable
        with pytest.raises(SessionDataError):
            await case.visitor.open()
        assert case.manager.store._probing is None

    run(check)


def test_a_regenerate_that_is_cut_off_leaves_the_old_session() -> None:
    # case C5, case C8
    async def check(case: Case) -> None:
        writes = 0

        async def fail_second() -> None:
            nonlocal writes
            writes += 1
            if writes == 2:
                await hang()

        cookie = case.visitor.cookie
        case.store.meets["write"] = fail_second
        await case.fails(Session.regenerate)
        assert case.visitor.cookie == cookie
        assert await case.visitor.data() == {"a": 1}

    run(check)


def test_another_session_by_its_handle_is_unavailable_too() -> None:
    async def check(case: Case) -> None:
        handle = (await case.visitor.open()).id
        case.store.meets.update(write=refuse)
        with pytest.raises(SessionUnavailable):
            async with case.manager.by_handle(handle) as other:
                other["a"] = 2
        case.store.meets.update(read=refuse)
        with pytest.raises(SessionUnavailable):
            async with case.manager.by_handle(handle):
                pass
        with pytest.raises(SessionNotFoundError):
            async with case.manager.by_handle("no handle"):
                pass

    run(check)


@pytest.mark.parametrize("trouble", [refuse, hang])
def test_a_store_that_is_down_at_start_is_waited_for(trouble: Meet) -> None:
    async def check(case: Case) -> None:
        case.store.meets.update(open=trouble, read=trouble)
        await case.manager.start()
        await case.fails(dict)
        case.store.meets.clear()
        await case.is_back()
        assert await case.visitor.data() == {"a": 1}
        await case.manager.stop()

    run(check)


def test_a_store_that_can_never_be_opened_is_a_fault() -> None:
    async def check(case: Case) -> None:
        async def never() -> None:
            raise DriverError("the path is a folder")

        case.store.meets["open"] = never
        with pytest.raises(DriverError, match="the path is a folder"):
            await case.manager.start()
        assert case.manager.store._probing is None

    run(check)


def test_a_server_stops_amid_an_outage() -> None:
    async def check(case: Case) -> None:
        for call in ("open", "close", "read"):
            case.store.meets[call] = hang
        await case.fails(dict)
        await case.manager.stop()
        probing = case.manager.store._probing
        assert probing is not None
        assert probing.done()

    run(check)
