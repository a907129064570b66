"""What the tests of sessions share: a clock that is set, stores, and a visitor with a browser's cookies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from hybridsite.sessions.cookie import handle_of
from hybridsite.sessions.drivers import find_store
from hybridsite.sessions.manager import CookieSettings, Outcome, SessionManager
from hybridsite.sessions.memory import MemoryStore
from hybridsite.sessions.session import Session
from hybridsite.sessions.store import Reach, Record, SessionStore

TTL = 1000.0
KEYS = ["a key that is used for nothing but these tests"]
COOKIE = "hybridsite-session"
Driver = Literal["memory", "sqlite", "fs", "redis", "postgres"]


def put(**values: object) -> Callable[[Session], None]:
    """Gives what sets these keys."""

    def act(session: Session) -> None:
        for key, value in values.items():
            session[key] = value

    return act


def add(item: object) -> Callable[[Session], object]:
    """Gives what adds to the list `cart`, by an update."""
    return lambda session: session.update("cart", lambda cart: [*cart, item], [])


def doing(*acts: Callable[[Session], object]) -> Callable[[Session], None]:
    """Gives what does one thing after the other."""

    def act(session: Session) -> None:
        for each in acts:
            each(session)

    return act


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Visitor:
    """A browser: it keeps the cookie that it is given, and sends it."""

    def __init__(self, manager: SessionManager, cookie: str | None = None) -> None:
        self.manager = manager
        self.cookie = cookie

    async def open(self) -> Session:
        """Begins a request."""
        headers = [] if self.cookie is None else [f"{COOKIE}={self.cookie}".encode()]
        return await self.manager.open(self.manager.identifier(headers))

    async def save(self, session: Session) -> Outcome:
        """Ends a request, and takes its cookie."""
        outcome = await self.manager.save(session, https=False)
        if outcome.set_cookie is not None:
            self.cookie = outcome.set_cookie.partition(";")[0].partition("=")[2] or None
        return outcome

    async def ask(self, act: Callable[[Session], object]) -> Any:
        """Makes a whole request, and gives what it gives."""
        session = await self.open()
        result = act(session)
        await self.save(session)
        return result

    async def data(self) -> dict[str, Any]:
        """Gives all that the session holds, by a request that is not saved."""
        return dict(await self.open())


class CountingStore:
    """A store that notes each call with its key. `before_write`, where it is set, is awaited before each write."""

    reach: ClassVar[Reach] = "process"

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self.calls: list[tuple[str, str]] = []
        self.before_write: Callable[[], Awaitable[None]] | None = None

    async def open(self) -> None:
        await self._store.open()

    async def close(self) -> None:
        await self._store.close()

    async def read(self, key: str) -> Record | None:
        self.calls.append(("read", key))
        return await self._store.read(key)

    async def write(
        self, key: str, data: bytes, *, expected: int | None, ttl: float, tokens: Sequence[str] = ()
    ) -> int:
        self.calls.append(("write", key))
        if self.before_write is not None:
            await self.before_write()
        return await self._store.write(key, data, expected=expected, ttl=ttl, tokens=tokens)

    async def delete(self, key: str, *, expected: int | None = None) -> None:
        self.calls.append(("delete", key))
        await self._store.delete(key, expected=expected)

    async def touch(self, key: str, *, expected: int, ttl: float) -> bool:
        self.calls.append(("touch", key))
        return await self._store.touch(key, expected=expected, ttl=ttl)

    def find(self, token: str) -> AsyncIterator[str]:
        return self._store.find(token)

    def scan(self) -> AsyncIterator[tuple[str, Record]]:
        return self._store.scan()

    async def sweep(self, most: int = 1000) -> int:
        return await self._store.sweep(most)

    def names(self) -> list[str]:
        """Gives the calls since it was last asked, without their keys."""
        names = [name for name, _ in self.calls]
        self.calls.clear()
        return names


def make_store(driver: Driver, place: Path | str, clock: Callable[[], float]) -> SessionStore:
    """Makes a store; those of one place, a folder or a server's URL, share their data, but for memory's."""
    if driver == "memory":
        return MemoryStore(clock=clock)
    name = {"sqlite": "sessions.db", "fs": "sessions"}.get(driver)
    make: Callable[..., SessionStore] = find_store(driver)
    return make(place if name is None else Path(place) / name, clock=clock)


def pass_redis_time(url: str, seconds: float) -> None:
    """Lets time go by for all that a Redis holds: it ends so much sooner."""
    import redis

    with redis.Redis.from_url(url) as connection:
        for key in connection.scan_iter():
            left = cast(int, connection.pttl(key)) - int(seconds * 1000)
            if left > 0:
                connection.pexpire(key, left)
            else:
                connection.delete(key)


def make_manager(store: SessionStore, clock: Callable[[], float], **settings: Any) -> SessionManager:
    """Makes a manager with the usual settings, or these."""
    usual: dict[str, Any] = {"keys": KEYS, "ttl": TTL, "cookie": CookieSettings(name=COOKIE)}
    return SessionManager(store, clock=clock, **(usual | settings))


@asynccontextmanager
async def managed(
    driver: Driver, place: Path | str, clock: Callable[[], float], **settings: Any
) -> AsyncIterator[SessionManager]:
    """Opens a store, and gives a manager above it."""
    store = make_store(driver, place, clock)
    await store.open()
    try:
        yield make_manager(store, clock, **settings)
    finally:
        await store.close()


class Case:
    """A store of memory under a clock, and a visitor who has a session with a name and a cart."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.records = MemoryStore(clock=self.clock)
        self.store = CountingStore(self.records)
        self.manager = make_manager(self.store, self.clock, **settings)
        self.visitor = Visitor(self.manager)

    @classmethod
    async def begun(cls, **settings: Any) -> Case:
        case = cls(**settings)
        await case.visitor.ask(put(name="Ada", cart=[]))
        case.store.calls.clear()
        return case

    @property
    def key(self) -> str:
        """The key of the visitor's session in the store."""
        assert self.visitor.cookie is not None
        return handle_of(self.visitor.cookie.partition(".")[0])


def run(check: Callable[[Case], Awaitable[None]], **settings: Any) -> None:
    """Runs a check on a case that has begun."""

    async def whole() -> None:
        await check(await Case.begun(**settings))

    asyncio.run(whole())
