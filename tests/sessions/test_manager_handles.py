"""Sessions that code opens by their handle."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hybridsite.errors import SessionNotFoundError
from hybridsite.sessions.codec import TOMBSTONE
from hybridsite.sessions.manager import SessionManager
from hybridsite.sessions.session import Session
from tests.sessions.support import TTL, Case, Visitor, run


@asynccontextmanager
async def opened(manager: SessionManager, visitor: Visitor) -> AsyncIterator[Session]:
    handle = (await visitor.open()).id
    async with manager.by_handle(handle) as session:
        yield session


def test_by_handle_reads_and_writes_another_s_session() -> None:
    async def check(case: Case) -> None:
        case.clock.now += TTL / 2
        before = await case.records.read(case.key)
        async with opened(case.manager, case.visitor) as session:
            assert session.id == case.key
            session["note"] = "from the office"
        after = await case.records.read(case.key)
        assert before is not None
        assert after is not None
        assert after.expires == pytest.approx(before.expires)  # the visitor's idle time goes on
        assert (await case.visitor.data())["note"] == "from the office"

    run(check)


def test_by_handle_and_the_visitor_at_once_both_keep_their_changes() -> None:
    # case C1
    async def check(case: Case) -> None:
        mine = await case.visitor.open()
        mine["mine"] = 1
        async with opened(case.manager, case.visitor) as session:
            session["theirs"] = 2
        await case.visitor.save(mine)
        assert await case.visitor.data() == {"name": "Ada", "cart": [], "mine": 1, "theirs": 2}

    run(check)


def test_by_handle_ends_a_session() -> None:
    # case S6
    async def check(case: Case) -> None:
        async with opened(case.manager, case.visitor) as session:
            session.destroy()
        assert await case.visitor.data() == {}
        with pytest.raises(SessionNotFoundError):
            async with case.manager.by_handle(case.key):
                pytest.fail("it is open")

    run(check)


def test_what_is_set_by_handle_after_destroy_is_no_session_that_nobody_has() -> None:
    async def check(case: Case) -> None:
        async with opened(case.manager, case.visitor) as session:
            session.destroy()
            session["a"] = 1
        assert [record.data for record in case.records._records.values()] == [TOMBSTONE]
        assert session.id is None

    run(check)


def test_an_exception_in_by_handle_saves_nothing() -> None:
    # case C7
    async def check(case: Case) -> None:
        with pytest.raises(ZeroDivisionError):
            async with opened(case.manager, case.visitor) as session:
                session["a"] = 1 / 0
        assert case.store.names()[-1] == "read"

    run(check)


def test_a_session_that_ends_while_it_is_open_by_its_handle_is_not_prolonged() -> None:
    async def check(case: Case) -> None:
        async with opened(case.manager, case.visitor) as session:
            session["a"] = 1
            case.clock.now += TTL
        assert "write" not in case.store.names()
        assert session.id is None
        assert await case.visitor.data() == {}

    run(check)


@pytest.mark.parametrize("handle", [None, "", "x", "0" * 63, "0" * 64, "0" * 65, "../" * 22, "Z" * 64, "0" * 64 + "\n"])
def test_an_unknown_handle_is_an_error_that_does_not_show_it(handle: str | None) -> None:
    # case S17
    async def check(case: Case) -> None:
        with pytest.raises(SessionNotFoundError, match="no session by that handle") as caught:
            async with case.manager.by_handle(handle):
                pytest.fail("it is open")
        assert isinstance(caught.value, LookupError)
        assert not handle or len(handle) < 3 or handle not in str(caught.value)
        # What is no handle isn't asked of the store.
        assert case.store.names() == (["read"] if handle == "0" * 64 else [])

    run(check)


def test_a_cookie_s_identifier_is_no_handle() -> None:
    # case S8
    async def check(case: Case) -> None:
        identifier = str(case.visitor.cookie).partition(".")[0]
        with pytest.raises(SessionNotFoundError):
            async with case.manager.by_handle(identifier):
                pytest.fail("it is open")

    run(check)
