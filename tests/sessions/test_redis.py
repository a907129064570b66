"""The Redis store: the contract, its URLs, and what it does while the server is gone, hangs, or is full."""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import redis as client

from hybridsite.errors import DriverError, SessionDataError
from hybridsite.sessions.redis import RedisStore
from hybridsite.sessions.store import SessionStore, StoreDown
from hybridsite.testing import StoreContract
from tests.sessions.servers import RedisServer, free_port
from tests.sessions.support import pass_redis_time

StartRedis = Callable[..., RedisServer]


class TestRedisStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.url = redis_server.url
        with client.Redis.from_url(self.url) as connection:
            connection.flushall()

    def make_store(self) -> SessionStore:
        return RedisStore(self.url)

    async def pass_time(self, seconds: float) -> None:
        pass_redis_time(self.url, seconds)


def with_store(check: Callable[[RedisStore], Awaitable[None]], url: str, **options: Any) -> None:
    """Runs a check with an open store."""

    async def run() -> None:
        store = RedisStore(url, **options)
        await store.open()
        try:
            await check(store)
        finally:
            await store.close()

    asyncio.run(run())


def named(url: str) -> str:
    """Gives the URL for a store whose connections are counted."""
    return f"{url}?client_name=counted"


def connections(url: str) -> int:
    """Gives how many connections of that name the server has."""
    with client.Redis.from_url(url) as connection:
        listed: list[dict[str, str]] = connection.client_list()
        return sum(each["name"] == "counted" for each in listed)


def test_a_server_that_is_not_there_is_told_at_the_first_call() -> None:
    # case C5
    async def check(store: RedisStore) -> None:
        begun = time.monotonic()
        for call in (store.read("key"), store.write("key", b"", expected=None, ttl=60), store.delete("key")):
            with pytest.raises(StoreDown) as caught:
                await call
            assert caught.value.__cause__ is not None
        with pytest.raises(StoreDown):
            await anext(aiter(store.scan()))
        with pytest.raises(StoreDown):
            await anext(aiter(store.find("token")))
        assert time.monotonic() - begun < 2

    with_store(check, f"redis://127.0.0.1:{free_port()}")


