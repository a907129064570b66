"""The greatest age of a session: it ends in the store itself, however much it is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hybridsite.sessions.cookie import CookieSettings
from hybridsite.sessions.session import Session
from tests.sessions.support import COOKIE, TTL, Case, doing, make_manager, put, run

AGE = 1500.0  # half as long again as the idle time


def max_age(header: str | None) -> int | None:
    return None if header is None else int(header.partition("Max-Age=")[2].partition(";")[0])


async def end(case: Case) -> float:
    """Gives when the visitor's session ends in the store, from its beginning."""
    record = await case.records.read(case.key)
    assert record is not None
    return record.expires - 1_800_000_000.0


@pytest.mark.parametrize("use", [lambda session: session.get("name"), put(a=1), Session.regenerate])
def test_a_session_ends_at_its_age_however_much_it_is_used(use: Callable[[Session], Any]) -> None:
    async def check(case: Case) -> None:
        begun = case.clock.now
        for second in range(100, 1500, 100):
            case.clock.now = begun + second
            session = await case.visitor.open()
            assert session["name"] == "Ada"
            use(session)
            given = max_age((await case.visitor.save(session)).set_cookie)
            assert given is None or given == min(TTL, AGE - second)
            assert await end(case) <= min(second + TTL, AGE)
        case.clock.now = begun + AGE
        assert await case.records.read(case.key) is None
        assert await case.visitor.data() == {}

    run(check, max_age=AGE)


def test_near_its_age_a_session_is_not_refreshed_over_and_over() -> None:
    async def check(case: Case) -> None:
        begun = case.clock.now
        for second in range(1, 1500):
            case.clock.now = begun + second
            await case.visitor.ask(lambda session: session.get("name"))
        # Each twentieth of the idle time, until the age is nearer than that.
        assert case.store.names().count("touch") == 10

    run(check, max_age=AGE)


def test_what_follows_destroy_is_another_session() -> None:
    async def check(case: Case) -> None:
        case.clock.now += 900
        await case.visitor.ask(doing(Session.destroy, put(a=1)))
        case.clock.now += 900
        assert await case.visitor.data() == {"a": 1}

    run(check, max_age=AGE)


def test_an_age_below_the_idle_time_is_the_cookies_too() -> None:
    async def check(case: Case) -> None:
        session = await case.visitor.open()
        session.regenerate()
        assert max_age((await case.visitor.save(session)).set_cookie) == 2
        assert await end(case) == 2
        case.clock.now += 1.5
        session = await case.visitor.open()
        session["a"] = 1
        assert (await case.visitor.save(session)).set_cookie is None
        assert await end(case) == 2

    run(check, max_age=2.0)


def test_a_request_that_outlives_its_session_stores_nothing() -> None:
    async def check(case: Case) -> None:
        for act in (lambda session: session.get("name"), put(a=1), Session.regenerate, Session.destroy):
            session = await case.visitor.open()
            act(session)
            case.clock.now += 3
            assert (await case.visitor.save(session)).set_cookie in (None, case.manager._cookie.expire(https=False))
            assert await case.visitor.data() == {}
            case.visitor.cookie = None
            await case.visitor.ask(put(name="Ada"))

    run(check, max_age=2.0)


def test_an_age_that_was_shortened_holds_for_sessions_there_are() -> None:
    async def check(case: Case) -> None:
        case.visitor.manager = make_manager(case.store, case.clock, max_age=500.0)
        case.clock.now += 100
        assert await case.visitor.ask(lambda session: session.get("name")) == "Ada"
        assert await end(case) == 500
        case.clock.now += 400
        assert await case.visitor.data() == {}

    run(check)


def test_a_cookie_that_ends_earlier_is_refreshed_until_the_end() -> None:
    async def check(case: Case) -> None:
        begun = case.clock.now
        left = 40
        for second in range(1, 1500):
            case.clock.now = begun + second
            session = await case.visitor.open()
            session.get("name")
            given = max_age((await case.visitor.save(session)).set_cookie)
            left = left - 1 if given is None else given
            assert left > 0, second
        assert left == 1

    run(check, max_age=AGE, cookie=CookieSettings(name=COOKIE, max_age=40))


def test_a_clock_that_was_set_back_prolongs_by_no_more_than_the_jump() -> None:
    # case C6
    async def check(case: Case) -> None:
        case.clock.now -= 3600
        await case.visitor.ask(put(a=1))
        assert await end(case) <= AGE
        case.clock.now += 3600 + AGE
        assert await case.visitor.data() == {}

    run(check, max_age=AGE)
