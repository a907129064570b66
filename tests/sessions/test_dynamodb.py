"""The DynamoDB store: the contract, over moto's server, and what it does without an answer."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import boto3
import pytest

from hybridsite.errors import SessionDataError
from hybridsite.sessions.dynamodb import DynamoStore
from hybridsite.sessions.store import Conflict, SessionStore, StoreDown
from hybridsite.testing import StoreContract
from tests.sessions.servers import free_port, moto_server
from tests.sessions.support import Clock

TABLE = "hybridsite-sessions"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The address of moto's server."""
    with moto_server() as address:
        yield address


@pytest.fixture
def endpoint(moto: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, without a table."""
    credentials(monkeypatch)
    client = boto3.client("dynamodb", endpoint_url=moto)
    for table in client.list_tables()["TableNames"]:
        client.delete_table(TableName=table)
    client.close()
    return moto


def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")


class TestDynamoStore(StoreContract):
    many = 120

    @pytest.fixture(autouse=True)
    def _server(self, endpoint: str) -> None:
        self.clock = Clock()
        self.clock.now = time.time()
        self.endpoint = endpoint

    def make_store(self) -> SessionStore:
        return DynamoStore(endpoint=self.endpoint, clock=self.clock, timeout=20)

    async def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds


def with_store(check: Callable[[DynamoStore], Awaitable[None]], endpoint: str, **options: Any) -> None:
    """Runs a check with an open store."""

    async def run() -> None:
        store = DynamoStore(endpoint=endpoint, **options)
        await store.open()
        try:
            await check(store)
        finally:
            await store.close()

    asyncio.run(run())


@pytest.mark.parametrize("hangs", [False, True])
def test_a_server_that_does_not_answer_is_told_in_time(hangs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # case C5
    credentials(monkeypatch)

    async def check(store: DynamoStore) -> None:
        begun = time.monotonic()
        with pytest.raises(StoreDown):
            await store.write("key", b"1", expected=None, ttl=60)
        with pytest.raises(StoreDown):
            await store.read("key")
        assert time.monotonic() - begun < 2

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if hangs else free_port()
        with_store(check, f"http://127.0.0.1:{port}", timeout=0.3)


def test_large_records_are_replaced_touched_and_swept_whole(endpoint: str) -> None:
    clock = Clock()

    async def check(store: DynamoStore) -> None:
        first, second = b"1" * 900_000, b"2" * 800_000
        version = await store.write("key", first, expected=None, ttl=60)
        with pytest.raises(Conflict):
            await store.write("key", b"no" * 400_000, expected=version + 1, ttl=60)
        record = await store.read("key")
        assert record is not None
        assert record.data == first
        version = await store.write("key", second, expected=version, ttl=60)
        assert await store.touch("key", expected=version, ttl=6000)
        clock.now += 1000
        assert await store.sweep() == 0
        record = await store.read("key")
        assert record is not None
        assert record.data == second
        clock.now += 6000
        assert await store.sweep() == 1
        client = boto3.client("dynamodb", endpoint_url=endpoint)
        assert client.scan(TableName=TABLE)["Count"] == 0
        client.close()

    with_store(check, endpoint, clock=clock, timeout=20)


def test_the_table_ends_items_by_their_attribute(endpoint: str) -> None:
    async def check(store: DynamoStore) -> None:
        await store.write("key", b"1", expected=None, ttl=60, tokens=["ada"])
        client = boto3.client("dynamodb", endpoint_url=endpoint)
        told = client.describe_time_to_live(TableName=TABLE)["TimeToLiveDescription"]
        assert told == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
        now = time.time()
        items = client.scan(TableName=TABLE)["Items"]
        assert len(items) == 2
        assert all(now + 50 < float(item["expires"]["N"]) < now + 130 for item in items)
        client.close()

    with_store(check, endpoint, timeout=20)


def test_another_program_s_item_is_told_and_left(endpoint: str) -> None:
    # case S15
    async def check(store: DynamoStore) -> None:
        assert await store.read("key") is None  # this makes the table
        client = boto3.client("dynamodb", endpoint_url=endpoint)
        item: Any = {"id": {"S": "session key"}, "part": {"S": "record"}, "own": {"S": "value"}}
        client.put_item(TableName=TABLE, Item=item)
        with pytest.raises(SessionDataError):
            await store.read("key")
        with pytest.raises(Conflict):
            await store.write("key", b"1", expected=None, ttl=60)
        assert client.scan(TableName=TABLE)["Items"] == [item]
        client.close()

    with_store(check, endpoint, timeout=20)
