"""The store in memory: its size, what goes first, and what goes out as it is."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from hybridsite.cache.entry import Entry
from hybridsite.cache.memory import MemoryStore


def entry(size: int, *marks: str) -> Entry:
    return Entry((), b"x" * size, '"tag"', marks, 60, 0)


def keep(store: MemoryStore, key: str, kept: Entry) -> bool:
    async def within() -> bool:
        return await store.keep(key, kept, (await store.look(key, claim=True)).since)

    return asyncio.run(within())


def has(store: MemoryStore, key: str) -> bool:
    return asyncio.run(store.look(key, claim=False)).entry is not None


def test_what_was_used_least_lately_goes_first() -> None:
    # case R7
    store = MemoryStore(max_size=20_000)
    for number in range(4):
        assert keep(store, str(number), entry(3_000))
    assert has(store, "0")
    assert keep(store, "4", entry(3_000))
    assert [has(store, str(number)) for number in range(5)] == [True, False, True, True, True]


def test_what_is_larger_than_all_is_not_kept() -> None:
    store = MemoryStore(max_size=20_000)
    assert keep(store, "small", entry(10))
    assert not keep(store, "large", entry(20_000))
    assert has(store, "small")


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9_000), st.sampled_from("kdi"))))
def test_the_size_is_that_of_what_is_held_and_bounded(steps: list[tuple[int, int, str]]) -> None:
    # case R7
    store = MemoryStore(max_size=30_000)
    for number, size, step in steps:
        if step == "k":
            keep(store, str(number), entry(size, f"t:{number % 3}"))
        elif step == "d":
            asyncio.run(store.drop(str(number)))
        else:
            asyncio.run(store.invalidate([f"t:{number % 3}"]))
        assert store.size <= 30_000
    held = [asyncio.run(store.look(str(number), claim=False)).entry for number in range(21)]
    assert store.size == sum(found.size + len(str(number)) for number, found in enumerate(held) if found)


def test_a_ready_answer_is_gone_with_its_entry() -> None:
    now = 0.0
    store = MemoryStore(max_size=10_000, clock=lambda: now)

    def ready(kept: Entry) -> None:
        assert keep(store, "a", kept)
        store.make_ready("a", kept, b"/a/", [(b"x", b"y")])
        assert store.ready(b"/a/") is not None

    ready(entry(1, "t:x"))
    asyncio.run(store.invalidate(["t:x"]))
    assert store.ready(b"/a/") is None
    ready(entry(2))
    assert keep(store, "a", entry(3))  # another one
    assert store.ready(b"/a/") is None
    ready(entry(4))
    assert keep(store, "b", entry(8_500))  # no room for both
    assert store.ready(b"/a/") is None
    ready(entry(5))
    now = 59.0
    found = store.ready(b"/a/")
    assert found is not None
    assert found[1] == 59.0
    now = 60.0
    assert store.ready(b"/a/") is None
    store.make_ready("a", entry(6), b"/a/", [])  # it was exchanged meanwhile
    assert store.ready(b"/a/") is None
