"""What every session store has to do, as tests. The built-in stores pass them; a driver of one's own should, too.

    from hybridsite.testing import StoreContract

    class TestMyStore(StoreContract):
        def make_store(self):
            return MyStore("localhost")

`pytest` finds the tests by that class; they need no plugin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar

from hybridsite.sessions.store import Conflict, Record, SessionStore

_TTL = 60.0
_SHORT = 1.0  # the shortest time to live that is tried: some stores count whole seconds
_KEY = "0123456789abcdef" * 4


class StoreContract:
    """The tests. `make_store` gives a store that is not open yet, over data that is empty when a test begins.

    Where it is called twice in a test, the stores have to be over the same data if `reach` is more than a process.
    """

    many: ClassVar[int] = 300  # how many records there are where a store has to take them in several steps

    def make_store(self) -> SessionStore:
        """Makes a store."""
        raise NotImplementedError

    async def pass_time(self, seconds: float) -> None:
        """Lets time go by for the store: by waiting, unless its clock can be set."""
        await asyncio.sleep(seconds)

    def with_store(self, check: Callable[[SessionStore], Awaitable[None]]) -> None:
        """Runs a check with an open store."""

        async def run() -> None:
            store = self.make_store()
            await store.open()
            try:
                await check(store)
            finally:
                await store.close()

        asyncio.run(run())

    def test_a_key_that_was_never_written_is_none(self) -> None:
        async def check(store: SessionStore) -> None:
            assert await store.read(_KEY) is None
            assert not await store.touch(_KEY, expected=1, ttl=_TTL)
            await store.delete(_KEY)

        self.with_store(check)

    def test_what_was_written_is_read(self) -> None:
        async def check(store: SessionStore) -> None:
            for number, data in enumerate((b"", b"\0\xff\r\n", bytes(range(256)) * 4096)):
                version = await store.write(f"{_KEY}{number}", data, expected=None, ttl=_TTL)
                record = await _there(store, f"{_KEY}{number}")
                assert (record.data, record.version) == (data, version)

        self.with_store(check)

    def test_a_write_needs_the_version_that_is_stored(self) -> None:
        async def check(store: SessionStore) -> None:
            await _refused(store.write(_KEY, b"no", expected=1, ttl=_TTL))
            first = await store.write(_KEY, b"1", expected=None, ttl=_TTL)
            await _refused(store.write(_KEY, b"no", expected=None, ttl=_TTL))
            second = await store.write(_KEY, b"2", expected=first, ttl=_TTL)
            assert second != first
            await _refused(store.write(_KEY, b"no", expected=first, ttl=_TTL))
            assert (await _there(store, _KEY)).data == b"2"

        self.with_store(check)

    def test_a_deleted_record_is_gone_and_stays_gone_for_its_version(self) -> None:
        async def check(store: SessionStore) -> None:
            version = await store.write(_KEY, b"1", expected=None, ttl=_TTL)
            await store.delete(_KEY)
            assert await store.read(_KEY) is None
            await _refused(store.write(_KEY, b"2", expected=version, ttl=_TTL))
            await store.write(_KEY, b"3", expected=None, ttl=_TTL)
            assert (await _there(store, _KEY)).data == b"3"

        self.with_store(check)

    def test_a_delete_may_expect_a_version(self) -> None:
        async def check(store: SessionStore) -> None:
            await _refused(store.delete(_KEY, expected=1))
            first = await store.write(_KEY, b"1", expected=None, ttl=_TTL)
            second = await store.write(_KEY, b"2", expected=first, ttl=_TTL)
            await _refused(store.delete(_KEY, expected=first))
            assert (await _there(store, _KEY)).data == b"2"
            await store.delete(_KEY, expected=second)
            assert await store.read(_KEY) is None

        self.with_store(check)

    def test_an_expired_record_is_not_there_for_any_call(self) -> None:
        async def check(store: SessionStore) -> None:
            version = await store.write(_KEY, b"1", expected=None, ttl=_SHORT)
            await self.pass_time(2 * _SHORT)
            assert await store.read(_KEY) is None
            assert not await store.touch(_KEY, expected=version, ttl=_TTL)
            await _refused(store.write(_KEY, b"2", expected=version, ttl=_TTL))
            await _refused(store.delete(_KEY, expected=version))
            await store.write(_KEY, b"3", expected=None, ttl=_TTL)
            assert (await _there(store, _KEY)).data == b"3"

        self.with_store(check)

    def test_each_write_moves_the_end(self) -> None:
        async def check(store: SessionStore) -> None:
            version = await store.write(_KEY, b"1", expected=None, ttl=_SHORT)
            await store.write(_KEY, b"2", expected=version, ttl=_TTL)
            await self.pass_time(2 * _SHORT)
            record = await _there(store, _KEY)
            await store.write(_KEY, b"3", expected=record.version, ttl=_SHORT)
            await self.pass_time(2 * _SHORT)
            assert await store.read(_KEY) is None

        self.with_store(check)

    def test_a_touch_moves_the_end_and_nothing_else(self) -> None:
        async def check(store: SessionStore) -> None:
            version = await store.write(_KEY, b"1", expected=None, ttl=_SHORT)
            before = await _there(store, _KEY)
            assert await store.touch(_KEY, expected=version, ttl=_TTL)
            await self.pass_time(2 * _SHORT)
            after = await _there(store, _KEY)
            assert (after.data, after.version) == (before.data, before.version)
            assert _TTL / 2 < after.expires - before.expires < 2 * _TTL

        self.with_store(check)

    def test_a_touch_needs_the_version_that_is_stored(self) -> None:
        async def check(store: SessionStore) -> None:
            first = await store.write(_KEY, b"1", expected=None, ttl=_TTL)
            await store.write(_KEY, b"2", expected=first, ttl=_SHORT)
            assert not await store.touch(_KEY, expected=first, ttl=_TTL)
            await self.pass_time(2 * _SHORT)
            assert await store.read(_KEY) is None

        self.with_store(check)

    def test_of_writes_at_once_one_succeeds(self) -> None:
        async def check(store: SessionStore) -> None:
            version = await store.write(_KEY, b"", expected=None, ttl=_TTL)
            for _ in range(5):
                writes = (store.write(_KEY, bytes([n]), expected=version, ttl=_TTL) for n in range(20))
                results = await asyncio.gather(*writes, return_exceptions=True)
                winners = [n for n, result in enumerate(results) if not isinstance(result, BaseException)]
                assert len(winners) == 1
                assert all(isinstance(result, int | Conflict) for result in results)
                record = await _there(store, _KEY)
                assert record.data == bytes(winners)
                version = record.version

        self.with_store(check)

    def test_a_record_is_found_by_each_of_its_tokens(self) -> None:
        async def check(store: SessionStore) -> None:
            assert await _found(store, "of nobody") == []
            await store.write("one", b"", expected=None, ttl=_TTL, tokens=["ada", "both"])
            await store.write("two", b"", expected=None, ttl=_TTL, tokens=["bob", "both", "both"])
            await store.write("three", b"", expected=None, ttl=_TTL)
            assert await _found(store, "ada") == ["one"]
            assert await _found(store, "bob") == ["two"]
            assert await _found(store, "both") == ["one", "two"]
            assert await _found(store, "of nobody") == []

        self.with_store(check)

    def test_each_write_replaces_the_tokens(self) -> None:
        async def check(store: SessionStore) -> None:
            first = await store.write(_KEY, b"1", expected=None, ttl=_TTL, tokens=["ada", "kept"])
            second = await store.write(_KEY, b"2", expected=first, ttl=_TTL, tokens=["bob", "kept"])
            assert [await _found(store, token) for token in ("ada", "bob", "kept")] == [[], [_KEY], [_KEY]]
            await _refused(store.write(_KEY, b"no", expected=first, ttl=_TTL, tokens=["ada"]))
            assert [await _found(store, token) for token in ("ada", "bob", "kept")] == [[], [_KEY], [_KEY]]
            assert await store.touch(_KEY, expected=second, ttl=_TTL)
            assert await _found(store, "bob") == [_KEY]
            third = await store.write(_KEY, b"3", expected=second, ttl=_TTL)
            assert [await _found(store, token) for token in ("ada", "bob", "kept")] == [[], [], []]
            await store.write(_KEY, b"4", expected=third, ttl=_TTL, tokens=["bob"])
            assert await _found(store, "bob") == [_KEY]

        self.with_store(check)

    def test_what_ended_is_not_found_and_its_tokens_are_not_inherited(self) -> None:
        async def check(store: SessionStore) -> None:
            await store.write("deleted", b"", expected=None, ttl=_TTL, tokens=["ada"])
            await store.write("expired", b"", expected=None, ttl=_SHORT, tokens=["ada"])
            await store.delete("deleted")
            await self.pass_time(2 * _SHORT)
            assert await _found(store, "ada") == []
            for key in ("deleted", "expired"):
                await store.write(key, b"", expected=None, ttl=_TTL)
            assert await _found(store, "ada") == []

        self.with_store(check)

    def test_a_touched_record_is_found_as_long_as_it_lives(self) -> None:
        async def check(store: SessionStore) -> None:
            version = await store.write(_KEY, b"", expected=None, ttl=_SHORT, tokens=["ada"])
            assert await store.touch(_KEY, expected=version, ttl=_TTL)
            await self.pass_time(2 * _SHORT)
            assert await _found(store, "ada") == [_KEY]

        self.with_store(check)

    def test_many_records_are_found_and_scanned(self) -> None:
        async def check(store: SessionStore) -> None:
            assert [key async for key, _ in store.scan()] == []
            versions = {}
            for number in range(self.many):
                data = str(number).encode()
                versions[str(number)] = await store.write(str(number), data, expected=None, ttl=_TTL, tokens=["all"])
            await store.write("expired", b"", expected=None, ttl=_SHORT, tokens=["all"])
            await self.pass_time(2 * _SHORT)
            assert await _found(store, "all") == sorted(versions)
            scanned = {key: record async for key, record in store.scan()}
            assert {key: (record.data, record.version) for key, record in scanned.items()} == {
                key: (key.encode(), version) for key, version in versions.items()
            }
            record = await _there(store, "1")
            assert abs(scanned["1"].expires - record.expires) < 2 * _SHORT
            async for key, record in store.scan():  # what is walked through may be removed on the way
                await store.delete(key, expected=record.version)
            assert [key async for key, _ in store.scan()] == []
            assert await _found(store, "all") == []

        self.with_store(check)

    def test_a_sweep_removes_what_expired_and_nothing_else(self) -> None:
        async def check(store: SessionStore) -> None:
            await store.write("kept", b"", expected=None, ttl=_TTL, tokens=["ada"])
            for number in range(10):
                await store.write(str(number), b"", expected=None, ttl=_SHORT, tokens=["ada"])
            await self.pass_time(2 * _SHORT)
            removed = await store.sweep(most=3)
            assert 0 <= removed <= 3
            while removed == 3:
                removed = await store.sweep(most=3)
            assert await store.sweep() == 0
            assert await _found(store, "ada") == ["kept"]
            assert [key async for key, _ in store.scan()] == ["kept"]

        self.with_store(check)

    def test_two_that_open_at_once_share_their_data(self) -> None:
        async def run() -> None:
            stores = [self.make_store() for _ in range(2)]
            if stores[0].reach == "process":
                return
            await asyncio.gather(*(store.open() for store in stores))
            try:
                version = await stores[0].write(_KEY, b"1", expected=None, ttl=_TTL)
                await stores[1].write(_KEY, b"2", expected=version, ttl=_TTL)
                await _refused(stores[0].write(_KEY, b"no", expected=version, ttl=_TTL))
                assert (await _there(stores[0], _KEY)).data == b"2"
            finally:
                await asyncio.gather(*(store.close() for store in stores))

        asyncio.run(run())


async def _there(store: SessionStore, key: str) -> Record:
    record = await store.read(key)
    assert record is not None, "the record is not there"
    return record


async def _found(store: SessionStore, token: str) -> list[str]:
    return sorted([key async for key in store.find(token)])


async def _refused(call: Awaitable[object]) -> None:
    try:
        await call
    except Conflict:
        return
    raise AssertionError("no Conflict was raised")
