"""What a server keeps of its pages: the store, the answers under way, and by what each page's answers go."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from starlette.types import Scope

from hybridsite.cache.entry import Entry
from hybridsite.cache.memory import Held, MemoryStore
from hybridsite.cache.policy import CachePolicy
from hybridsite.cache.store import CacheStore, Looked
from hybridsite.cache.watched import WatchedCache

_log = logging.getLogger("hybridsite.cache")

_LONGEST_PART = 1024
"""The most characters of what an answer goes by: longer ones are rendered, and not kept."""
_APART = 10.0
"""How many seconds nobody waits for an answer that turned out to be one visitor's own."""
_MOST_APART = 1024
_RETRY = 5.0
"""How many seconds pass before a refresh that failed is tried again."""
_FIRST_POLL, _LONGEST_POLL, _POLLING = 0.02, 0.2, 3.0
"""How often another server is looked after that makes an answer, and how long, in seconds."""


class Vocabulary(NamedTuple):
    """By which headers and parameters the answers of one page go: all that it ever declared."""

    vary: tuple[str, ...] = ()
    query: tuple[str, ...] = ()


class Made(NamedTuple):
    """What came of making an answer: the entry that everybody who waited may have, if there is one, and its key."""

    answer: Any
    entry: Entry | None
    key: str
    kept: bool


class Flight:
    """An answer under way. `told` when its failure has reached somebody, who logs it.

    `moment` is that of the look before it: whoever comes after something was invalidated doesn't wait for it.
    """

    __slots__ = ("moment", "task", "told")

    def __init__(self, task: asyncio.Task[Made], moment: object) -> None:
        self.task = task
        self.moment = moment
        self.told = False


