"""Who renders the pages of a build: this process, or others beside it, by way of `concurrent.futures.Executor`."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from hybridsite.build.making import Outcome, make
from hybridsite.build.output import Output
from hybridsite.build.plan import PlannedPage
from hybridsite.build.timing import Stopwatch
from hybridsite.errors import BuildError
from hybridsite.site import Site

T = TypeVar("T")

_PR_SET_PDEATHSIG = 1
_WORTH_A_PROCESS = 300
"""The number of pages from which on a second process has paid for itself: measured with pages of 320 words."""
_CHUNKS = 8
"""How many pieces of work each process gets: few enough to cost nothing, enough for all to end at about one time."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is rendered: the site, its planned pages, and where they are written.

    `progress` is told how many of how many pages are done, `stopwatch` watches the templates.
    """

    site: Site
    pages: Sequence[PlannedPage]
    output: Output
    progress: Callable[[int, int], None] = lambda done, all: None
    stopwatch: Stopwatch | None = None


def jobs_for(pages: int) -> int:
    """Gives the number of processes that pays for so many pages on this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, pages // _WORTH_A_PROCESS))


def outcomes(work: Work, jobs: int | None) -> list[Outcome]:
    """Renders and writes all pages. What comes of them is in their order, whoever rendered them. Raises BuildError.

    Without `jobs` there are as many processes as pay.
    """
    jobs = min(jobs_for(len(work.pages)) if jobs is None else jobs, len(work.pages))
    if jobs > 1 and _can_fork():
        return _forked(work, jobs)
    return _rendered(work, 0, len(work.pages))


def _rendered(work: Work, first: int, end: int) -> list[Outcome]:
    async def render() -> list[Outcome]:
        found = []
        for number, page in enumerate(work.pages[first:end], first):
            outcome = await make(work.site, page, work.output)
            found.append(outcome if work.stopwatch is None else replace(outcome, spent=work.stopwatch.take()))
            work.progress(number + 1, len(work.pages))
        return found

    return asyncio.run(render())


def _can_fork() -> bool:
    """Tells whether a process can be split: where other threads run, one could hold a lock that is never given back."""
    if "fork" not in multiprocessing.get_all_start_methods():
        return False
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(0.2)  # one that ran the site's paths() is about to end
    return threading.active_count() == 1


_shared: Work | None = None
"""What processes that were split off this one share with it, without a copy: set for as long as they are made."""


def _forked(work: Work, jobs: int) -> list[Outcome]:
    """Lets processes render that are split off this one: they share the loaded site with it as it is."""
    global _shared
    _shared = replace(work, progress=lambda done, all: None)  # who renders beside this process tells nobody
    try:
        with ProcessPoolExecutor(
            jobs, multiprocessing.get_context("fork"), initializer=_end_with, initargs=(os.getpid(),)
        ) as executor:
            pieces, found = pieces_of(len(work.pages), jobs), list[Outcome]()
            for outcomes in spread(executor, _piece, pieces, len(work.pages)):
                found += outcomes
                work.progress(len(found), len(work.pages))
            return found
    except OSError as error:
        raise BuildError("no process can be started", why=error.strerror or str(error), mend="use --jobs 1") from error
    finally:
        _shared = None


def pieces_of(pages: int, jobs: int, most: int | None = None) -> Iterator[tuple[int, int]]:
    """Yields first and end of the pieces of work that so many pages are for so many processes; `most` pages each."""
    size = max(1, -(-pages // (jobs * _CHUNKS)))
    size = size if most is None else min(size, most)
    return ((first, min(first + size, pages)) for first in range(0, pages, size))


def spread(
    executor: Executor,
    function: Callable[..., T],
    pieces: Iterable[tuple[Any, ...]],
    ahead: int,
    result: Callable[[Future[T]], T] = Future.result,
) -> Iterator[T]:
    """Hands out pieces of work, each the arguments of `function`, and yields what comes of them in their order.

    No more than `ahead` of them wait to be taken. `result` waits for one.
    """
    waiting: deque[Future[T]] = deque()
    try:
        for piece in pieces:
            if len(waiting) >= ahead:
                yield result(waiting.popleft())
            waiting.append(executor.submit(function, *piece))
        while waiting:
            yield result(waiting.popleft())
    finally:
        for future in waiting:
            future.cancel()


def _piece(first: int, end: int) -> list[Outcome]:
    assert _shared is not None
    outcomes = _rendered(_shared, first, end)
    # What a fault came from does not travel. Where the site's code has tblib, it would be tried, without end.
    for fault in (fault for outcome in outcomes for fault in outcome.faults):
        fault.__cause__ = fault.__context__ = fault.__traceback__ = None
    return outcomes


def _end_with(parent: int) -> None:
    """Has this process end when its parent does, even by SIGKILL: else it would hold the lock of the build for ever.

    The loaded site is no garbage: a search through it would copy every page of memory that is shared with the parent.
    """
    gc.freeze()
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (AttributeError, OSError):  # no Linux
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
