"""What every store of the cache does: in the memory of a process, and in a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import redis

from hybridsite.cache.entry import Entry
from hybridsite.cache.memory import MemoryStore
from hybridsite.cache.redis import RedisStore
from hybridsite.cache.store import CacheStore
from tests.sessions.servers import RedisServer

Make = Callable[[], CacheStore]
Test = Callable[[CacheStore], Awaitable[None]]


@pytest.fixture(params=["memory", "redis"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes a store; several of Redis share what they hold."""
    if request.param == "memory":
        yield MemoryStore
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
    yield lambda: RedisStore(server.url, timeout=5)


@asynccontextmanager
async def opened(make: Make) -> AsyncIterator[CacheStore]:
    store = make()
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def run(make: Make, test: Test) -> None:
    async def within() -> None:
        async with opened(make) as store:
            await test(store)

    asyncio.run(within())


def entry(text: str = "kept", *marks: str, max_age: float = 60, swr: float = 60) -> Entry:
    headers = ((b"content-type", b"text/html"), (b"x-odd", b"\xff\x00"))
    return Entry(headers, text.encode(), '"tag"', marks, max_age, swr)


def test_what_is_kept_is_found_as_it_was(make: Make) -> None:
    async def test(store: CacheStore) -> None:
        looked = await store.look("a", claim=True)
        assert (looked.entry, looked.mine) == (None, True)
        assert await store.keep("a", entry("one", "t:x"), looked.since)
        found = await store.look("a", claim=True)
        assert found.entry == entry("one", "t:x")
        assert 0 <= found.age < 30
        assert (await store.look("b", claim=False)).entry is None

    run(make, test)


def test_an_entry_ends_by_itself(make: Make) -> None:
    async def test(store: CacheStore) -> None:
        looked = await store.look("a", claim=False)
        await store.keep("a", entry(max_age=0.02, swr=0.02), looked.since)
        async with asyncio.timeout(10):
            while (await store.look("a", claim=False)).entry is not None:
                await asyncio.sleep(0.01)

    run(make, test)


def test_an_invalidated_mark_takes_its_entries_and_no_others(make: Make) -> None:
    async def test(store: CacheStore) -> None:
        since = (await store.look("a", claim=False)).since
        await store.keep("a", entry("a", "t:x", "p:shop"), since)
        await store.keep("b", entry("b", "t:y"), since)
        await store.keep("c", entry("c", "p:shop"), since)
        await store.keep("d", entry("d"), since)
        await store.invalidate(["t:x", "t:never seen"])
        assert [(await store.look(key, claim=False)).entry is not None for key in "abcd"] == [False, True, True, True]
        await store.invalidate(["p:shop"])
        assert [(await store.look(key, claim=False)).entry is not None for key in "abcd"] == [False, True, False, True]

    run(make, test)


def test_what_was_invalidated_while_it_was_made_is_not_kept(make: Make) -> None:
    async def test(store: CacheStore) -> None:
        since = (await store.look("a", claim=True)).since
        await store.invalidate(["t:x"])
        assert not await store.keep("a", entry("old", "t:x"), since)
        assert (await store.look("a", claim=False)).entry is None
        assert await store.keep("b", entry("other", "t:y"), since)
        again = (await store.look("a", claim=True)).since
        assert await store.keep("a", entry("new", "t:x"), again)
        assert (await store.look("a", claim=False)).entry == entry("new", "t:x")

    run(make, test)


def test_a_dropped_entry_is_gone(make: Make) -> None:
    async def test(store: CacheStore) -> None:
        await store.keep("a", entry(), (await store.look("a", claim=False)).since)
        await store.drop("a")
        await store.drop("never there")
        assert (await store.look("a", claim=False)).entry is None

    run(make, test)


