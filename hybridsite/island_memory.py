"""The islands of kept pages whose props came with a request: what a server remembers of them, by their digests.

A process has those that it placed, or was asked for, as far as they have room; the cache's store has them for all that
share it. What comes from there is believed only if its digest is ours: whoever can write to it can make no island.
"""

from __future__ import annotations

import hmac
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

from hybridsite.cache.store import CacheStore
from hybridsite.island_props import DIGEST, Island, digest_of, island_of

_log = logging.getLogger("hybridsite.cache")

MAX_SIZE = 4 * 2**20
"""How many bytes the islands take that one process remembers, roughly."""
LARGEST = 64 * 2**10
"""The most bytes of the props of one island that is remembered."""
_OVERHEAD = 512


class IslandMemory:
    """A dict in the order of use, before a store. `keys` gives the keys of digests that are believed.

    `is_there` tells whether a component can be rendered: the store may have islands of another build. `max_size` is in
    bytes.
    """

    def __init__(
        self,
        store: CacheStore,
        keys: Callable[[], Sequence[bytes]],
        is_there: Callable[[str], bool] = lambda component: True,
        *,
        max_size: int = MAX_SIZE,
    ) -> None:
        self._store = store
        self._keys = keys
        self._is_there = is_there
        self._max_size = max_size
        self._held: OrderedDict[str, tuple[Island, int]] = OrderedDict()
        self._size = 0
        self._told: set[str] = set()

    @property
    def size(self) -> int:
        """How many bytes the islands take that this process remembers, roughly."""
        return self._size

    async def note(self, placed: Mapping[str, Island], lifetime: float) -> None:
        """Remembers islands for `lifetime` seconds, or as long as there is room in the process."""
        texts = {digest: island.text for digest, island in placed.items()}
        for digest in [digest for digest, text in texts.items() if len(text) > LARGEST]:
            self._tell(placed[digest].component, len(texts.pop(digest)))
        for digest, text in texts.items():
            self._hold(digest, placed[digest], len(text))
        if texts:
            await self._store.note(texts, lifetime)

    async def recall(self, digests: Iterable[str]) -> dict[str, Island]:
        """Gives those of some islands that are remembered, by their digests."""
        found: dict[str, Island] = {}
        missing: list[str] = []
        for digest in digests:
            if digest in self._held:
                self._held.move_to_end(digest)
                found[digest] = self._held[digest][0]
            elif DIGEST.fullmatch(digest):
                missing.append(digest)
        for digest, text in (await self._store.noted(missing)).items() if missing else ():
            if any(hmac.compare_digest(digest_of(text, key), digest) for key in self._keys()):
                island = island_of(text)
                if self._is_there(island.component):
                    self._hold(digest, island, len(text))
                    found[digest] = island
        return found

    def _hold(self, digest: str, island: Island, size: int) -> None:
        if digest in self._held:
            self._held.move_to_end(digest)
            return
        self._held[digest] = island, size + _OVERHEAD
        self._size += size + _OVERHEAD
        while self._size > self._max_size:
            _, (_, freed) = self._held.popitem(last=False)
            self._size -= freed

    def _tell(self, component: str, size: int) -> None:
        if component not in self._told:
            self._told.add(component)
            what = f"an island of a kept page has {size} bytes of props, and its fallback stays"
            mend = "give it the key of what it has to show, and let its load() look that up"
            _log.warning("%s: %s; %s", component, what, mend)
