"""The processes of a server: each looks after its connections and its own turning; a supervisor replaces what ends."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from hybridsite.errors import SiteError, SiteErrors, is_of_site
from hybridsite.server.deployment import Deployment, settle
from hybridsite.server.journal import Journal
from hybridsite.server.protocol import Protocol

_log = logging.getLogger("hybridsite")

_LOOKS = 10  # turns of uvicorn's main loop, which are a tenth of a second each
# What is left of a request after the grace is cancelled, and has this long to notice.
_LAST = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


class Server(uvicorn.Server):
    """uvicorn's server, which keeps deadlines, takes new builds over at SIGHUP, and ends for certain.

    `standstill` is how many seconds its loop may stand still: a process that does is of no use to anybody, and ends,
    with the place in the site where it stands in the log. `is_replaced` tells that another process takes its place when
    it ends.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        standstill: float,
        loaded: Callable[[], Deployment],
        journal: Journal | None = None,
        *,
        is_replaced: bool = False,
    ) -> None:
        super().__init__(config)
        self._standstill = standstill
        self._loaded = loaded
        self._journal = journal
        self._is_replaced = is_replaced
        self._parent = os.getppid()
        self._beat = 0.0  # when the loop last turned; 0 where that says nothing

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Loads the site, and listens."""
        try:
            deployment = self._loaded()
        except (SiteError, SiteErrors) as error:
            _log.error("%s", error)
            sys.exit(STARTUP_FAILURE)
        deployment.journal = self._journal
        if self._is_replaced:
            deployment.gate.stuck = self._leave
        await super().startup(sockets)
        settle()
        if _owns_process():
            loop, looking = asyncio.get_running_loop(), set[asyncio.Task[None]]()

            def look() -> None:
                task = loop.create_task(self._loaded().look())
                looking.add(task)
                task.add_done_callback(looking.discard)

            loop.add_signal_handler(signal.SIGHUP, look)
            threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    async def on_tick(self, counter: int) -> bool:
        """Is called ten times a second."""
        self._beat = time.monotonic()
        if counter % _LOOKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in [*self.server_state.connections]:
                if isinstance(connection, Protocol):
                    connection.look(now)
        if self._is_replaced and os.getppid() != self._parent:  # nobody would ever stop it
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Lets the requests under way end; what hasn't ended a while after the grace goes with the process."""
        self._beat = 0.0
        if _owns_process():
            end = threading.Timer((self.config.timeout_graceful_shutdown or 0) + _LAST, _end_now)
            end.daemon = True  # it goes on until the interpreter has ended, which waits for threads of the site
            end.start()
        await super().shutdown(sockets)

    def _leave(self) -> None:
        self.should_exit = True  # another process takes its place, with all its threads

    def _watch(self) -> None:
        """Ends the process when its loop has stood still; not where the process itself was stopped for a while."""
        late = 0
        while True:
            before = time.monotonic()
            time.sleep(1)
            now = time.monotonic()
            stands = self._beat and now - self._beat > self._standstill and now - before < 2
            late = late + 1 if stands else 0
            if late > 1:
                _log.error("process %d stands still, %s, and ends", os.getpid(), self._where())
                _exit(1)

    def _where(self) -> str:
        root = str(self._loaded().current.site.root)
        frame = sys._current_frames().get(threading.main_thread().ident or 0)
        while frame is not None and not is_of_site(frame.f_code.co_filename, root):
            frame = frame.f_back
        return "not in the site's code" if frame is None else f"at {_place(frame, root)}"


def _owns_process() -> bool:
    """Tells whether a server is what its process is for: then it runs on the main thread."""
    return threading.current_thread() is threading.main_thread()


def _place(frame: FrameType, root: str) -> str:
    """Gives file and line of the site; a template's line is told by Jinja."""
    template = frame.f_globals.get("__jinja_template__")
    line = template.get_corresponding_lineno(frame.f_lineno) if template is not None else frame.f_lineno
    return f"{frame.f_code.co_filename.removeprefix(root).lstrip('/')}:{line}"


def _end_now() -> None:
    _log.error("process %d ends with a request that didn't", os.getpid())
    _exit(1)


def _exit(code: int) -> NoReturn:
    for handler in logging.getLogger().handlers:
        handler.flush()
    os._exit(code)