def test_so_many_marks_that_all_is_forgotten_leave_nothing_that_was_made_before(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hybridsite.cache.memory._MOST_MARKS", 10)
    monkeypatch.setattr("hybridsite.cache.redis._MOST_MARKS", 10)

    async def test(store: CacheStore) -> None:
        since = (await store.look("a", claim=False)).since
        await store.keep("a", entry("a", "t:x"), since)
        await store.invalidate([f"t:{number}" for number in range(20)])
        assert (await store.look("a", claim=False)).entry is None
        assert not await store.keep("b", entry("b", "t:3"), since)
        assert await store.keep("a", entry("a", "t:x"), (await store.look("a", claim=False)).since)

    run(make, test)


# What is Redis's own.


@pytest.fixture
def shared(redis_server: RedisServer) -> Make:
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return lambda: RedisStore(redis_server.url, timeout=5)


def test_servers_share_what_is_kept_and_what_is_invalidated(shared: Make) -> None:
    async def within() -> None:
        async with opened(shared) as one, opened(shared) as other:
            await one.keep("a", entry("one", "t:x"), (await one.look("a", claim=True)).since)
            assert (await other.look("a", claim=True)).entry == entry("one", "t:x")
            await other.invalidate(["t:x"])
            assert (await one.look("a", claim=False)).entry is None

    asyncio.run(within())


def test_one_server_at_a_time_makes_an_answer(shared: Make) -> None:
    async def within() -> None:
        async with opened(shared) as one, opened(shared) as other:
            first = await one.look("a", claim=True)
            assert (first.mine, (await other.look("a", claim=True)).mine) == (True, False)
            assert (await other.look("b", claim=True)).mine
            await one.release("a", first.since)
            second = await other.look("a", claim=True)
            assert second.mine
            await one.release("a", first.since)  # late: the claim is another's by now
            assert not (await one.look("a", claim=True)).mine
            await other.keep("a", entry(max_age=30, swr=60), second.since)
            fresh = await one.look("a", claim=True)
            assert (fresh.entry is not None, fresh.mine) == (True, False)

    asyncio.run(within())


def test_a_stale_entry_is_made_anew_by_one_server(shared: Make) -> None:
    async def within() -> None:
        async with opened(shared) as one, opened(shared) as other:
            await one.keep("a", entry(max_age=0.01, swr=60), (await one.look("a", claim=True)).since)
            async with asyncio.timeout(10):
                while (found := await one.look("a", claim=True)).age < 0.01:
                    await asyncio.sleep(0.005)
            assert (found.entry is not None, found.mine) == (True, True)
            assert not (await other.look("a", claim=True)).mine

    asyncio.run(within())


def test_where_the_marks_were_evicted_no_entry_from_before_is_believed(shared: Make, redis_server: RedisServer) -> None:
    async def within() -> None:
        async with opened(shared) as store:
            since = (await store.look("a", claim=False)).since
            await store.keep("a", entry("a", "t:x"), since)
            with redis.Redis.from_url(redis_server.url) as client:
                assert client.delete("hybridsite:cache:{pages}:marks") == 1
            assert not await store.keep("b", entry("b"), since)
            assert (await store.look("a", claim=False)).entry is None

    asyncio.run(within())


def test_bytes_of_another_program_are_no_entry(shared: Make, redis_server: RedisServer) -> None:
    async def within() -> None:
        async with opened(shared) as store:
            await store.keep("a", entry(), (await store.look("a", claim=False)).since)
            with redis.Redis.from_url(redis_server.url) as client:
                [key] = client.keys("*:e:*")
                client.hset(key, "d", b"\xc1 nothing")
            assert (await store.look("a", claim=False)).entry is None

    asyncio.run(within())


def test_an_outage_costs_little_and_loses_no_invalidation(
    start_redis: Callable[..., RedisServer], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hybridsite.cache.redis._PAUSE", 0.05)
    server = start_redis()

    async def within() -> None:
        async with opened(lambda: RedisStore(server.url, timeout=0.3)) as store:
            since = (await store.look("a", claim=True)).since
            await store.keep("a", entry("a", "t:x"), since)
            server.stop()  # it hangs
            assert (await store.look("a", claim=True)) == (None, 0.0, True, None, None)
            begun = asyncio.get_running_loop().time()
            await store.invalidate(["t:x"])
            for _ in range(100):
                assert (await store.look("a", claim=False)).entry is None
                assert not await store.keep("a", entry("a", "t:x"), since)
            assert asyncio.get_running_loop().time() - begun < 5  # nobody waits 200 times
            server.resume()
            async with asyncio.timeout(20):
                while (found := await store.look("b", claim=False)).since is None:
                    await asyncio.sleep(0.01)
            await store.keep("b", entry("b"), found.since)
            assert (await store.look("a", claim=False)).entry is None  # it was there all the time
            assert (await store.look("b", claim=False)).entry == entry("b")

    with caplog.at_level("WARNING", "hybridsite.cache"):
        asyncio.run(within())
    told = [record.message.partition(":")[0] for record in caplog.records]
    assert told[0] == "the cache can't be used, and every page is rendered"
    assert told[-1].startswith("the cache is back after")
    assert len(told) == 2


def test_so_many_owed_invalidations_drop_everything(
    start_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hybridsite.cache.redis._PAUSE", 0.05)
    monkeypatch.setattr("hybridsite.cache.redis._MOST_OWED", 5)
    server = start_redis()

    async def within() -> None:
        async with opened(lambda: RedisStore(server.url, timeout=0.3)) as store:
            await store.keep("a", entry("a", "t:y"), (await store.look("a", claim=False)).since)
            server.stop()
            await store.invalidate([f"t:{number}" for number in range(20)])
            server.resume()
            async with asyncio.timeout(20):
                while (await store.look("b", claim=False)).since is None:
                    await asyncio.sleep(0.01)
            assert (await store.look("a", claim=False)).entry is None

    asyncio.run(within())


def test_cancelled_looks_never_give_another_ones_entry(shared: Make) -> None:
    async def within() -> None:
        async with opened(shared) as store:
            for number in range(20):
                key = str(number)
                await store.keep(key, entry(key), (await store.look(key, claim=False)).since)
            for number in range(200):
                task = asyncio.create_task(store.look(str(number % 20), claim=False))
                for _ in range(number % 7):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                other = str((number + 1) % 20)
                found = await store.look(other, claim=False)
                assert found.entry == entry(other)

    asyncio.run(within())


@pytest.mark.parametrize("url", ["http://host", "redis+sentinel://host", "redis://host:port"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        RedisStore(url)


def test_notes_are_shared_by_all_who_share_the_store_and_end_by_themselves(redis_server: RedisServer) -> None:
    async def test(store: CacheStore) -> None:
        texts = {f"name {number}": bytes([number, 0, 255]) for number in range(50)}
        await store.note(texts, 60)
        await store.note({"short": b"x"}, 0.02)
        async with opened(lambda: RedisStore(redis_server.url, timeout=5)) as other:
            assert await other.noted([*texts, "nobody's"]) == texts
            await store.invalidate(["t:x"])
            assert await other.noted(["name 7"]) == {"name 7": texts["name 7"]}
            async with asyncio.timeout(10):
                while await other.noted(["short"]):
                    await asyncio.sleep(0.01)
        async with opened(lambda: RedisStore("redis://127.0.0.1:1", timeout=1)) as away:
            await away.note(texts, 60)
            assert await away.noted([*texts]) == {}

    run(lambda: RedisStore(redis_server.url, timeout=5), test)


def test_the_memory_of_a_process_leaves_notes_to_the_process() -> None:
    async def test(store: CacheStore) -> None:
        await store.note({"a": b"x"}, 60)
        assert await store.noted(["a"]) == {}

    run(MemoryStore, test)