def test_a_server_that_is_killed_and_started_again(start_redis: StartRedis) -> None:
    # case C5: what was acknowledged is there, and the next call works
    server = start_redis("--appendonly", "yes", "--appendfsync", "always")

    async def check(store: RedisStore) -> None:
        async def write(number: int) -> tuple[int, bool]:
            try:
                await store.write(str(number), b"1", expected=None, ttl=60)
            except StoreDown:
                return number, False
            return number, True

        tasks = [asyncio.create_task(write(number)) for number in range(300)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        server.kill()
        answered = dict(await asyncio.gather(*tasks))
        assert True in answered.values()
        with pytest.raises(StoreDown):
            await store.read("0")
        server.start()
        for number, done in answered.items():
            if done:
                assert await store.read(str(number)) is not None

    with_store(check, server.url)


def test_a_restart_between_two_calls_is_not_noticed(start_redis: StartRedis) -> None:
    server = start_redis("--appendonly", "yes", "--appendfsync", "always")

    async def check(store: RedisStore) -> None:
        await asyncio.gather(*(store.write(str(n), b"1", expected=None, ttl=60) for n in range(40)))
        server.kill()
        server.start()
        # The scripts are gone from the server, and every connection of the pool is dead.
        assert all(await asyncio.gather(*(store.read(str(n)) for n in range(40))))
        await asyncio.gather(*(store.write(f"more{n}", b"1", expected=None, ttl=60) for n in range(40)))

    with_store(check, server.url)


@pytest.mark.parametrize("connected", [False, True])
def test_a_server_that_hangs_is_told_in_time(start_redis: StartRedis, connected: bool) -> None:
    # case C5
    server = start_redis()

    async def check(store: RedisStore) -> None:
        if connected:
            await store.write("key", b"1", expected=None, ttl=60)
        server.stop()
        begun = time.monotonic()
        results = await asyncio.gather(*(store.read("key") for _ in range(50)), return_exceptions=True)
        assert all(isinstance(result, StoreDown) for result in results)
        assert 0.3 <= time.monotonic() - begun < 1.3
        server.resume()
        record = await store.read("key")
        assert (record is not None) is connected
        assert connections(server.url) <= 20

    with_store(check, named(server.url), timeout=0.3)


@pytest.mark.parametrize("ends", [False, True])
def test_half_an_answer_is_none(ends: bool) -> None:
    # case C5: the server answers half of a record, and closes or hangs
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            greets = b"EVALSHA" not in data
            writer.write(b"+OK\r\n" * data.count(b"*") if greets else b"*3\r\n$5\r\nab")
            if ends and not greets:
                break
        writer.close()

    async def check() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        store = RedisStore(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout=0.3)
        await store.open()
        begun = time.monotonic()
        for _ in range(2):
            with pytest.raises(StoreDown):
                await store.read("key")
            with pytest.raises(StoreDown):
                await store.write("key", b"1", expected=None, ttl=60)
        assert time.monotonic() - begun < 3
        await store.close()
        server.close()
        await server.wait_closed()

    asyncio.run(check())


def test_a_pause_is_waited_out_or_told(start_redis: StartRedis) -> None:
    server = start_redis()

    async def check(store: RedisStore) -> None:
        with client.Redis.from_url(server.url) as connection:
            connection.client_pause(60_000, all=False)
            with pytest.raises(StoreDown):
                await store.write("key", b"1", expected=None, ttl=60)
            connection.client_unpause()
            connection.client_pause(50, all=False)
            await store.write("other", b"1", expected=None, ttl=60)

    with_store(check, server.url, timeout=0.5)


def test_a_full_server_is_told_and_nothing_is_changed(start_redis: StartRedis) -> None:
    # case C5
    server = start_redis()

    async def check(store: RedisStore) -> None:
        version = await store.write("key", b"1", expected=None, ttl=60)
        with client.Redis.from_url(server.url) as connection:
            connection.config_set("maxmemory", "1")
            with pytest.raises(StoreDown, match="maxmemory"):
                await store.write("key", b"2", expected=version, ttl=60)
            record = await store.read("key")
            assert record is not None
            assert (record.data, record.version) == (b"1", version)
            connection.config_set("maxmemory", "0")
        await store.write("key", b"2", expected=version, ttl=60)

    with_store(check, server.url)


def test_a_replica_is_told_and_the_connections_to_it_are_dropped(start_redis: StartRedis) -> None:
    # case C5: the node fails over, and the name leads elsewhere
    server = start_redis()

    async def check(store: RedisStore) -> None:
        version = await store.write("key", b"1", expected=None, ttl=60)
        with client.Redis.from_url(server.url) as connection:
            connection.config_set("replica-serve-stale-data", "yes")
            connection.replicaof("127.0.0.1", str(free_port()))
            with pytest.raises(StoreDown, match="failing over"):
                await store.write("key", b"2", expected=version, ttl=60)
            assert connections(server.url) == 0
            connection.replicaof("NO", "ONE")
        await store.write("key", b"2", expected=version, ttl=60)
        assert connections(server.url) == 1

    with_store(check, named(server.url))


def test_connections_are_bounded(redis_server: RedisServer) -> None:
    async def check(store: RedisStore) -> None:
        calls = [asyncio.create_task(store.read(str(number))) for number in range(1000)]
        most = 0
        while not all(call.done() for call in calls):
            most = max(most, await asyncio.to_thread(connections, redis_server.url))
        assert 0 < most <= 5

    with_store(check, named(redis_server.url), connections=5)


def test_a_cancelled_call_never_gives_its_answer_to_another(redis_server: RedisServer) -> None:
    # "500 cancelled reads from Redis: never another's data"
    async def check(store: RedisStore) -> None:
        keys = [f"cancelled{number}" for number in range(50)]
        for key in keys:
            await store.write(key, key.encode() * 1000, expected=None, ttl=60)
        turn = random.Random(7)
        cancelled = 0
        while cancelled < 500:
            reads = {key: asyncio.create_task(store.read(key)) for key in turn.sample(keys, 10)}
            for _ in range(turn.randrange(12)):
                await asyncio.sleep(0)
            for task in turn.sample(list(reads.values()), 8):
                cancelled += task.cancel()
            for key, task in reads.items():
                try:
                    record = await task
                except asyncio.CancelledError:
                    continue
                assert record is not None
                assert record.data == key.encode() * 1000
        for key in keys:
            record = await store.read(key)
            assert record is not None
            assert record.data == key.encode() * 1000

    with_store(check, redis_server.url, connections=4)


def test_another_program_s_value_is_told_and_left(redis_server: RedisServer) -> None:
    # case S15
    async def check(store: RedisStore) -> None:
        with client.Redis.from_url(redis_server.url) as connection:
            connection.set("of-test:session:text", "text")
            connection.hset("of-test:session:hash", "field", "value")
            for key in ("text", "hash"):
                with pytest.raises(SessionDataError, match="another program"):
                    await store.read(key)
            assert connection.get("of-test:session:text") == b"text"
            assert connection.hgetall("of-test:session:hash") == {b"field": b"value"}
            connection.delete("of-test:session:text", "of-test:session:hash")

    with_store(check, redis_server.url, prefix="of-test:")


def test_the_server_ends_records_and_tokens_by_itself(start_redis: StartRedis) -> None:
    server = start_redis()

    async def check(store: RedisStore) -> None:
        await store.write("key", b"1", expected=None, ttl=60, tokens=["ada"])
        pass_redis_time(server.url, 200)
        with client.Redis.from_url(server.url) as connection:
            assert connection.dbsize() == 0
        assert await store.sweep() == 0

    with_store(check, server.url)


def test_entries_of_ended_records_leave_their_token(start_redis: StartRedis) -> None:
    server = start_redis()

    async def check(store: RedisStore) -> None:
        with client.Redis.from_url(server.url) as connection:
            await store.write("old", b"1", expected=None, ttl=60, tokens=["ada"])
            connection.zadd("hybridsite:token:ada", {"old": 1})  # long ago
            await store.write("new", b"1", expected=None, ttl=60, tokens=["ada"])
            assert connection.zrange("hybridsite:token:ada", 0, -1) == [b"new"]

    with_store(check, server.url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://:secret@host", "scheme"),
        ("secret", "scheme"),
        ("redis+ring://:secret@host", "scheme"),
        ("redis://:secret@host:port", ""),
        ("redis+sentinel://:secret@host:26379", "name of the service"),
    ],
)
def test_a_url_that_is_none_is_told_without_its_password(url: str, why: str) -> None:
    with pytest.raises(DriverError, match="url") as caught:
        RedisStore(url)
    assert why in str(caught.value)
    assert "secret" not in str(caught.value).replace("'secret'", "")


