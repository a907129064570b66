"""Opening and saving sessions: what the store is asked, what the cookie is told, and what is never lost."""

from __future__ import annotations

import asyncio
import logging

import pytest

from hybridsite.errors import SessionDataError, SessionValueError
from hybridsite.sessions.codec import TOMBSTONE
from hybridsite.sessions.cookie import CookieSettings, SessionCookie, handle_of, new_identifier
from hybridsite.sessions.session import Session
from hybridsite.sessions.store import Conflict
from tests.sessions.support import COOKIE, KEYS, TTL, Case, Visitor, add, doing, put, run


def test_without_a_cookie_the_store_is_not_asked_until_something_is_set() -> None:
    # case S1
    async def check() -> None:
        case = Case()
        for look in (lambda session: None, lambda session: session.get("a"), lambda session: session.delete("a")):
            session = await case.visitor.open()
            look(session)
            assert (await case.visitor.save(session)).set_cookie is None
        assert case.store.calls == []
        await case.visitor.ask(put(a=1))
        assert case.store.names() == ["write"]
        assert case.visitor.cookie is not None

    asyncio.run(check())


def test_a_request_reads_once_and_writes_once() -> None:
    async def check(case: Case) -> None:
        await case.visitor.ask(doing(dict, put(a=1), dict))
        assert case.store.names() == ["read", "write"]
        await case.visitor.ask(dict)
        assert case.store.names() == ["read"]

    run(check)


@pytest.mark.parametrize("cookie", ["", "x", "x" * 5000, "A" * 43 + "." + "A" * 43])
def test_a_forged_cookie_never_reaches_the_store_nor_the_log(cookie: str, caplog: pytest.LogCaptureFixture) -> None:
    # case S2
    caplog.set_level(logging.DEBUG)

    async def check(case: Case) -> None:
        stranger = Visitor(case.manager, cookie)
        assert await stranger.data() == {}
        assert case.store.calls == []
        await stranger.ask(put(a=1))
        assert case.store.names() == ["write"]
        assert stranger.cookie != cookie

    run(check)
    assert [record for record in caplog.records if record.name != "asyncio"] == []


def test_a_well_signed_but_unknown_identifier_is_never_adopted() -> None:
    # case S3
    async def check(case: Case) -> None:
        planted = new_identifier()
        issued = SessionCookie(CookieSettings(name=COOKIE), KEYS, TTL).issue(planted, https=False)
        victim = Visitor(case.manager, issued.partition(";")[0].partition("=")[2])
        session = await victim.open()
        assert session.id is None
        session["signed in"] = True
        await victim.save(session)
        assert session.id != handle_of(planted)
        assert victim.cookie is not None
        assert not victim.cookie.startswith(planted)
        assert await case.records.read(handle_of(planted)) is None

    run(check)


def test_an_expired_identifier_is_never_adopted() -> None:
    # case S3
    async def check(case: Case) -> None:
        before, key = case.visitor.cookie, case.key
        case.clock.now += TTL
        assert await case.visitor.data() == {}
        await case.visitor.ask(put(a=1))
        assert case.visitor.cookie != before
        assert await case.records.read(key) is None
        assert await case.visitor.data() == {"a": 1}

    run(check)


def test_store_and_cookie_are_refreshed_at_most_once_in_a_twentieth_of_the_ttl() -> None:
    async def check(case: Case) -> None:
        refreshed = []
        for second in range(1, 201):
            case.clock.now += 1
            session = await case.visitor.open()
            session.get("name")
            if (await case.visitor.save(session)).set_cookie is not None:
                refreshed.append(second)
        assert refreshed == [50, 100, 150, 200]
        assert case.store.names().count("touch") == 4
        case.clock.now += TTL - 1
        assert await case.visitor.data() != {}

    run(check)


def test_an_untouched_session_is_not_refreshed() -> None:
    async def check(case: Case) -> None:
        case.clock.now += TTL / 2
        await case.visitor.ask(lambda session: None)
        assert case.store.names() == ["read"]

    run(check)


