"""The session as a site's code sees it: every call, what counts as a change, and what is refused at once."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from hybridsite.errors import SessionClosedError, SessionValueError, SiteError
from hybridsite.sessions.memory import MemoryStore
from hybridsite.sessions.session import Session
from tests.sessions.support import COOKIE, Case, Clock, Visitor, doing, make_manager, managed, put, run


def new() -> Session:
    """Gives a session as a visitor without a cookie has it."""
    return Session(None, None, None, Clock())


def filled() -> Session:
    session = new()
    session["name"] = "Ada"
    session["cart"] = ["ink"]
    return session


def test_reading_is_as_in_a_dict() -> None:
    session = filled()
    assert session["name"] == session.get("name") == "Ada"
    assert session.get("missing") is None
    assert session.get("missing", 3) == 3
    assert session.has("name")
    assert "name" in session
    assert not session.has("missing")
    assert "missing" not in session
    assert list(session) == list(session.keys()) == ["name", "cart"]
    assert list(session.values()) == ["Ada", ["ink"]]
    assert dict(session.items()) == dict(session) == {"name": "Ada", "cart": ["ink"]}
    assert len(session) == 2


@pytest.mark.parametrize("key", ["missing", 3, None])
def test_a_missing_key_is_a_key_error(key: Any) -> None:
    with pytest.raises(KeyError):
        filled()[key]
    with pytest.raises(KeyError):
        del filled()[key]


def test_a_session_is_true_even_when_it_is_empty() -> None:
    assert new()
    assert len(new()) == 0


def test_setting_and_deleting() -> None:
    session = filled()
    session.set("name", "Grace")
    session["age"] = 3
    assert dict(session) == {"name": "Grace", "cart": ["ink"], "age": 3}
    session.delete("name")
    del session["cart"]
    session.delete("missing")
    session.delete(3)  # type: ignore[arg-type]
    assert dict(session) == {"age": 3}


def test_update_gives_the_new_value_and_starts_from_the_default() -> None:
    session = new()
    assert session.update("count", lambda count: count + 1, 0) == 1
    assert session.update("count", lambda count: count + 1, 0) == 2
    assert session.update("seen", lambda seen: seen) is None
    assert dict(session) == {"count": 2, "seen": None}


def test_update_that_changes_its_argument_leaves_the_default_as_it_was() -> None:
    session = new()
    default: list[int] = []

    def added(values: list[int]) -> list[int]:
        values.append(1)
        return values

    for key in ("a", "b"):
        session.update(key, added, default)
    assert default == []
    assert dict(session) == {"a": [1], "b": [1]}


def test_an_update_that_raises_changes_nothing() -> None:
    session = filled()
    with pytest.raises(ZeroDivisionError):
        session.update("name", lambda name: 1 / 0)
    with pytest.raises(SessionValueError, match="name"):
        session.update("name", lambda name: object())
    assert session["name"] == "Ada"


def test_neither_data_nor_identifier_is_shown() -> None:
    # case S13, case S17
    assert repr(filled()) == str(filled()) == "<Session>"


@pytest.mark.parametrize(
    "use",
    [
        lambda session: session.get("a"),
        lambda session: session.get("a", 1),
        lambda session: session.has("a"),
        lambda session: "a" in session,
        lambda session: len(session),
        lambda session: list(session),
        lambda session: session.keys(),
        lambda session: session.values(),
        lambda session: session.items(),
        lambda session: session.id,
        lambda session: session.set("a", 1),
        lambda session: session.update("a", lambda value: value),
        lambda session: session.delete("a"),
        lambda session: session.regenerate(),
        lambda session: session.destroy(),
    ],
)
def test_each_use_counts_as_one(use: Callable[[Session], object]) -> None:
    session = new()
    assert not session.touched
    assert session  # `{% if session %}` alone is no use of what is in it
    assert not session.touched
    use(session)
    assert session.touched


class Name(enum.StrEnum):
    CART = "cart"


@pytest.mark.parametrize("key", [Name.CART, Markup("cart")])
def test_a_key_of_a_kind_of_text_is_its_text(key: str) -> None:
    session = new()
    session[key] = 1
    assert {type(key) for key in session} == {str}
    assert session["cart"] == 1
    session.delete(key)
    assert "cart" not in session


@pytest.mark.parametrize("key", ["", " ", "ключ", "a.b", "\0", "k" * 10_000])
def test_any_text_is_a_key(key: str) -> None:
    # case S16
    session = new()
    session[key] = 1
    assert dict(session) == {key: 1}


@pytest.mark.parametrize("key", [1, None, b"key", ("a",), 1.5, "\ud800"])
def test_no_other_thing_is_a_key(key: Any) -> None:
    # case S16
    session = new()
    with pytest.raises(SessionValueError, match="key"):
        session.set(key, 1)
    with pytest.raises(SessionValueError, match="key"):
        session.update(key, lambda value: value)
    assert dict(session) == {}


def test_ten_thousand_keys(tmp_path: Path) -> None:
    # case S16
    async def check() -> None:
        async with managed("sqlite", tmp_path, Clock()) as manager:
            visitor = Visitor(manager)
            wanted = {f"key{number}": number for number in range(10_000)}

            def fill(session: Session) -> None:
                for key, value in wanted.items():
                    session[key] = value

            await visitor.ask(fill)
            assert await visitor.data() == wanted

    asyncio.run(check())


def test_a_value_that_can_not_be_stored_is_refused_at_set_with_its_place() -> None:
    # case S14
    session = filled()
    with pytest.raises(SessionValueError) as caught:
        session["cart"] = [{"price": 1}, {"price": {2, object()}}]
    assert "cart[1]['price']{…}" in str(caught.value)
    assert "object" in str(caught.value)
    assert session["cart"] == ["ink"]


@pytest.mark.parametrize(
    ("ttl", "seconds"),
    [
        (90, 90.0),
        (0.5, 0.5),
        (dt.timedelta(minutes=2), 120.0),
        ("45s", 45.0),
        ("30m", 1800.0),
        ("1.5h", 5400.0),
        (" 2 d ", 172_800.0),
        ("1w", 604_800.0),
    ],
)
def test_a_key_s_own_ttl(ttl: Any, seconds: float) -> None:
    clock = Clock()

    async def check() -> None:
        visitor = Visitor(make_manager(MemoryStore(clock=clock), clock, ttl=2_000_000.0))
        await visitor.ask(lambda session: session.set("other", 1))
        await visitor.ask(lambda session: session.set("code", 1, ttl=ttl))
        clock.now += seconds - 0.01
        assert await visitor.data() == {"other": 1, "code": 1}
        clock.now += 0.01
        assert await visitor.data() == {"other": 1}

    asyncio.run(check())


@pytest.mark.parametrize(
    "ttl", [0, -1, True, float("nan"), float("inf"), dt.timedelta(0), "", "5", "5 years", "-1m", "٣m", "1e3s", 10**30]
)
def test_what_is_no_length_of_time_is_refused(ttl: Any) -> None:
    session = new()
    with pytest.raises(SessionValueError, match=r"ttl .* 'code'"):
        session.set("code", 1, ttl=ttl)
    assert "code" not in session


def test_a_key_that_ends_while_it_is_listed_can_still_be_read() -> None:
    clock = Clock()

    async def check() -> None:
        visitor = Visitor(make_manager(MemoryStore(clock=clock), clock))
        await visitor.ask(lambda session: session.set("code", [1], ttl=5))
        session = await visitor.open()
        for key, value in session.items():
            clock.now += 10
            assert (key, value, session[key]) == ("code", [1], [1])

    asyncio.run(check())


# What each request does to {"name": "Ada", "cart": [{"ink": 1}]}, and whether that is a change.
CHANGES: list[tuple[Callable[[Session], object], bool]] = [
    (lambda session: session["cart"][0].update(ink=2), True),
    (lambda session: session.get("cart").append("pen"), True),
    (lambda session: next(iter(session.values())), False),
    (lambda session: dict(session.items())["cart"].pop(), True),
    (lambda session: [list(session.values()), session.keys(), len(session)], False),
    (lambda session: session["cart"].append(session["cart"].pop()), False),
    (lambda session: sorted(session["cart"][0]), False),
    (lambda session: session.get("missing", []).append(1), False),
    (lambda session: session.set("name", "Grace"), True),
    (lambda session: session.delete("name"), True),
    (lambda session: session.update("cart", lambda cart: [*cart, "pen"], []), True),
]


@pytest.mark.parametrize(("act", "changes"), CHANGES, ids=map(str, range(len(CHANGES))))
def test_what_counts_as_a_change(act: Callable[[Session], object], changes: bool) -> None:
    async def check() -> None:
        case = Case()
        store, visitor = case.store, case.visitor
        await visitor.ask(put(name="Ada", cart=[{"ink": 1}]))
        session = await visitor.open()
        store.names()
        act(session)
        seen = dict(session)
        await visitor.save(session)
        assert store.names() == (["write"] if changes else [])
        assert await visitor.data() == seen

    asyncio.run(check())


def test_what_was_put_in_may_be_changed_in_place_afterwards() -> None:
    async def check() -> None:
        visitor = Case().visitor
        shared = [1]
        session = await visitor.open()
        session["a"] = session["b"] = shared
        shared.append(2)
        await visitor.save(session)
        assert await visitor.data() == {"a": [1, 2], "b": [1, 2]}

    asyncio.run(check())


def visits(*acts: Callable[[Session], object]) -> tuple[dict[str, Any], str | None, list[str]]:
    """Makes a request of each, by one visitor, and gives the data, the cookie and the last request's store calls."""

    async def run() -> tuple[dict[str, Any], str | None, list[str]]:
        case = Case()
        store, visitor = case.store, case.visitor
        for act in acts:
            store.names()
            await visitor.ask(act)
        calls = store.names()
        return await visitor.data(), visitor.cookie, calls

    return asyncio.run(run())


