"""The PostgreSQL store: the contract, its table, and what it does while the server is gone or doesn't answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import psycopg
import pytest

from hybridsite.errors import DriverError
from hybridsite.sessions.postgres import PostgresStore
from hybridsite.sessions.store import SessionStore, StoreDown
from hybridsite.testing import StoreContract
from tests.sessions.servers import PostgresServer, binary, free_port

TABLE = "hybridsite_sessions"


def ask(url: str, statement: str, *values: object) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


class TestPostgresStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, postgres_server: PostgresServer) -> None:
        self.url = postgres_server.url
        ask(self.url, f"DROP TABLE IF EXISTS {TABLE}")

    def make_store(self) -> SessionStore:
        return PostgresStore(self.url)

    async def pass_time(self, seconds: float) -> None:
        ask(self.url, f"UPDATE {TABLE} SET expires = expires - make_interval(secs => %s)", seconds)


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A PostgreSQL for one test, to be killed."""
    if binary("postgres") is None or binary("initdb") is None:
        pytest.skip("there is no PostgreSQL: apt-get install postgresql")
    server = PostgresServer()
    yield server
    server.end()


def with_store(check: Callable[[PostgresStore], Awaitable[None]], url: str, **options: Any) -> None:
    """Runs a check with an open store."""

    async def run() -> None:
        store = PostgresStore(url, **options)
        await store.open()
        try:
            await check(store)
        finally:
            await store.close()

    asyncio.run(run())


def named(url: str) -> str:
    """Gives the URL for a store whose connections are counted."""
    return f"{url}?application_name=counted"


