"""Redis of several nodes: a Cluster, and a master that Sentinel watches and replaces."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from hybridsite.sessions.redis import RedisStore
from hybridsite.sessions.store import SessionStore, StoreDown
from hybridsite.testing import StoreContract
from tests.sessions.servers import RedisServer, SentinelServer, binary
from tests.sessions.support import pass_redis_time

StartRedis = Callable[..., RedisServer]
SLOTS = 16384


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Waits for a state of a server, which tells nobody that it has come to it."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def asked(server: RedisServer, *words: object) -> Any:
    with redis.Redis(port=server.port, protocol=2) as connection:
        connection.response_callbacks.clear()
        made: Any = connection
        return made.execute_command(*words)


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[RedisServer]]:
    """Two nodes, each with half of the slots."""
    if binary("redis-server") is None:
        pytest.skip("there is no redis-server: apt-get install redis-server")
    nodes = [RedisServer("--cluster-enabled", "yes", "--cluster-node-timeout", "2000") for _ in range(2)]
    try:
        half = SLOTS // 2
        asked(nodes[0], "CLUSTER", "ADDSLOTS", *range(half))
        asked(nodes[1], "CLUSTER", "ADDSLOTS", *range(half, SLOTS))
        asked(nodes[0], "CLUSTER", "MEET", "127.0.0.1", nodes[1].port)
        until(lambda: all(b"cluster_state:ok" in asked(node, "CLUSTER", "INFO") for node in nodes))
        until(lambda: all(len(asked(node, "CLUSTER", "SLOTS")) == 2 for node in nodes))
        yield nodes
    finally:
        for node in nodes:
            node.end()


class TestCluster(StoreContract):
    @pytest.fixture(autouse=True)
    def _nodes(self, cluster: list[RedisServer]) -> None:
        self.nodes = cluster
        for node in cluster:
            asked(node, "FLUSHALL")

    def make_store(self) -> SessionStore:
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return RedisStore(f"redis+cluster://{hosts}")

    async def pass_time(self, seconds: float) -> None:
        for node in self.nodes:
            pass_redis_time(node.url, seconds)

    def test_records_lie_on_every_node(self) -> None:
        async def check(store: SessionStore) -> None:
            for number in range(100):
                await store.write(str(number), b"1", expected=None, ttl=60)
            assert all(asked(node, "DBSIZE") > 20 for node in self.nodes)
            assert sum(asked(node, "DBSIZE") for node in self.nodes) == 100

        self.with_store(check)


def test_sentinel_leads_to_the_new_master(
    start_redis: StartRedis, start_sentinel: Callable[[RedisServer], SentinelServer]
) -> None:
    # case C5: it fails over, and what the surviving node acknowledged is there
    master, replica = start_redis("--repl-diskless-sync-delay", "0"), start_redis()
    asked(replica, "REPLICAOF", "127.0.0.1", master.port)
    sentinel = start_sentinel(master)
    until(lambda: b"master_link_status:up" in asked(replica, "INFO", "replication"))
    until(lambda: len(asked(sentinel, "SENTINEL", "REPLICAS", "ours")) == 1)

    def leads_to_the_replica() -> bool:
        words = asked(sentinel, "SENTINEL", "MASTER", "ours")
        said = dict(zip(words[::2], words[1::2], strict=True))
        return (said[b"port"], said[b"flags"]) == (str(replica.port).encode(), b"master")

    async def check() -> None:
        store = RedisStore(f"redis+sentinel://127.0.0.1:{sentinel.port}/ours/0", timeout=1)
        await store.open()
        await store.write("before", b"1", expected=None, ttl=60)
        until(lambda: asked(replica, "DBSIZE") == 1)
        await asyncio.to_thread(master.kill)
        begun = time.monotonic()
        with pytest.raises(StoreDown):
            await store.write("during", b"1", expected=None, ttl=60)
        assert time.monotonic() - begun < 2
        await asyncio.to_thread(until, leads_to_the_replica)
        await store.write("after", b"1", expected=None, ttl=60)
        for key in ("before", "after"):
            assert await store.read(key) is not None
        await store.close()

    asyncio.run(check())