def set_destroy_set(session: Session) -> None:
    session["first"] = 1
    session["value"] = 1
    session.destroy()
    assert dict(session) == {}
    session["value"] = 2


def test_set_destroy_set_leaves_the_last_value_in_a_new_session() -> None:
    data, cookie, _ = visits(set_destroy_set)
    assert data == {"value": 2}
    assert cookie is not None
    data, cookie, _ = visits(lambda session: session.set("old", 1), set_destroy_set)
    assert data == {"value": 2}
    assert cookie is not None


@pytest.mark.parametrize(
    "act",
    [
        lambda session: session.get("a"),
        lambda session: session.delete("a"),
        lambda session: session.regenerate(),
        lambda session: session.destroy(),
        doing(put(a=1), lambda session: session.delete("a")),
        doing(put(a=1), Session.destroy),
    ],
)
def test_what_leaves_nothing_in_a_visitor_s_first_session_stores_nothing(act: Callable[[Session], object]) -> None:
    # case S1
    assert visits(act) == ({}, None, [])


def test_after_the_save_a_change_is_an_error_and_reading_is_not() -> None:
    async def check() -> None:
        visitor = Case().visitor
        session = await visitor.open()
        session["a"] = 1
        await visitor.save(session)
        changes: list[Callable[[], object]] = [
            lambda: session.set("b", 1),
            lambda: session.__setitem__("b", 1),
            lambda: session.update("b", lambda value: value),
            lambda: session.delete("a"),
            lambda: session.__delitem__("a"),
            session.regenerate,
            session.destroy,
        ]
        for change in changes:
            with pytest.raises(SessionClosedError, match="saved"):
                change()
        assert dict(session) == {"a": 1}
        assert await visitor.data() == {"a": 1}

    asyncio.run(check())


def test_the_id_is_the_store_s_key_and_no_cookie() -> None:
    # case S17
    async def check() -> None:
        case = Case()
        session = await case.visitor.open()
        ids = [session.id]
        session["a"] = 1
        ids.append(session.id)
        await case.visitor.save(session)
        again = await case.visitor.open()
        assert again.id == session.id == case.key
        signature = str(case.visitor.cookie).partition(".")[2]
        for forged in (session.id, f"{session.id}.{signature}"):
            assert case.manager.identifier([f"{COOKIE}={forged}".encode()]) is None
        again.regenerate()
        ids.append(again.id)
        assert ids == [None, None, None]
        await case.visitor.save(again)
        assert again.id == case.key != session.id

    asyncio.run(check())


def test_regenerate_needs_a_visitor() -> None:
    async def check(case: Case) -> None:
        with pytest.raises(SiteError, match="by its handle"):
            async with case.manager.by_handle(case.key) as session:
                session.regenerate()

    run(check)