class Worker(Process):
    """One of several processes."""

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket.socket], make: Callable[[uvicorn.Config], Server]
    ) -> None:
        self._make = make
        self.asked_at = 0.0  # when it was last asked whether it is there, and hadn't answered
        self.was_ready = False
        super().__init__(config, sockets)

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        """Is what the process does."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it has a site to look at
        self.server  # noqa: B018 - made before the thread that answers could make another
        super().target(sockets)

    @property
    def server(self) -> uvicorn.Server:
        """What it runs."""
        if self._server is None:
            self._server = self._make(self.config)
        return self._server

    def answers(self, patience: float) -> bool:
        """Asks it whether it is there, without waiting. False where it hasn't answered for so many seconds."""
        now = time.monotonic()
        try:
            if self.asked_at and self.parent_conn.poll():
                self.was_ready = bool(self.parent_conn.recv()) or self.was_ready
                self.asked_at = 0.0
            if not self.asked_at:
                self.parent_conn.send(b"ping")
                self.asked_at = now
        except (OSError, EOFError):
            return self.process.is_alive()  # just now
        return now - self.asked_at < patience


@dataclass
class _Pause:
    """How long it takes until a worker that doesn't start is started again."""

    length: float = _FIRST_PAUSE
    until: float = field(default=0.0)


class Supervisor(Multiprocess):
    """uvicorn's supervisor: it replaces a worker that has ended or stands still, and gives SIGHUP on to all."""

    def __init__(
        self,
        config: uvicorn.Config,
        sockets: list[socket.socket],
        make: Callable[[uvicorn.Config], Server],
        *,
        grace: float,
        standstill: float,
        ended: Callable[[int], None] | None = None,
    ) -> None:
        super().__init__(config, sockets)
        self._ended = ended
        self._make = make
        self._grace = grace
        self._patience = standstill + _LAST
        self._pauses: dict[int, _Pause] = {}
        self.has_failed = False

    def _begun(self) -> Worker:
        worker = Worker(self.config, self.sockets, self._make)
        worker.start()
        return worker

    def init_processes(self) -> None:
        """Starts the workers."""
        self.processes.extend(self._begun() for _ in range(self.processes_num))

    def join_all(self) -> None:
        """Waits for the workers to end, for as long as they may take."""
        until = time.monotonic() + self._grace + 2 * _LAST
        for worker in self.processes:
            worker.process.join(max(0.0, until - time.monotonic()))
            if worker.process.is_alive():
                _log.error("worker %s didn't end, and is killed", worker.pid)
                worker.process.kill()
                worker.process.join()

    def keep_subprocess_alive(self) -> None:
        """Looks after each worker. Is called twice a second."""
        for index, worker in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            assert isinstance(worker, Worker)
            if worker.process.is_alive():
                if worker.answers(self._patience):
                    if worker.was_ready:
                        self._pauses.pop(index, None)
                    continue
                _log.error("worker %s doesn't answer, and is killed", worker.pid)
                worker.kill()
            worker.process.join()
            self._replace(index, worker)

    def _replace(self, index: int, worker: Worker) -> None:
        pause = self._pauses.get(index)
        if pause is None:
            self._forget(worker)
            if worker.exitcode == STARTUP_FAILURE and not any(
                isinstance(other, Worker) and other.was_ready for other in self.processes
            ):
                self.has_failed = True  # the worker has said why; the others would say the same
                self.should_exit.set()
                return
            _log.error("worker %s has ended with %s, and is replaced", worker.pid, worker.exitcode)
            pause = self._pauses[index] = _Pause()
        elif time.monotonic() < pause.until:
            return
        pause.until = time.monotonic() + pause.length
        pause.length = min(2 * pause.length, _LONGEST_PAUSE)
        self.processes[index] = self._begun()

    def handle_hup(self) -> None:
        """Lets the workers look for a new build."""
        for worker in self.processes:
            if worker.pid is not None and worker.process.is_alive():
                os.kill(worker.pid, signal.SIGHUP)

    def handle_ttou(self) -> None:
        """Ends one worker."""
        last = self.processes[-1]
        super().handle_ttou()
        if last not in self.processes:
            self._forget(last)

    def _forget(self, worker: Process) -> None:
        if self._ended is not None and worker.pid is not None:
            self._ended(worker.pid)

    def handle_ttin(self) -> None:
        """Starts one more worker."""
        self.processes_num += 1
        self.processes.append(self._begun())