class Shelf:
    """The cache of one process. `version` is that of the build: no page of another is given out.

    `max_entry` is the most bytes that the body of one answer may have.
    """

    def __init__(self, store: CacheStore, *, version: str = "", max_entry: int = 2**20) -> None:
        self.store = store
        self._memory = store if isinstance(store, MemoryStore) else None
        self.max_entry = max_entry
        self.flights: dict[str, Flight] = {}
        self._version = version
        self._vocabularies: dict[str, Vocabulary] = {}
        self._apart: OrderedDict[str, float] = OrderedDict()
        self._refreshing: dict[str, float] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._warned: set[tuple[str, str]] = set()

    def watch(self, around: Callable[[str], AbstractContextManager[None]]) -> None:
        """Has every call of the store watched from now on; once is enough."""
        if not isinstance(self.store, WatchedCache):
            self.store = WatchedCache(self.store, around)

    async def start(self) -> None:
        """Opens the store."""
        await self.store.open()

    async def stop(self) -> None:
        """Ends what is under way, and closes the store."""
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.store.close()

    # By what an answer goes.

    def vocabulary(self, source: str) -> Vocabulary | None:
        """Gives by what the answers of a page go; None for a page that never asked to be kept."""
        return self._vocabularies.get(source)

    def learn(self, source: str, policy: CachePolicy) -> Vocabulary:
        """Adds what a page declares now. What it declared once stays a part of its keys."""
        known = self._vocabularies.get(source)
        if known is None or not (set(policy.vary) <= set(known.vary) and set(policy.query) <= set(known.query)):
            known = known or Vocabulary()
            vary, query = {*known.vary, *policy.vary}, {*known.query, *policy.query}
            known = self._vocabularies[source] = Vocabulary(tuple(sorted(vary)), tuple(sorted(query)))
        return known

    def key(self, source: str, path: str, vocabulary: Vocabulary, scope: Scope) -> str | None:
        """Gives the key of an answer: the build, the page, its path, and the values of what was declared.

        None where these are longer than anybody means them to be.
        """
        query: list[tuple[str, str]] = []
        vary: list[tuple[str, str]] = []
        raw = scope.get("query_string", b"")
        if vocabulary.query and raw:
            pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True)
            query = sorted((pair for pair in pairs if pair[0] in vocabulary.query), key=lambda pair: pair[0])
        if vocabulary.vary:
            sent = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
            vary = sorted((pair for pair in sent if pair[0] in vocabulary.vary), key=lambda pair: pair[0])
        if sum(len(value) for _, value in (*query, *vary)) > _LONGEST_PART:
            return None
        return repr((self._version, source, path, query, vary))

    # Making one.

    def fly(self, key: str, moment: object, make: Coroutine[Any, Any, Made]) -> Flight:
        """Begins to make an answer, in a task of its own: whoever waits for it may go away."""
        flight = Flight(self._spawn(make), moment)
        self.flights[key] = flight

        def ended(task: asyncio.Task[Made]) -> None:
            if self.flights.get(key) is flight:
                del self.flights[key]
            if not task.cancelled():
                task.exception()  # it is told by those who waited

        flight.task.add_done_callback(ended)
        return flight

    async def turn(self, key: str, looked: Looked) -> Looked:
        """Waits while another server makes the answer, in bounded time. Gives what is there then."""
        pause, until = _FIRST_POLL, time.monotonic() + _POLLING
        while looked.entry is None and not looked.mine and time.monotonic() < until:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_POLL)
            looked = await self.store.look(key, claim=True)
        return looked

    def refresh(self, key: str, path: str, since: object, make: Callable[[], Awaitable[object]]) -> None:
        """Makes a stale answer anew, beside all requests, and ends the claim. What fails is tried again later."""
        if key in self.flights or self._refreshing.get(key, 0.0) > time.monotonic():
            return
        self._refreshing = {known: until for known, until in self._refreshing.items() if until > time.monotonic()}
        self._refreshing[key] = time.monotonic() + _RETRY

        async def refresh() -> None:
            try:
                await make()
            except Exception as error:
                told = f"{type(error).__name__}: {error}"
                _log.error("%s can't be made anew, and is given out as it was: %s", path, told)
            finally:
                await self.store.release(key, since)

        # Nothing of the visitor who met the stale answer goes with it, not even what a library put into its context.
        self._spawn(refresh(), contextvars.Context())

    def refreshed(self, key: str) -> None:
        """Notes that a refresh did its work."""
        self._refreshing.pop(key, None)

    def set_apart(self, key: str) -> None:
        """Notes that an answer was one visitor's own: for some seconds nobody waits for another's."""
        self._apart[key] = time.monotonic() + _APART
        self._apart.move_to_end(key)
        if len(self._apart) > _MOST_APART:
            self._apart.popitem(last=False)

    def take_back(self, key: str) -> None:
        """Notes that an answer was kept after all."""
        self._apart.pop(key, None)

    def is_apart(self, key: str) -> bool:
        """Tells whether the answers under a key are visitors' own."""
        return self._apart.get(key, 0.0) > time.monotonic()

    def warn(self, source: str, what: str, mend: str) -> None:
        """Tells once why a page isn't kept."""
        if (source, what) not in self._warned and len(self._warned) < 1000:
            self._warned.add((source, what))
            _log.warning("%s: the answer is not kept; %s; %s", source, what, mend)

    def _spawn(self, work: Coroutine[Any, Any, Any], within: contextvars.Context | None = None) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, context=within)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # What goes out as it is.

    def ready(self, raw: bytes) -> tuple[Held, float] | None:
        """Gives the answer to a path as it was sent, where it is the same for everybody; see MemoryStore.ready."""
        return None if self._memory is None else self._memory.ready(raw)

    def make_ready(self, key: str, entry: Entry, raw: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Lets an entry go out as it is."""
        if self._memory is not None:
            self._memory.make_ready(key, entry, raw, tuple(headers))


def nobody(scope: Scope, vocabulary: Vocabulary) -> Scope:
    """Gives the request of nobody: a visitor's, with nothing in it but what the answer goes by."""
    pairs = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    query = urlencode([pair for pair in pairs if pair[0] in vocabulary.query])
    headers = [pair for pair in scope["headers"] if pair[0].decode("latin-1") in vocabulary.vary]
    kept: Mapping[str, Any] = {
        name: scope[name] for name in ("type", "path", "raw_path", "http_version", "server") if name in scope
    }
    return {
        **kept,
        "method": "GET",
        "scheme": scope.get("scheme", "http"),
        "query_string": query.encode("latin-1"),
        "headers": headers,
        "client": None,
    }