def test_a_write_refreshes_when_that_is_due_and_not_before() -> None:
    async def check(case: Case) -> None:
        begun = case.clock.now
        for passed, renewed, ends in ((49, False, TTL), (50, True, 50 + TTL), (60, False, 50 + TTL)):
            case.clock.now = begun + passed
            session = await case.visitor.open()
            session["at"] = passed
            assert ((await case.visitor.save(session)).set_cookie is not None) == renewed
            record = await case.records.read(case.key)
            assert record is not None
            assert record.expires == pytest.approx(begun + ends)

    run(check)


def test_a_cookie_with_a_shorter_age_is_refreshed_before_it_ends() -> None:
    async def check(case: Case) -> None:
        case.clock.now += 2
        session = await case.visitor.open()
        session.get("name")
        header = (await case.visitor.save(session)).set_cookie
        assert header is not None
        assert "Max-Age=40;" in header

    run(check, cookie=CookieSettings(name=COOKIE, max_age=40))


@pytest.mark.parametrize("jump", [-3600, 3600, -10 * 86_400])
def test_a_clock_that_was_set_shortens_and_prolongs_by_no_more_than_the_jump(jump: int) -> None:
    # case C6
    async def check(case: Case) -> None:
        set_at = case.clock.now = case.clock.now + jump
        assert (await case.visitor.data())["name"] == "Ada"
        await case.visitor.ask(put(a=1))
        record = await case.records.read(case.key)
        assert record is not None
        assert record.expires - set_at <= 14 * 86_400 + abs(jump)
        case.clock.now = record.expires
        assert await case.visitor.data() == {}

    run(check, ttl=14 * 86_400.0)


def test_idle_time_ends_a_session_in_the_store_itself() -> None:
    async def check(case: Case) -> None:
        case.clock.now += TTL - 0.01
        assert (await case.visitor.data())["name"] == "Ada"
        assert await case.records.read(case.key) is not None
        case.clock.now += 0.01
        assert await case.visitor.data() == {}
        assert await case.records.read(case.key) is None

    run(check)


def test_a_key_that_ended_is_dropped_at_the_next_write() -> None:
    async def check(case: Case) -> None:
        await case.visitor.ask(lambda session: session.set("code", "a one-time code", ttl="30s"))
        case.clock.now += 31
        assert await case.visitor.data() == {"name": "Ada", "cart": []}
        await case.visitor.ask(add(1))
        record = await case.records.read(case.key)
        assert record is not None
        assert b"one-time" not in record.data

    run(check)


def test_what_is_over_max_size_is_an_error_and_nothing_is_stored() -> None:
    async def check(case: Case) -> None:
        before = dict(case.records._records)
        session = await case.visitor.open()
        session["big"] = b"x" * 1000
        with pytest.raises(SessionValueError, match=r"over \[session\] max_size = 1000; its largest value, 'big'"):
            await case.visitor.save(session)
        stranger = Visitor(case.manager)
        first = await stranger.open()
        first["big"] = b"x" * 1000
        with pytest.raises(SessionValueError):
            await stranger.save(first)
        assert first.id is None
        again = await case.visitor.open()
        again.regenerate()
        again["big"] = b"x" * 1000
        with pytest.raises(SessionValueError):
            await case.visitor.save(again)
        assert case.records._records == before
        await case.visitor.ask(put(big=b"x" * 900))

    run(check, max_size=1000)


def test_what_grows_over_max_size_by_the_merge_is_an_error() -> None:
    async def check(case: Case) -> None:
        first, second = await case.visitor.open(), await case.visitor.open()
        first["one"] = b"x" * 600
        second["two"] = b"x" * 600
        await case.visitor.save(first)
        with pytest.raises(SessionValueError, match="max_size"):
            await case.visitor.save(second)
        assert (await case.visitor.data()).keys() == {"name", "cart", "one"}

    run(check, max_size=1000)


