"""Several visitors with overlapping requests, in any order, over a model that is a few plain dicts.

The model is the promise: each save applies the request's own changes to what is stored by then, an ended session takes
none, and no browser is told of a session that isn't its own.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import redis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hybridsite.sessions.office import SessionOffice
from hybridsite.sessions.session import Session
from tests.sessions.servers import RedisServer
from tests.sessions.support import Clock, Driver, Visitor, make_manager, make_store, pass_redis_time

VISITORS = 2
TTL = 100_000.0  # idle time: steps of time are small beside it, so that only the longest ends a session
NUMBERS = st.integers(0, 99)
KEYS = st.sampled_from(["a", "b"])
KINDS = st.sampled_from(["set", "set for a time", "delete", "update", "append"])
Lists = dict[str, list[int]]


@dataclass(eq=False)
class Stored:
    """A session in the model. Values are lists; `ends` has the keys with a ttl of their own, `flashes` its messages."""

    data: Lists
    ends: dict[str, float] = field(default_factory=dict)
    flashes: list[int] = field(default_factory=list)
    ended: bool = False

    def live(self, now: float) -> Lists:
        return {key: list(value) for key, value in self.data.items() if self.ends.get(key, now + 1) > now}


@dataclass(eq=False)
class Request:
    """A request under way: the real session, what it sees by the model, and what it did."""

    visitor: int
    session: Session
    base: Stored | None
    seen: Lists
    ends: dict[str, float]
    flashes: list[int]
    flashed: list[int] = field(default_factory=list)
    shown: set[int] = field(default_factory=set)
    settled: set[str] = field(default_factory=set)
    added: dict[str, list[int]] = field(default_factory=dict)
    destroyed: bool = False
    regenerated: bool = False

    def settle(self, key: str) -> None:
        self.added.pop(key, None)
        self.settled.add(key)

    def stored(self) -> Stored:
        """Gives the session that begins with what this request sees."""
        return Stored(self.seen, self.ends, [number for number in self.flashed if number not in self.shown])


class Sessions(RuleBasedStateMachine):
    """The machine. Its subclasses name the store."""

    driver: ClassVar[Driver] = "memory"

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.store = make_store(self.driver, self.place(), self.clock)
        self.runner.run(self.store.open())
        manager = make_manager(self.store, self.clock, ttl=TTL, index=["a"])
        self.office = SessionOffice(manager)
        self.messages = itertools.count()
        self.visitors = [Visitor(manager) for _ in range(VISITORS)]
        self.own: list[Stored | None] = [None] * VISITORS  # the session that each visitor's cookie opens
        self.cookies: dict[str, Stored] = {}  # every cookie that was ever handed out
        self.requests: list[Request] = []
        for number in range(VISITORS):
            self.begin_request(number)
            self.change(self.requests[0], "set", "a", number)
            self.end(self.requests[0])
            for _ in range(2):
                self.begin_request(number)

    def place(self) -> Path | str:
        """Where the store is, without any records."""
        return Path(self.folder.name)

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.run(self.store.close())
            self.runner.close()
            self.folder.cleanup()

    @rule(visitor=st.integers(0, VISITORS - 1))
    def begin_request(self, visitor: int) -> None:
        session = self.runner.run(self.visitors[visitor].open())
        base = self.own[visitor]
        if base is not None and base.ended:
            base = None
        seen = {} if base is None else base.live(self.clock.now)
        ends = {} if base is None else {key: end for key, end in base.ends.items() if key in seen}
        assert dict(session) == seen
        flashes = [] if base is None else list(base.flashes)
        self.requests.append(Request(visitor, session, base, seen, ends, flashes))

    def some(self, data: st.DataObject) -> Request:
        request: Request = data.draw(st.sampled_from(self.requests))
        return request

    under_way = precondition(lambda self: self.requests)

    @under_way
    @rule(data=st.data(), kind=KINDS, key=KEYS, number=NUMBERS)
    def change_a_key(self, data: st.DataObject, kind: str, key: str, number: int) -> None:
        self.change(self.some(data), kind, key, number)

    def change(self, request: Request, kind: str, key: str, number: int) -> None:
        session, seen, ends = request.session, request.seen, request.ends
        if kind == "update":
            session.update(key, lambda value: [*value, number], [])
            if ends.get(key, self.clock.now + 1) <= self.clock.now:  # it ended meanwhile: the update begins anew
                del seen[key], ends[key]
            seen[key] = [*seen.get(key, []), number]
            if key not in request.settled:
                request.added.setdefault(key, []).append(number)
        elif kind == "append":
            if key in seen:
                session[key].append(number)
                seen[key].append(number)
                request.settle(key)
        else:
            ends.pop(key, None)
            request.settle(key)
            if kind == "delete":
                session.delete(key)
                seen.pop(key, None)
                return
            ttl = 1 + number % 10 if kind == "set for a time" else None
            session.set(key, [number], ttl=ttl)
            seen[key] = [number]
            if ttl is not None:
                ends[key] = self.clock.now + ttl

    @under_way
    @rule(data=st.data(), shows=st.booleans())
    def flash_or_show(self, data: st.DataObject, shows: bool) -> None:
        request = self.some(data)
        if shows:
            messages = [*request.flashes, *request.flashed]
            assert request.session._show_flashes(use_up=True) == messages
            request.shown.update(messages)
        else:
            message = next(self.messages)
            request.session.flash(message)
            request.flashed.append(message)

    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        now = self.clock.now
        live = {id(each): each for each in self.cookies.values() if not each.ended and "a" in each.live(now)}
        value = data.draw(st.sampled_from([each.data["a"] for each in live.values()] or [[0]]))
        meant = [each for each in live.values() if each.data["a"] == value]
        assert self.runner.run(self.office.revoke(name="a", value=value)) == len(meant)
        for each in meant:
            each.ended = True

    @under_way
    @rule(data=st.data(), how=st.sampled_from(["regenerate", "regenerate", "destroy", "raise"]))
    def do_something_rare(self, data: st.DataObject, how: str) -> None:
        request = self.some(data)
        if how == "raise":
            # case C7: the handler raises, so nothing is saved
            self.requests.remove(request)
        elif how == "regenerate":
            request.session.regenerate()
            request.regenerated = True
        else:
            request.session.destroy()
            request.destroyed = True
            for of_request in (request.seen, request.ends, request.settled, request.added):
                of_request.clear()
            for messages in (request.flashes, request.flashed, request.shown):
                messages.clear()

    @under_way
    @rule(data=st.data())
    def end_request(self, data: st.DataObject) -> None:
        self.end(self.some(data))

    def end(self, request: Request) -> None:
        self.requests.remove(request)
        visitor = self.visitors[request.visitor]
        before = visitor.cookie
        was_live = request.base is not None and not request.base.ended
        outcome = self.runner.run(visitor.save(request.session))
        begun = self.saved(request)
        if begun is not None:
            # case S3, case S5: a new session has a new cookie, and it is its visitor's
            assert visitor.cookie is not None
            assert visitor.cookie not in self.cookies
            self.cookies[visitor.cookie] = self.own[request.visitor] = begun
        elif request.destroyed and was_live:
            # case S6
            assert visitor.cookie is None
            self.own[request.visitor] = None
        else:
            # Steps of time are too small for a refresh, which would hand the same cookie out again.
            assert outcome.set_cookie is None
            assert visitor.cookie == before

    def saved(self, request: Request) -> Stored | None:
        """Does in the model what a save does, and gives the session that begins with it."""
        base = request.base
        if base is None:
            return self.begun(request)
        if base.ended:
            return None  # case S7
        if request.destroyed:
            base.ended = True
            return self.begun(request)
        self.merge(request, base)
        if not request.regenerated:
            return None
        base.ended = True
        return Stored(base.data, base.ends, base.flashes)

    def begun(self, request: Request) -> Stored | None:
        begun = request.stored()
        return begun if begun.flashes or begun.live(self.clock.now) else None

    def merge(self, request: Request, base: Stored) -> None:
        # case C2
        base.data = base.live(self.clock.now)
        base.ends = {key: end for key, end in base.ends.items() if key in base.data}
        for key in request.settled:
            base.data.pop(key, None)
            base.ends.pop(key, None)
            if key in request.seen:
                base.data[key] = list(request.seen[key])
                if key in request.ends:
                    base.ends[key] = request.ends[key]
        for key, numbers in request.added.items():
            base.data[key] = [*base.data.get(key, []), *numbers]
        base.flashes = [number for number in (*base.flashes, *request.flashed) if number not in request.shown]

    @rule(seconds=st.sampled_from([1, 2, 5, 10, 10, 20, 20, 2 * TTL]))
    def time_passes(self, seconds: float) -> None:
        self.pass_time(seconds)
        if seconds > TTL:
            for stored in self.cookies.values():
                stored.ended = True

    @invariant()
    def a_request_sees_what_it_did(self) -> None:
        for request in getattr(self, "requests", []):
            assert dict(request.session) == request.seen

    @invariant()
    def each_cookie_opens_what_it_should(self) -> None:
        # case S5, case S6: a session that ended opens nothing, whoever still has its cookie
        for cookie, stored in getattr(self, "cookies", {}).items():
            session = self.runner.run(Visitor(self.visitors[0].manager, cookie).open())
            expected: dict[str, Any] = {} if stored.ended else stored.live(self.clock.now)
            assert dict(session) == expected
            assert session._show_flashes(use_up=False) == ([] if stored.ended else stored.flashes)

    @invariant()
    def each_visitor_has_an_own_session(self) -> None:
        for number, visitor in enumerate(getattr(self, "visitors", [])):
            stored = self.own[number]
            assert (None if visitor.cookie is None else self.cookies[visitor.cookie]) is stored


class SqliteSessions(Sessions):
    driver: ClassVar[Driver] = "sqlite"


class RedisSessions(Sessions):
    driver: ClassVar[Driver] = "redis"
    url: ClassVar[str]

    def place(self) -> Path | str:
        with redis.Redis.from_url(self.url) as connection:
            connection.flushall()
        return self.url

    def pass_time(self, seconds: float) -> None:
        super().pass_time(seconds)
        pass_redis_time(self.url, seconds)


Sessions.TestCase.settings = settings(max_examples=500, stateful_step_count=40)
SqliteSessions.TestCase.settings = settings(max_examples=50, stateful_step_count=40)
TestMemorySessions = Sessions.TestCase
TestSqliteSessions = SqliteSessions.TestCase


def test_redis_sessions(redis_server: RedisServer) -> None:
    RedisSessions.url = redis_server.url
    some = settings(max_examples=50, stateful_step_count=40)
    run_state_machine_as_test(RedisSessions, settings=some)
