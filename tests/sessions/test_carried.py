"""What one request leaves for the page that it leads to: shown there, once, and lost to no other request."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hybridsite.errors import SessionClosedError, SessionValueError
from hybridsite.sessions.codec import Carried, Contents, pack_record, unpack_record
from hybridsite.sessions.session import Session
from tests.sessions.support import Case, Visitor, doing, put, run


def leave(value: object, path: str = "letter") -> Any:
    return lambda session: session._leave_result(value, path)


def show(session: Session, path: str = "letter") -> Any:
    return session._show_result(path, use_up=True)


def peek(session: Session) -> Any:
    return session._show_result("letter", use_up=False)


def test_it_is_shown_once_and_on_its_page_alone() -> None:
    async def check(case: Case) -> None:
        await case.visitor.ask(leave({"data": (1, 2)}))
        assert await case.visitor.ask(lambda session: show(session, "other")) is None
        assert await case.visitor.ask(peek) == {"data": (1, 2)}
        assert await case.visitor.ask(show) == {"data": (1, 2)}
        assert await case.visitor.ask(show) is None
        assert await case.visitor.data() == {"name": "Ada", "cart": []}

    run(check)


def test_it_is_no_key_and_ends_by_itself() -> None:
    async def check(case: Case) -> None:
        await case.visitor.ask(leave("x"))
        session = await case.visitor.open()
        assert list(session) == ["name", "cart"]
        case.clock.now += 599
        assert await case.visitor.ask(peek) == "x"
        case.clock.now += 2
        assert await case.visitor.ask(show) is None
        await case.visitor.ask(put(a=1))
        record = await case.records.read(case.key)
        assert record is not None
        contents = unpack_record(record.data)
        assert contents is not None
        assert contents.carried is None

    run(check)


def test_the_last_one_counts_and_what_was_not_shown_is_not_used_up() -> None:
    async def check(case: Case) -> None:
        await case.visitor.ask(leave("first"))
        shows, leaves, writes = [await case.visitor.open() for _ in range(3)]
        assert show(shows) == "first"
        leave("second")(leaves)
        writes["a"] = 1
        for session in (leaves, shows, writes):
            await case.visitor.save(session)
        assert await case.visitor.ask(show) == "second"

    run(check)


def test_it_begins_a_session_and_goes_on_with_it() -> None:
    async def check() -> None:
        case = Case()
        await case.visitor.ask(leave("hello"))
        assert case.visitor.cookie is not None
        await case.visitor.ask(Session.regenerate)
        assert await case.visitor.ask(peek) == "hello"
        await case.visitor.ask(doing(leave("gone"), Session.destroy, leave("signed out")))
        assert await case.visitor.ask(show) == "signed out"
        await case.visitor.ask(doing(leave("gone"), Session.destroy))
        assert case.visitor.cookie is None

    asyncio.run(check())


def test_asking_is_a_use_and_writes_nothing() -> None:
    async def check(case: Case) -> None:
        session = await case.visitor.open()
        assert show(session) is None
        assert session.touched
        await case.visitor.save(session)
        assert case.store.names() == ["read"]

    run(check)


def test_what_a_session_can_not_hold() -> None:
    async def check(case: Case) -> None:
        session = await case.visitor.open()
        with pytest.raises(SessionValueError, match=r"the session value action_result\['data'\] is of the type object"):
            session._leave_result({"data": object()}, "")
        await case.visitor.save(session)
        with pytest.raises(SessionClosedError):
            session._leave_result("too late", "")
        with pytest.raises(SessionValueError, match=r"max_size = 1000; its largest value, action_result, has"):
            await Visitor(case.manager).ask(leave(b"x" * 1000))

    run(check, max_size=1000)


def test_records_with_it_and_without() -> None:
    carried = Contents(1.0, {}, (), Carried(1, "letter", b"x", 2.0))
    assert unpack_record(pack_record(carried)) == carried
    assert unpack_record(pack_record(Contents(1.0, {}))) == Contents(1.0, {})
    # As before there was one: an older server reads what this one wrote.
    assert pack_record(Contents(1.0, {}))[1:2] == b"\x93"
