"""What a server remembers of the islands of kept pages: bounded, and believed only where the digest is ours."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from hybridsite.cache.memory import MemoryStore
from hybridsite.island_memory import LARGEST, IslandMemory
from hybridsite.island_props import Island
from hybridsite.security import derived_key

KEYS = tuple(derived_key(f"{n} is a secret of some thirty letters", "islands") for n in range(3))


class Shared(MemoryStore):
    """A store that several processes share, in this one; and counts how often it is asked."""

    def __init__(self, notes: dict[str, bytes]) -> None:
        super().__init__()
        self.notes = notes
        self.asked: list[Sequence[str]] = []

    async def note(self, notes: Mapping[str, bytes], lifetime: float) -> None:
        self.notes.update(notes)

    async def noted(self, names: Sequence[str]) -> dict[str, bytes]:
        self.asked.append(names)
        return {name: self.notes[name] for name in names if name in self.notes}


def placed(*numbers: int, key: bytes = KEYS[0]) -> dict[str, Island]:
    islands = [Island("components/a.html", {"n": number}) for number in numbers]
    return {island.digest(key): island for island in islands}


def memory(store: MemoryStore, keys: Sequence[bytes] = KEYS[:1]) -> IslandMemory:
    return IslandMemory(store, lambda: keys)


def test_what_one_process_noted_another_recalls_and_asks_for_once() -> None:
    async def test() -> None:
        notes: dict[str, bytes] = {}
        here, there = Shared(notes), Shared(notes)
        islands = placed(1, 2)
        await memory(here).note(islands, 60)
        other = memory(there)
        assert await other.recall(islands) == islands
        assert await other.recall(islands) == islands
        assert len(there.asked) == 1

    asyncio.run(test())


def test_what_the_store_holds_is_believed_by_its_digest_alone() -> None:
    # decision 14
    async def test() -> None:
        ((mine, island),) = placed(1).items()
        ((of_other_key, _),) = placed(1, key=KEYS[1]).items()
        forged = Island("components/a.html", {"n": 2}).text
        store = Shared({mine: forged, of_other_key: island.text})
        assert await memory(store).recall([mine, of_other_key]) == {}
        # A key that was in use before is believed on.
        assert await memory(store, (KEYS[0], KEYS[1])).recall([of_other_key]) == {of_other_key: island}

    asyncio.run(test())


def test_a_component_that_is_gone_is_not_recalled() -> None:
    async def test() -> None:
        islands = placed(1)
        store = Shared({digest: island.text for digest, island in islands.items()})
        assert await IslandMemory(store, lambda: KEYS, lambda component: False).recall(islands) == {}

    asyncio.run(test())


def test_the_store_is_asked_for_nothing_that_is_no_digest() -> None:
    # case X6
    async def test() -> None:
        store = Shared({})
        assert await memory(store).recall(["", "a", "A" * 25, "é" * 24, "A" * 23 + "\n", "A" * 24 + "\n"]) == {}
        assert store.asked == []
        await memory(store).recall(["A" * 24])
        assert store.asked == [["A" * 24]]

    asyncio.run(test())


@given(st.lists(st.integers(0, 40), max_size=60), st.integers(1, 8))
def test_what_was_used_least_lately_goes_first(numbers: list[int], most: int) -> None:
    # case R7
    async def test() -> None:
        size = len(Island("components/a.html", {"n": 40}).text) + 512
        remembering = IslandMemory(MemoryStore(), lambda: KEYS, max_size=most * size)
        for number in numbers:
            await remembering.note(placed(number), 60)
            assert remembering.size <= most * size
        last = list(dict.fromkeys(reversed(numbers)))[:most]
        assert await remembering.recall(placed(*last)) == placed(*last)

    asyncio.run(test())


def test_props_that_are_too_large_are_not_remembered() -> None:
    async def test() -> None:
        huge = Island("components/a.html", {"text": "x" * LARGEST})
        store = Shared({})
        remembering = memory(store)
        await remembering.note({huge.digest(KEYS[0]): huge}, 60)
        assert (remembering.size, store.notes) == (0, {})

    asyncio.run(test())