def test_a_change_in_place_that_can_not_be_stored_stores_nothing() -> None:
    # case S14
    async def check(case: Case) -> None:
        session = await case.visitor.open()
        session["name"] = "Grace"
        session["cart"].append(object())
        with pytest.raises(SessionValueError, match=r"cart\[0\]"):
            await case.visitor.save(session)
        assert await case.visitor.data() == {"name": "Ada", "cart": []}

    run(check)


def test_two_requests_at_once_both_keep_their_changes() -> None:
    # case C1, case C1b, case C2
    async def check(case: Case) -> None:
        first, second = await case.visitor.open(), await case.visitor.open()
        first["one"] = 1
        second["two"] = 2
        second.delete("name")
        for session in (first, second):
            add(len(session))(session)
        case.store.calls.clear()
        await case.visitor.save(first)
        await case.visitor.save(second)
        assert case.store.names() == ["write", "write", "read", "write"]
        assert await case.visitor.data() == {"cart": [3, 2], "one": 1, "two": 2}

    run(check)


def test_many_requests_at_once_lose_nothing() -> None:
    # case C1, case C1b
    async def check(case: Case) -> None:
        async def request(number: int) -> None:
            session = await case.visitor.open()
            await asyncio.sleep(0)
            session[f"key{number}"] = number
            add(number)(session)
            await case.visitor.save(session)

        await asyncio.gather(*(request(number) for number in range(200)))
        data = await case.visitor.data()
        assert sorted(data["cart"]) == list(range(200))
        assert all(data[f"key{number}"] == number for number in range(200))

    run(check)


def test_setting_a_key_to_what_it_was_wins_over_a_change_meanwhile() -> None:
    # case C2: last save wins, also where this request alone would have changed nothing
    async def check(case: Case) -> None:
        first, second = await case.visitor.open(), await case.visitor.open()
        first["name"] = "Grace"
        second["name"] = "Ada"
        await case.visitor.save(first)
        await case.visitor.save(second)
        assert (await case.visitor.data())["name"] == "Ada"

    run(check)


def test_a_store_that_is_always_faster_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hybridsite.sessions.records._PATIENCE", 0.05)

    async def conflict() -> None:
        raise Conflict

    async def check(case: Case) -> None:
        session = await case.visitor.open()
        session["a"] = 1
        case.store.before_write = conflict
        with pytest.raises(TimeoutError, match="was not saved"):
            await case.visitor.save(session)
        case.store.before_write = None
        assert await case.visitor.data() == {"name": "Ada", "cart": []}

    run(check)


BROKEN = [b"", b"\x01", TOMBSTONE[:1], b"\x02" + TOMBSTONE[1:], b"\x7fELF", b'{"name": "Ada"}', b"\x80\x04K\x01."]


@pytest.mark.parametrize("data", BROKEN)
def test_stored_bytes_that_can_not_be_read_are_an_error_and_stay(data: bytes) -> None:
    # case S15
    async def check(case: Case) -> None:
        record = await case.records.read(case.key)
        assert record is not None
        await case.records.write(case.key, data, expected=record.version, ttl=TTL)
        with pytest.raises(SessionDataError, match="left as they are") as caught:
            await case.visitor.open()
        assert case.key not in str(caught.value)
        after = await case.records.read(case.key)
        assert after is not None
        assert after.data == data

    run(check)


def test_stored_bytes_that_were_cut_off_meanwhile_are_not_overwritten() -> None:
    # case S15
    async def check(case: Case) -> None:
        for act in (add(1), Session.regenerate, Session.destroy):
            record = await case.records.read(case.key)
            assert record is not None
            session = await case.visitor.open()
            act(session)
            version = await case.records.write(case.key, record.data[:-3], expected=record.version, ttl=TTL)
            with pytest.raises(SessionDataError):
                await case.visitor.save(session)
            after = await case.records.read(case.key)
            assert after is not None
            assert after.data == record.data[:-3]
            assert len(case.records._records) == 1
            await case.records.write(case.key, record.data, expected=version, ttl=TTL)

    run(check)
