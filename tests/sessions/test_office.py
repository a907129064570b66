"""Finding, listing and ending the sessions of one user, and counting all of them."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hybridsite.errors import SessionIndexError, SessionUnavailable, SessionValueError
from hybridsite.sessions.codec import encode
from hybridsite.sessions.cookie import handle_of
from hybridsite.sessions.index import SessionIndex
from hybridsite.sessions.manager import SessionManager
from hybridsite.sessions.office import SessionOffice
from hybridsite.sessions.session import Session
from hybridsite.sessions.store import StoreDown
from tests.sessions.support import KEYS, TTL, Clock, Driver, Visitor, make_manager, make_store, put

INDEX = ["user_id", "team"]


class House:
    """A store with several visitors, and an office."""

    def __init__(self, driver: Driver, folder: Path, **settings: object) -> None:
        self.clock = Clock()
        self.store = make_store(driver, folder, self.clock)
        self.manager: SessionManager = make_manager(self.store, self.clock, **({"index": INDEX} | settings))
        self.office = SessionOffice(self.manager)

    async def visitor(self, **values: object) -> Visitor:
        visitor = Visitor(self.manager)
        await visitor.ask(put(**values))
        return visitor

    async def found(self, **wanted: object) -> list[str]:
        ((name, value),) = wanted.items()
        return [facts.id for facts in await self.office.find(name=name, value=value)]


def handle(visitor: Visitor) -> str:
    assert visitor.cookie is not None
    return handle_of(visitor.cookie.partition(".")[0])


@pytest.fixture(params=["memory", "sqlite"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    return House(request.param, tmp_path)


def test_every_session_of_a_user_ends(house: House) -> None:
    async def check() -> None:
        await house.store.open()
        laptop, phone = [await house.visitor(user_id=42, device=device) for device in ("laptop", "phone")]
        others = [await house.visitor(user_id=value) for value in (7, "42", 42.0, True, None)]
        stranger = await house.visitor(name="nobody")
        assert await house.found(user_id=42) == sorted([handle(laptop), handle(phone)])  # they are of one age
        assert await house.office.revoke(name="user_id", value=42) == 2
        assert [await each.data() for each in (laptop, phone)] == [{}, {}]
        assert all([await each.data() for each in (*others, stranger)])
        assert await house.found(user_id=42) == []
        assert await house.office.revoke(name="user_id", value=42) == 0
        await house.store.close()

    asyncio.run(check())


def test_a_request_under_way_does_not_bring_it_back(house: House) -> None:
    # case S7
    async def check() -> None:
        await house.store.open()
        visitor = await house.visitor(user_id=42)
        writes, regenerates, reads = [await visitor.open() for _ in range(3)]
        assert await house.office.revoke(name="user_id", value=42) == 1
        writes["a"] = 1
        regenerates.regenerate()
        reads.get("user_id")
        for session in (writes, regenerates, reads):
            assert (await house.manager.save(session, https=False)).set_cookie is None
        assert await visitor.data() == {}
        assert await house.found(user_id=42) == []
        await house.store.close()

    asyncio.run(check())


def test_a_session_that_is_regenerated_meanwhile_ends_too(house: House) -> None:
    async def check() -> None:
        await house.store.open()
        visitor = await house.visitor(user_id=42)
        keys = house.office._keys

        async def slow(name: str, data: bytes) -> list[str]:
            found = await keys(name, data)
            if len(found) == 1 and found == [first]:
                await visitor.ask(Session.regenerate)
            return found

        first = handle(visitor)
        house.office._keys = slow  # type: ignore[method-assign]
        assert await house.office.revoke(name="user_id", value=42) == 1
        assert await visitor.data() == {}
        await house.store.close()

    asyncio.run(check())


def test_a_session_is_found_by_what_it_holds_now(house: House) -> None:
    async def check() -> None:
        await house.store.open()
        visitor = await house.visitor(user_id=42, team=("a", 1))
        assert await house.found(team=("a", 1)) == [handle(visitor)]
        await visitor.ask(put(user_id=43))
        assert (await house.found(user_id=42), await house.found(user_id=43)) == ([], [handle(visitor)])
        await visitor.ask(Session.regenerate)
        assert await house.found(user_id=43) == [handle(visitor)]
        await visitor.ask(lambda session: session.set("user_id", 44, ttl=10))
        assert await house.found(user_id=44) == [handle(visitor)]
        house.clock.now += 11
        assert await house.found(user_id=44) == []
        assert await house.office.revoke(name="user_id", value=44) == 0
        house.clock.now += 60  # it is used, and refreshed: its tokens stay
        await visitor.ask(lambda session: session.get("team"))
        house.clock.now += TTL - 1
        assert await house.found(team=("a", 1)) == [handle(visitor)]
        await visitor.ask(Session.destroy)
        assert await house.found(team=("a", 1)) == []
        await house.store.close()

    asyncio.run(check())


def test_a_list_tells_ages_and_sizes_and_nothing_else(house: House) -> None:
    async def check() -> None:
        await house.store.open()
        visitor = await house.visitor(user_id=uuid.UUID(int=42))
        begun = house.clock.now
        house.clock.now += 100
        second = await house.visitor(user_id=uuid.UUID(int=42), padding=b"x" * 1000)
        facts = await house.office.find(name="user_id", value=uuid.UUID(int=42))
        assert [each.id for each in facts] == [handle(visitor), handle(second)]
        assert facts[0].created == datetime.fromtimestamp(begun, UTC)
        assert facts[0].expires == datetime.fromtimestamp(begun + TTL, UTC)
        assert facts[1].size > 1000 > facts[0].size
        async with house.office.open(facts[0].id) as session:
            assert session["user_id"] == uuid.UUID(int=42)
        everything = [each async for each in house.office.all()]
        assert sorted(everything) == sorted(facts)
        await house.store.close()

    asyncio.run(check())


def test_figures(house: House) -> None:
    async def check() -> None:
        await house.store.open()
        for number in range(3):
            await house.visitor(user_id=number)
        await (await house.visitor(user_id=4)).ask(Session.destroy)
        await house.store.write("f" * 64, b"what is this", expected=None, ttl=TTL)
        figures = await house.office.figures()
        assert (figures.sessions, figures.ended, figures.unreadable) == (3, 1, 1)
        assert figures.size == 3 * figures.largest
        house.clock.now += TTL + 1
        while await house.office.sweep(2) == 2:
            pass
        assert await house.office.figures() == (0, 0, 0, 0, 0)
        await house.store.close()

    asyncio.run(check())


def test_bytes_that_can_not_be_read_are_left_where_they_are(house: House) -> None:
    # case S15
    async def check() -> None:
        await house.store.open()
        await house.visitor(user_id=42)
        tokens = house.manager.records.index.lookups("user_id", encode(42, key="user_id"))
        await house.store.write("f" * 64, b"what is this", expected=None, ttl=TTL, tokens=tokens)
        assert len(await house.found(user_id=42)) == 1
        assert await house.office.revoke(name="user_id", value=42) == 1
        record = await house.store.read("f" * 64)
        assert record is not None
        assert record.data == b"what is this"
        await house.store.close()

    asyncio.run(check())


def test_sessions_over_their_age_are_not_listed(tmp_path: Path) -> None:
    async def check() -> None:
        house = House("memory", tmp_path)
        visitor = await house.visitor(user_id=42)
        house.manager = make_manager(house.store, house.clock, index=INDEX, max_age=50.0)
        office = SessionOffice(house.manager)
        house.clock.now += 51
        assert await office.find(name="user_id", value=42) == []
        assert [each async for each in office.all()] == []
        assert (await office.figures()).ended == 1
        assert visitor.cookie is not None

    asyncio.run(check())


def test_every_secret_is_asked_for(tmp_path: Path) -> None:
    # case S11
    async def check() -> None:
        old = House("memory", tmp_path)
        visitor = await old.visitor(user_id=42)
        new = House("memory", tmp_path, keys=["a newer key that nobody has seen before", *KEYS])
        new.manager.store._store = old.store
        assert await new.found(user_id=42) == [handle(visitor)]
        await new.visitor(user_id=42)
        assert len(await new.found(user_id=42)) == 2
        assert await old.found(user_id=42) == [handle(visitor)]

    asyncio.run(check())


def test_tokens_tell_nothing() -> None:
    # case S8
    index = SessionIndex(["a", "ab"], KEYS)
    other = SessionIndex(["a"], ["another key"])
    tokens = {
        *index.lookups("a", b"bc"),
        *index.lookups("ab", b"c"),
        *index.lookups("a", b"bd"),
        *other.lookups("a", b"bc"),
    }
    assert len(tokens) == 4
    assert all(len(token) == 64 for token in tokens)


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("user", r'did you mean "user_id"'),
        ("shoe_size", r'write index = \["user_id", "team", "shoe_size"\]; a session there is already is found once'),
    ],
)
def test_a_name_that_is_not_in_the_index_is_an_error(tmp_path: Path, name: str, mend: str) -> None:
    async def check() -> None:
        house = House("memory", tmp_path)
        for ask in (house.office.find, house.office.revoke):
            with pytest.raises(SessionIndexError, match=mend):
                await ask(name=name, value=42)
            with pytest.raises(SessionValueError, match="user_id is of the type object"):
                await ask(name="user_id", value=object())

    asyncio.run(check())


def test_a_store_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # case C5
    async def refuse(*_: object, **__: object) -> None:
        raise StoreDown

    async def check() -> None:
        house = House("sqlite", tmp_path)
        await house.store.open()
        await house.visitor(user_id=42)
        monkeypatch.setattr(house.store, "_run", refuse)
        monkeypatch.setattr(house.store, "_when_free", refuse)
        for ask in (house.office.find, house.office.revoke):
            with pytest.raises(SessionUnavailable):
                await ask(name="user_id", value=42)
        with pytest.raises(SessionUnavailable):
            await house.office.figures()
        with pytest.raises(SessionUnavailable):
            await house.office.sweep(10)
        await house.manager.stop()

    asyncio.run(check())
