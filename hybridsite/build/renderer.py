"""The process that renders pages beside a worker of a cluster: a program of its own, asked and answering by pipes.

It has the site's folder, environment and modules to itself, so that two sites on one worker never meet, and ends when
nobody asks any more: with the worker, or after a minute. It writes nothing but its copy of the site.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import queue
import shutil
import struct
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import msgspec

from hybridsite import errors
from hybridsite.build.making import Outcome, identity, make
from hybridsite.build.parcel import Parcel, Surroundings, unpack
from hybridsite.build.plan import PlannedPage, plan
from hybridsite.build.store import Place
from hybridsite.build.timing import Stopwatch, watched
from hybridsite.errors import BuildError, Faults, Location, SiteError, SiteErrors
from hybridsite.site import Mode, Site, load_site, with_plan

PATIENCE = 60.0
"""The seconds after which a process ends that nobody asks for a page."""
_LENGTH = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page as a build planned it: where it is written below dist/, what makes it, and the source for a fault."""

    place: str
    identity: str
    source: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of some pages, and the bytes of each; none where it has a fault."""

    outcomes: Sequence[Outcome]
    bodies: Sequence[bytes | None]


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was rendered, since nothing can be in this place; asking again is no use."""

    why: str
    mend: str = ""


def send(pipe: IO[bytes], body: bytes) -> None:
    """Sends a message: its length, and its bytes."""
    pipe.write(_LENGTH.pack(len(body)))
    pipe.write(body)
    pipe.flush()


def receive(pipe: IO[bytes]) -> bytes:
    """Waits for a message. Raises EOFError where there comes none any more."""
    (length,) = _LENGTH.unpack(_read(pipe, _LENGTH.size))
    return _read(pipe, length)


def _read(pipe: IO[bytes], length: int) -> bytes:
    body = pipe.read(length)
    if len(body) < length:
        raise EOFError
    return body


class _Held:
    """Stands where a build has its output, and holds the bytes of pages."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}

    def write(self, name: str, body: bytes) -> Place:
        """Holds a page; where it lies is for the build to say."""
        self.bodies[name] = body
        return Place(len(body), 0, 0)


class Renderer:
    """A site that came as a parcel, loaded and planned as the build did that sent it."""

    def __init__(self, surroundings: Surroundings, folder: Path) -> None:
        faults = Faults()  # of pages that can't be loaded, which the build has told itself
        mode = Mode(prerendering=True, drafts=surroundings.drafts)
        site = load_site(folder, mode, environ=surroundings.settings, faults=faults)
        key = surroundings.island_key
        site = replace(site, islands=replace(site.islands, key=None if key is None else lambda: key, placed={}))
        pages = asyncio.run(plan(site, faults))
        self._site: Site = with_plan(site, (page.segments for page in pages))
        self._stopwatch: Stopwatch | None = watched(self._site) if surroundings.profile else None
        self._pages: Mapping[str, PlannedPage] = {page.place: page for page in pages}
        self._there = surroundings.root
        self._fault = _first(faults)

    async def answer(self, wanted: Sequence[Wanted]) -> Answered:
        """Renders some pages of the plan."""
        outcomes, bodies = [], []
        for one in wanted:
            held, page = _Held(), self._pages.get(one.place)
            if page is None or identity(self._site, page) != one.identity:
                outcomes.append(Outcome(None, (self._unknown(one),)))
            else:
                outcome = await make(self._site, page, held)
                if self._stopwatch is not None:
                    outcome = replace(outcome, spent=self._stopwatch.take())
                outcomes.append(self._as_there(outcome))
            bodies.append(held.bodies.get(one.place))
        return Answered(outcomes, bodies)

    def _unknown(self, one: Wanted) -> SiteError:
        """Gives the fault of a page that the build planned and this process didn't."""
        what = f"a worker of the cluster knows no {one.place.removeprefix('client/')}"
        if self._fault:
            why, mend = self._fault, "what the site's Python imports and reads has to be on the workers, too"
        else:
            why, mend = "paths(), or a collection from a function, gave others there", "let it give the same each time"
        return BuildError(what, why=why, mend=mend, location=Location(one.source))

    def _as_there(self, outcome: Outcome) -> Outcome:
        """Gives an outcome with paths and faults as they are where it goes to."""
        root = str(self._site.root)

        def moved(key: str) -> str:
            return self._there + key.removeprefix(root) if key.startswith(f"{root}/") else key

        made = outcome.made
        if made is not None:
            made = msgspec.structs.replace(made, trace=tuple(sorted(map(moved, made.trace))))
        outside = {moved(key): when for key, when in outcome.outside.items()}
        return replace(outcome, made=made, outside=outside, faults=tuple(map(_plain, outcome.faults)))


def _first(faults: Faults) -> str:
    """Gives the first of some faults as text; "" where there is none."""
    try:
        faults.raise_any()
    except (SiteError, SiteErrors) as error:
        return str(error).splitlines()[0]
    return ""


def _plain(fault: SiteError) -> SiteError:
    """Gives a fault of a kind that is known everywhere: a site's own may be known to its modules alone."""
    if type(fault).__module__ == errors.__name__:
        return fault
    kind = next(kind for kind in type(fault).__mro__ if kind.__module__ == errors.__name__)
    plain: SiteError = kind(fault.what, why=fault.why, mend=fault.mend, location=fault.location)
    plain.pages = fault.pages
    return plain


def main() -> None:
    """Takes a parcel, and then answers for some pages at a time."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the site's Python prints is no answer
    folder = Path(tempfile.mkdtemp(prefix="hybridsite-"))
    asked: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, asked, folder), daemon=True).start()
    try:
        renderer = _renderer(asked.get(), folder.resolve())
        while True:
            wanted = asked.get(timeout=PATIENCE)
            answer = renderer if isinstance(renderer, Refused) else asyncio.run(renderer.answer(wanted))
            send(answers, pickle.dumps(answer))
    except (queue.Empty, BrokenPipeError):
        return
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _listen(pipe: IO[bytes], asked: queue.SimpleQueue[Any], folder: Path) -> None:
    """Hears what is asked, and ends the process amid its work when the worker is gone."""
    try:
        while True:
            asked.put(pickle.loads(receive(pipe)))
    except EOFError:
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)


def _renderer(parcel: Parcel, folder: Path) -> Renderer | Refused:
    """Makes the site of a parcel ready, in an environment that says what the build's says."""
    surroundings = unpack(parcel, folder)
    for name in list(os.environ):
        if name.startswith("HYBRIDSITE_") or name in surroundings.unset:
            del os.environ[name]
    os.environ.update(surroundings.environ)
    try:
        return Renderer(surroundings, folder)
    except (SiteError, SiteErrors) as error:
        mend = "what the site's Python imports and reads has to be on the workers, too"
        return Refused(f"the site doesn't load there: {error}", mend)
    except Exception:
        return Refused(f"the site doesn't load there: {traceback.format_exc()}")