def connections(url: str) -> int:
    """Gives how many connections of that name the server has."""
    ((count,),) = ask(url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'counted'")
    return int(count)


def test_a_server_that_is_not_there_is_told_at_the_first_call() -> None:
    # case C5
    async def check(store: PostgresStore) -> None:
        begun = time.monotonic()
        for call in (store.read("key"), store.write("key", b"", expected=None, ttl=60), store.delete("key")):
            with pytest.raises(StoreDown) as caught:
                await call
            assert "secret" not in str(caught.value)
        assert time.monotonic() - begun < 2

    with_store(check, f"postgresql://user:secret@127.0.0.1:{free_port()}/none")


def test_a_server_that_is_killed_and_started_again(own_server: PostgresServer) -> None:
    # case C5, case C3: what was acknowledged is there, and the next call works
    async def check(store: PostgresStore) -> None:
        async def write(number: int) -> tuple[int, bool]:
            try:
                await store.write(str(number), b"1", expected=None, ttl=60)
            except StoreDown:
                return number, False
            return number, True

        tasks = [asyncio.create_task(write(number)) for number in range(300)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.to_thread(own_server.kill)
        answered = dict(await asyncio.gather(*tasks))
        assert True in answered.values()
        with pytest.raises(StoreDown):
            await store.read("0")
        own_server.start()
        for number, done in answered.items():
            if done:
                assert await store.read(str(number)) is not None
        own_server.kill()
        own_server.start()
        assert store._connections is not None
        assert len(store._connections._idle) > 0
        await store.write("after", b"1", expected=None, ttl=60)  # by no connection that is dead

    with_store(check, own_server.url)


def test_a_call_that_hangs_is_told_in_time(postgres_server: PostgresServer) -> None:
    # case C5
    url = postgres_server.url

    async def check(store: PostgresStore) -> None:
        version = await store.write("key", b"1", expected=None, ttl=60)
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE of_hanging")
            begun = time.monotonic()
            calls = (store.write("key", b"2", expected=version, ttl=60) for _ in range(30))
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert all(isinstance(result, StoreDown) for result in results)
            assert 0.3 <= time.monotonic() - begun < 1.3
        assert await store.read("key") is not None
        assert connections(url) <= 10

    ask(url, "DROP TABLE IF EXISTS of_hanging")
    with_store(check, named(url), table="of_hanging", timeout=0.3)


def test_a_server_that_takes_connections_and_hangs_is_told_in_time(own_server: PostgresServer) -> None:
    # case C5
    async def check(store: PostgresStore) -> None:
        own_server.stop()
        begun = time.monotonic()
        results = await asyncio.gather(*(store.read("key") for _ in range(30)), return_exceptions=True)
        assert all(isinstance(result, StoreDown) for result in results)
        assert 0.3 <= time.monotonic() - begun < 1.3
        own_server.resume()
        assert await store.read("key") is None

    with_store(check, own_server.url, timeout=0.3)


def test_a_cancelled_call_ends_at_once_and_its_connection_is_dropped(postgres_server: PostgresServer) -> None:
    # case C8
    url = postgres_server.url

    async def check(store: PostgresStore) -> None:
        await store.write("key", b"1", expected=None, ttl=60)
        for number in range(20):
            await store.write(f"key{number}", str(number).encode(), expected=None, ttl=60)
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE of_cancelling")
            begun = time.monotonic()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await store.read("key")
            assert time.monotonic() - begun < 0.5
        for _ in range(20):
            reads = {number: asyncio.create_task(store.read(f"key{number}")) for number in range(20)}
            for _ in range(4):
                await asyncio.sleep(0)
            for number in range(0, 20, 2):
                reads[number].cancel()
            for number, task in reads.items():
                try:
                    record = await task
                except asyncio.CancelledError:
                    continue
                assert record is not None
                assert record.data == str(number).encode()

    ask(url, "DROP TABLE IF EXISTS of_cancelling")
    with_store(check, url, table="of_cancelling")


def test_connections_are_bounded(postgres_server: PostgresServer) -> None:
    async def check(store: PostgresStore) -> None:
        calls = [asyncio.create_task(store.read(str(number))) for number in range(500)]
        most = 0
        while not all(call.done() for call in calls):
            most = max(most, await asyncio.to_thread(connections, postgres_server.url))
        assert 0 < most <= 3

    with_store(check, named(postgres_server.url), connections=3)


def test_many_that_open_at_once_make_one_table(postgres_server: PostgresServer) -> None:
    url = postgres_server.url
    ask(url, "DROP TABLE IF EXISTS of_many")

    async def check() -> None:
        stores = [PostgresStore(url, table="of_many") for _ in range(8)]
        for store in stores:
            await store.open()
        writes = (store.write(str(n), b"1", expected=None, ttl=60) for n, store in enumerate(stores))
        await asyncio.gather(*writes)
        for store in stores:
            await store.close()

    asyncio.run(check())
    assert ask(url, "SELECT count(*) FROM of_many") == [(8,)]


def test_a_table_that_is_gone_is_made_again(postgres_server: PostgresServer) -> None:
    async def check(store: PostgresStore) -> None:
        await store.write("key", b"1", expected=None, ttl=60)
        ask(postgres_server.url, "DROP TABLE of_going")
        with pytest.raises(StoreDown):
            await store.write("key", b"1", expected=None, ttl=60)
        await store.write("key", b"1", expected=None, ttl=60)

    with_store(check, postgres_server.url, table="of_going")


def test_a_schema_may_stand_before_the_table(postgres_server: PostgresServer) -> None:
    async def check(store: PostgresStore) -> None:
        await store.write("key", b"1", expected=None, ttl=60)

    ask(postgres_server.url, "CREATE SCHEMA IF NOT EXISTS elsewhere")
    with_store(check, postgres_server.url, table="elsewhere.sessions")
    assert ask(postgres_server.url, "SELECT key FROM elsewhere.sessions") == [("key",)]


def test_a_read_only_database_is_told(postgres_server: PostgresServer) -> None:
    # case C5
    url = postgres_server.url

    async def check(store: PostgresStore) -> None:
        with pytest.raises(StoreDown, match="read-only"):
            await store.write("key", b"1", expected=None, ttl=60)
        assert await store.read("key") is None

    with_store(lambda store: store.delete("key"), url, table="of_reading")
    with_store(check, url + "?options=-cdefault_transaction_read_only%3Don", table="of_reading")


def test_what_has_expired_is_removed_though_nobody_asks_for_it(postgres_server: PostgresServer) -> None:
    # case C4
    url = postgres_server.url
    ask(url, "DROP TABLE IF EXISTS of_sweeping")

    async def check(store: PostgresStore) -> None:
        await store.write("kept", b"1", expected=None, ttl=1000)
        for number in range(300):
            await store.write(f"old{number}", b"1", expected=None, ttl=60)
        ask(url, "UPDATE of_sweeping SET expires = now() WHERE key <> 'kept'")
        for number in range(300):
            await store.write(f"new{number}", b"1", expected=None, ttl=60)
        assert store._sweeping is not None
        await store._sweeping
        ((left,),) = ask(url, "SELECT count(*) FROM of_sweeping")
        assert 301 <= left < 450
        assert await store.read("kept") is not None

    with_store(check, url, table="of_sweeping")


@pytest.mark.parametrize(
    ("url", "options"),
    [("http://:secret@host", {}), ("host=", {"table": "x; DROP TABLE y"}), ("secret", {}), ("host=h", {"table": ""})],
)
def test_what_it_can_not_be_made_with_is_told(url: str, options: dict[str, Any]) -> None:
    with pytest.raises(DriverError, match="of the session driver postgres") as caught:
        PostgresStore(url, **options)
    assert "secret" not in str(caught.value)


def test_a_store_that_is_not_open_says_so() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        asyncio.run(PostgresStore("host=localhost").read("key"))
