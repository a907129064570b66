"""Messages that are shown once: kept in order, lost by no other request, none of the session's keys."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hybridsite.errors import SessionClosedError, SessionValueError
from hybridsite.sessions.codec import Contents, pack_record, unpack_record
from hybridsite.sessions.session import Session
from tests.sessions.support import Case, Visitor, doing, put, run


def flash(message: object) -> Any:
    return lambda session: session.flash(message)


def show(session: Session) -> list[Any]:
    return session._show_flashes(use_up=True)


def peek(session: Session) -> list[Any]:
    return session._show_flashes(use_up=False)


def test_messages_are_shown_once_in_their_order() -> None:
    async def check(case: Case) -> None:
        await case.visitor.ask(doing(flash("one"), flash({"kind": "error", "text": "two"})))
        await case.visitor.ask(flash(("three", 3)))
        assert await case.visitor.ask(peek) == ["one", {"kind": "error", "text": "two"}, ("three", 3)]
        assert await case.visitor.ask(show) == ["one", {"kind": "error", "text": "two"}, ("three", 3)]
        assert await case.visitor.ask(show) == []
        assert await case.visitor.data() == {"name": "Ada", "cart": []}

    run(check)


def test_messages_are_no_keys() -> None:
    async def check(case: Case) -> None:
        await case.visitor.ask(flash("one"))
        session = await case.visitor.open()
        assert (list(session), len(session), "flash" in session) == (["name", "cart"], 2, False)
        for key in list(session):
            del session[key]
        await case.visitor.save(session)
        assert await case.visitor.ask(show) == ["one"]

    run(check)


def test_within_a_request_the_messages_stay() -> None:
    async def check(case: Case) -> None:
        await case.visitor.ask(flash("one"))
        session = await case.visitor.open()
        assert (show(session), show(session)) == (["one"], ["one"])
        session.flash("two")
        assert show(session) == ["one", "two"]
        session.flash("three")
        await case.visitor.save(session)
        assert show(session) == ["one", "two", "three"]
        assert await case.visitor.ask(show) == ["three"]

    run(check)


def test_asking_is_a_use_and_writes_only_what_it_showed() -> None:
    async def check(case: Case) -> None:
        session = await case.visitor.open()
        assert show(session) == []
        assert session.touched
        await case.visitor.save(session)
        assert case.store.names() == ["read"]
        await case.visitor.ask(doing(flash("one"), show))
        assert case.store.names() == ["read"]

    run(check)


def test_requests_at_once_lose_no_message_and_show_none_twice() -> None:
    async def check(case: Case) -> None:
        await case.visitor.ask(flash("before"))
        first, second, shows = [await case.visitor.open() for _ in range(3)]
        assert show(shows) == ["before"]
        first.flash("first")
        second.flash("second")
        for session in (second, shows, first):
            await case.visitor.save(session)
        assert await case.visitor.ask(show) == ["second", "first"]

    run(check)


def test_a_message_begins_a_session_and_goes_on_with_it() -> None:
    async def check() -> None:
        case = Case()
        await case.visitor.ask(flash("hello"))
        assert case.visitor.cookie is not None
        await case.visitor.ask(Session.regenerate)
        assert await case.visitor.ask(peek) == ["hello"]
        await case.visitor.ask(doing(Session.destroy, flash("signed out")))
        assert await case.visitor.ask(show) == ["signed out"]

    asyncio.run(check())


def test_a_message_in_a_session_that_ended_is_dropped() -> None:
    # case S7
    async def check(case: Case) -> None:
        slow = await case.visitor.open()
        await case.visitor.ask(Session.destroy)
        slow.flash("too late")
        assert (await case.visitor.save(slow)).set_cookie is None

    run(check)


def test_what_a_session_can_not_hold_is_no_message() -> None:
    async def check(case: Case) -> None:
        session = await case.visitor.open()
        with pytest.raises(SessionValueError, match=r"the session value flash\['item'\] is of the type object"):
            session.flash({"item": object()})
        await case.visitor.save(session)
        with pytest.raises(SessionClosedError):
            session.flash("too late")
        for first in (Visitor(case.manager), case.visitor):
            with pytest.raises(SessionValueError, match=r"max_size = 1000; its largest value, flash\(\), has"):
                await first.ask(doing(put(a=1), flash(b"x" * 1000)))

    run(check, max_size=1000)


def test_records_from_before_there_were_messages_are_read() -> None:
    whole = Contents(1.0, {})
    before = pack_record(whole)[:1] + b"\x92" + pack_record(whole)[2:-1]
    assert unpack_record(before) == whole