def test_schemes_of_valkey_and_sockets(start_redis: StartRedis) -> None:
    server = start_redis("--unixsocket", "server.sock", "--requirepass", "a&b")

    async def check(store: RedisStore) -> None:
        await store.write(store._prefix, b"1", expected=None, ttl=60)
        assert await store.read(store._prefix) is not None

    with_store(check, f"valkey://:a%26b@127.0.0.1:{server.port}/3", prefix="valkey")
    with_store(check, f"unix://:a%26b@{server.folder}/server.sock?db=3", prefix="unix")
    with client.Redis(port=server.port, password="a&b", db=3) as connection:
        assert connection.dbsize() == 2


def test_a_wrong_password_is_told(start_redis: StartRedis) -> None:
    server = start_redis("--requirepass", "right")

    async def check(store: RedisStore) -> None:
        with pytest.raises(StoreDown) as caught:
            await store.read("key")
        assert "wrong" not in str(caught.value)

    with_store(check, f"redis://:wrong@127.0.0.1:{server.port}")


def test_tls_with_a_certificate_that_is_known_and_none_without(start_redis: StartRedis, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl: apt-get install openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1")
    name = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
    make = ["openssl", "req", "-x509", *kind, *name, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(make, check=True, capture_output=True)
    port = free_port()
    files = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no")
    start_redis("--tls-port", str(port), *files)

    async def works(store: RedisStore) -> None:
        version = await store.write("key", b"1", expected=None, ttl=60)
        record = await store.read("key")
        assert record is not None
        assert record.version == version

    async def is_refused(store: RedisStore) -> None:
        with pytest.raises(StoreDown, match="certificate"):
            await store.read("key")

    for scheme in ("rediss", "valkeys"):
        with_store(works, f"{scheme}://127.0.0.1:{port}/0?ssl_ca_certs={certificate}", prefix=scheme)
        with_store(is_refused, f"{scheme}://127.0.0.1:{port}/0")
