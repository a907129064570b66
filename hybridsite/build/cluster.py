"""A cluster of Dask's as what renders the pages of a build: through its own `concurrent.futures.Executor`.

The site travels to the workers, and the bytes of its pages come back: no worker needs the site's folder, and none
writes to dist/. A worker that is lost costs what it had under way, which another one renders again.
"""

from __future__ import annotations

import pickle
import re
import time
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from hybridsite.build import errand
from hybridsite.build.executors import Work, pieces_of, spread
from hybridsite.build.making import Outcome, identity
from hybridsite.build.parcel import pack
from hybridsite.build.renderer import Answered, Refused, Wanted
from hybridsite.errors import BuildError, SiteError
from hybridsite.extras import install

if TYPE_CHECKING:
    from distributed import Client

ADDRESS = re.compile(r"dask://(\[[0-9A-Fa-f:]+\]|[^/:@?#\s]+):(\d{1,5})")
"""How an executor is named on the command line."""
_TO_CONNECT = 5.0
_FOR_WORKERS = 30.0
"""The seconds for which a scheduler is waited for, and for a worker where there is none, or none any more."""
_LOOK = 1.0
_MOST_PAGES = 500
"""So many pages are rendered at one go, at most: what a worker that is lost has had under way is rendered again."""
_RETRIES = 2
# A function by its module can't be sent: a worker that can't import it ends itself, instead of telling (Dask 2026.8).
# The text of a call can, which fails as any other task.
_ERRAND = f"__import__({errand.__name__!r}, fromlist=['*'])"
_RENDER = f"{_ERRAND}.render(key, versions, body, wanted)"
_CLOSE = f"{_ERRAND}.close(key)"


def rendered_by(address: str, work: Work, environ: Mapping[str, str], moment: int) -> list[Outcome]:
    """Has all pages rendered by the cluster at `dask://host:port`, and writes them here. What comes is in their order.

    `moment` is the time of the build, in ns. Raises BuildError where the cluster can't be reached, has no workers,
    loses them again and again, or isn't of the versions that are here.
    """
    parcel = pack(work.site, environ, moment // 1_000_000_000, profile=work.stopwatch is not None)
    found: list[Outcome] = []
    with _connected(address) as client:
        workers = _Workers(client, address)
        sent: dict[str, Any] = {"key": parcel.key, "versions": dict(parcel.versions)}
        # A result, not data: the scheduler knows how it is made, and has it made again where a worker takes it along.
        sent["body"] = client.submit(bytes, parcel.body, pure=False)
        executor = client.get_executor(pure=False, retries=_RETRIES)
        pieces = (
            (_RENDER, {**sent, "wanted": _wanted(work, *piece)})
            for piece in pieces_of(len(work.pages), workers.jobs, _MOST_PAGES)
        )
        try:
            for answer in spread(executor, eval, pieces, 2 * workers.jobs, workers.answer):
                found += _written(work, len(found), pickle.loads(answer), address, moment)
                work.progress(len(found), len(work.pages))
        finally:
            with suppress(Exception):  # those that are left end by themselves
                executor.shutdown(wait=False)
                client.run(eval, _CLOSE, {"key": parcel.key}, on_error="return")
    return found


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    """Gives a client of the scheduler at an address. Raises BuildError."""
    parts = ADDRESS.fullmatch(address)
    if parts is None:
        raise BuildError(f'"{address}" is no executor', mend="name a scheduler of Dask: dask://host:port")
    try:
        from distributed import Client
    except ImportError:
        mend = install("dask")
        raise BuildError(f"--executor {address} needs Dask, which is not installed", mend=mend) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large graphs, and of packages that don't count here
        try:
            client = Client(f"tcp://{parts[1]}:{parts[2]}", timeout=_TO_CONNECT, set_as_default=False)
        except OSError as error:
            mend = "start one there with `dask scheduler`, or build without --executor"
            raise BuildError(f"no scheduler of Dask answers at {address}", why=str(error), mend=mend) from error
        try:
            yield client
        finally:
            with suppress(Exception):  # it is lost already
                client.close(timeout=2)


class _Workers:
    """The workers of a cluster, as long as there are any. Raises BuildError where one was waited for in vain."""

    def __init__(self, client: Client, address: str) -> None:
        self._client = client
        self._address = address
        try:
            client.wait_for_workers(1, timeout=_FOR_WORKERS)
        except TimeoutError:
            raise self._none() from None
        self._last_seen = time.monotonic()

    @property
    def jobs(self) -> int:
        """How many pieces of work are done at once."""
        return max(1, int(sum(self._client.nthreads().values())))

    def answer(self, future: Future[bytes]) -> bytes:
        """Waits for a piece of work."""
        from distributed import KilledWorker

        try:
            while True:
                try:
                    return future.result(_LOOK)
                except TimeoutError as error:
                    if future.done() and future.exception() is error:  # the work's own, and not that of waiting for it
                        raise
                    self._look()
        except KilledWorker as error:
            mend = "its log says why: memory, in most cases. Fewer processes on each machine need less"
            raise BuildError("workers of the cluster died while they rendered", why=str(error), mend=mend) from error
        except (CancelledError, OSError) as error:
            if isinstance(error, ChildProcessError):
                mend = "the worker's log says why: memory, in most cases"
                raise BuildError("a page can't be rendered by the cluster", why=str(error), mend=mend) from error
            mend = "build again, without --executor if need be"
            raise BuildError(f"the cluster at {self._address} is lost", why=str(error), mend=mend) from error
        except ModuleNotFoundError as error:
            mend = "install hybridsite with its extras on every worker"
            raise BuildError("a worker of the cluster lacks a package", why=str(error), mend=mend) from error

    def _look(self) -> None:
        if self._client.nthreads():
            self._last_seen = time.monotonic()
        elif time.monotonic() - self._last_seen > _FOR_WORKERS:
            raise self._none()

    def _none(self) -> SiteError:
        why = f"waited {_FOR_WORKERS:g} s for one"
        return BuildError(f"the cluster at {self._address} has no workers", why=why, mend="start some: `dask worker`")


def _wanted(work: Work, first: int, end: int) -> bytes:
    return pickle.dumps(
        tuple(Wanted(page.place, identity(work.site, page), page.match.route.source) for page in work.pages[first:end])
    )


def _written(work: Work, first: int, answer: Answered | Refused, address: str, moment: int) -> Iterator[Outcome]:
    """Writes the pages of an answer, and yields what came of each. Raises BuildError."""
    if isinstance(answer, Refused):
        what = f"a worker of the cluster at {address} can't render this site"
        raise BuildError(what, why=answer.why, mend=answer.mend)
    for number, (outcome, body) in enumerate(zip(answer.outcomes, answer.bodies, strict=True), first):
        made = outcome.made
        if made is not None:
            assert body is not None
            place = work.output.write(work.pages[number].place, body)
            made = msgspec.structs.replace(made, place=place)
        # A clock of another machine tells nothing here: a file that changes from now on has changed.
        yield replace(outcome, made=made, outside=dict.fromkeys(outcome.outside, moment))
