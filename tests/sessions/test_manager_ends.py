"""How a session ends, or goes on under another identifier: what the old one opens, and what slow requests do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from hybridsite.errors import SessionUnavailable
from hybridsite.sessions.codec import TOMBSTONE
from hybridsite.sessions.cookie import CookieSettings, handle_of
from hybridsite.sessions.session import Session
from tests.sessions.support import COOKIE, TTL, Case, Visitor, add, doing, make_manager, put, run

DROPPED = "changes to a session that had ended meanwhile were dropped"


def test_after_regenerate_the_old_identifier_opens_nothing() -> None:
    # case S5
    async def check(case: Case) -> None:
        old, old_key = Visitor(case.manager, case.visitor.cookie), case.key
        under_way = await old.open()
        await case.visitor.ask(doing(Session.regenerate, put(user=7)))
        assert case.visitor.cookie != old.cookie
        assert await case.visitor.data() == {"name": "Ada", "cart": [], "user": 7}
        assert await old.data() == {}
        assert dict(under_way) == {"name": "Ada", "cart": []}  # as it was loaded: nothing of the signed-in one's
        assert (await old.save(under_way)).set_cookie is None
        record = await case.records.read(old_key)
        assert record is not None
        assert record.data == TOMBSTONE
        assert record.expires == case.clock.now + 60
        case.clock.now += 60
        assert await old.data() == {}

    run(check)


def test_destroy_ends_cookie_and_data() -> None:
    # case S6
    async def check(case: Case) -> None:
        old, old_key = Visitor(case.manager, case.visitor.cookie), case.key
        session = await case.visitor.open()
        session.destroy()
        assert dict(session) == {}
        header = (await case.visitor.save(session)).set_cookie
        assert header is not None
        assert header.startswith(f"{COOKIE}=; Max-Age=0; ")
        assert "; Path=/shop; Domain=example.com;" in header
        assert session.id is None
        assert [record.data for record in case.records._records.values()] == [TOMBSTONE]
        assert await old.data() == {}
        await old.ask(put(a=1))
        assert await old.data() == {"a": 1}
        assert (await old.open()).id != old_key

    run(check, cookie=CookieSettings(name=COOKIE, path="/shop", domain="example.com"))


ENDS: list[Callable[[Session], object]] = [Session.destroy, Session.regenerate]
SLOW: list[Callable[[Session], object]] = [
    put(late=1),
    lambda session: session.update("cart", lambda cart: [*cart, "late"], []),
    lambda session: session["cart"].append("late"),
    lambda session: session.delete("name"),
    Session.regenerate,
    Session.destroy,
    doing(Session.destroy, put(late=1)),
]


@pytest.mark.parametrize("wait", [0, 61])
@pytest.mark.parametrize("slow", SLOW, ids=map(str, range(len(SLOW))))
@pytest.mark.parametrize("end", ENDS)
def test_a_slow_request_does_not_bring_a_session_back(
    end: Callable[[Session], object], slow: Callable[[Session], object], wait: int, caplog: pytest.LogCaptureFixture
) -> None:
    # case S7: while the tombstone stands, and once it is gone
    caplog.set_level(logging.INFO)

    async def check(case: Case) -> None:
        late = Visitor(case.manager, case.visitor.cookie)
        session = await late.open()
        slow(session)
        await case.visitor.ask(end)
        kept = await case.visitor.data()
        case.clock.now += wait
        assert (await late.save(session)).set_cookie is None
        assert session.id is None
        assert await late.data() == {}
        assert await case.visitor.data() == kept
        live = [record for record in case.records._records.values() if record.data != TOMBSTONE]
        assert len(live) == (1 if end is Session.regenerate else 0)

    run(check)
    assert [record.message for record in caplog.records] == [DROPPED]
    assert caplog.records[0].levelno == logging.INFO


def test_a_slow_request_that_changed_nothing_gets_no_cookie_of_an_ended_session() -> None:
    # case S7
    async def check(case: Case) -> None:
        late = Visitor(case.manager, case.visitor.cookie)
        case.clock.now += TTL / 2  # a refresh is due
        session = await late.open()
        session.get("name")
        await case.visitor.ask(Session.regenerate)
        assert (await late.save(session)).set_cookie is None
        assert await late.data() == {}

    run(check)


def test_neither_store_nor_log_hold_a_usable_identifier(caplog: pytest.LogCaptureFixture) -> None:
    # case S8, case S13, case S17
    caplog.set_level(logging.DEBUG)

    async def check(case: Case) -> None:
        cookies = [case.visitor.cookie]
        late = await case.visitor.open()
        late["name"] = "the card 4242"
        for act in (add("the card 4242"), Session.regenerate, Session.destroy, put(a=1)):
            await case.visitor.ask(act)
            cookies.append(case.visitor.cookie)
        await case.visitor.save(late)
        seen = repr(case.records._records) + repr(case.store.calls) + caplog.text
        for cookie in filter(None, cookies):
            identifier, _, signature = cookie.partition(".")
            assert identifier not in seen
            assert signature not in seen
            assert handle_of(identifier) not in caplog.text
        assert "4242" not in caplog.text
        for key in case.records._records:
            assert await Visitor(case.manager, key).data() == {}

    run(check)
    assert DROPPED in caplog.text


@pytest.mark.parametrize("act", [add("mine"), put(mine=1)])
def test_a_save_that_lands_while_regenerate_runs_is_in_the_new_session(act: Callable[[Session], object]) -> None:
    # case C1b
    async def check(case: Case) -> None:
        beside = Visitor(make_manager(case.records, case.clock), case.visitor.cookie)
        writes = 0

        async def land() -> None:
            nonlocal writes
            writes += 1
            if writes == 2:  # the new record is written, the tombstone is not
                await beside.ask(act)

        session = await case.visitor.open()
        session.regenerate()
        session["user"] = 7
        case.store.before_write = land
        await case.visitor.save(session)
        assert writes == 4
        data = await case.visitor.data()
        assert data["user"] == 7
        assert data.get("mine") == 1 or data["cart"] == ["mine"]
        assert await beside.data() == {}

    run(check)


@pytest.mark.parametrize("end", [Session.regenerate, doing(Session.destroy, put(a=1))])
@pytest.mark.parametrize("fault", [OSError("gone"), asyncio.CancelledError(), TimeoutError("slow")])
def test_a_regenerate_that_fails_leaves_all_as_it_was(end: Callable[[Session], object], fault: BaseException) -> None:
    async def check(case: Case) -> None:
        before = dict(case.records._records)
        writes = 0

        async def fail() -> None:
            nonlocal writes
            writes += 1
            if writes == 2:
                raise fault

        session = await case.visitor.open()
        end(session)
        case.store.before_write = fail
        cancelled = isinstance(fault, asyncio.CancelledError)
        with pytest.raises(asyncio.CancelledError if cancelled else SessionUnavailable):
            await case.visitor.save(session)
        assert session.id is None
        assert case.records._records == before
        assert await case.visitor.data() == {"name": "Ada", "cart": []}

    run(check)
