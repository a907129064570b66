"""A real cluster of Dask's on this machine: a scheduler, and workers that are processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.e2e.support import environment, wait_until

ROOT = Path(__file__).parent.parent.parent


class Cluster:
    """A scheduler on a free port, and what was started for it; all of it ends with the block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workers: list[subprocess.Popen[bytes]] = []
        self._all: list[subprocess.Popen[bytes]] = []
        self._address = ""

    @property
    def scheduler(self) -> subprocess.Popen[bytes]:
        """The process of the scheduler."""
        return self._all[0]

    @property
    def executor(self) -> str:
        """What `--executor` is given."""
        return self._address.replace("tcp://", "dask://")

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        told = self.folder / "scheduler.json"
        arguments = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(told)]
        self._start("dask_scheduler", *arguments)

        def is_there() -> bool:
            try:
                self._address = json.loads(told.read_text())["address"]
            except (OSError, ValueError):
                return False
            return True

        wait_until(is_there, "the scheduler")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._all:
            process.kill()
            process.wait(30)

    def add_worker(self, *, env: Mapping[str, str] | None = None, preload: str = "") -> subprocess.Popen[bytes]:
        """Starts a worker of one thread; `preload` is Python that it runs first."""
        number = len(self.workers)
        arguments = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
        arguments += ["--local-directory", str(self.folder / f"worker-{number}"), "--name", f"worker-{number}"]
        if preload:
            (self.folder / f"preload-{number}.py").write_text(preload)
            arguments += ["--preload", str(self.folder / f"preload-{number}.py")]
        worker = self._start("dask_worker", self._address, *arguments, env=env)
        self.workers.append(worker)
        log = self.folder / f"dask_worker-{len(self._all) - 1}.log"
        wait_until(lambda: "Registered to" in log.read_text(), "the worker", 90)
        return worker

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Ends a worker, or the scheduler, as a machine does that loses its power."""
        process.send_signal(signal.SIGKILL)
        process.wait(30)

    def renderers(self) -> dict[int, psutil.Process]:
        """Gives the processes that render beside the workers, each by its own number."""
        found = {}
        for process in psutil.process_iter(["cmdline", "ppid"]):
            line = " ".join(process.info["cmdline"] or ())
            if "hybridsite.build.renderer" in line and self._is_ours(process):
                found[process.pid] = process
        return found

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return bool(process.environ().get("TEST_CLUSTER") == str(self.folder))
        except psutil.Error:
            return False

    def _start(self, program: str, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        own = environment({"PYTHONPATH": path, "TEST_CLUSTER": str(self.folder), **(env or {})})
        with (self.folder / f"{program}-{len(self._all)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", f"distributed.cli.{program}", *arguments],
                cwd=self.folder,
                env=own,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._all.append(process)
        return process
