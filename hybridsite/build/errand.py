"""What a worker of a cluster is sent to do: have pages of a site rendered by a process beside it.

All that is sent and given back is of Python's plain types, so that a worker which has another version of hybridsite, or
none, can read it and say so: one that can't read what it is sent ends itself.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Mapping

from hybridsite.build.parcel import Parcel
from hybridsite.build.renderer import Refused, receive, send
from hybridsite.build.versions import difference, versions


def render(key: str, made_by: Mapping[str, str], body: bytes, wanted: bytes) -> bytes:
    """Has some pages of a parcel rendered, and gives the process's answer as it came.

    Raises ChildProcessError where the process died.
    """
    if told := difference(made_by, versions()):
        return pickle.dumps(Refused(told, "install the same on every machine"))
    process = _idle(key) or _Process(Parcel(key, body, made_by))
    try:
        answer = process.ask(wanted)
    except (OSError, EOFError) as error:
        raise ChildProcessError(f"the process that renders ended with {process.end()}") from error
    with _lock:
        _processes.append(process)
    return answer


def close(key: str) -> None:
    """Ends the processes of a parcel that wait for work."""
    while (process := _idle(key)) is not None:
        process.end()


class _Process:
    """A process that has a site to itself."""

    def __init__(self, parcel: Parcel) -> None:
        self.key = parcel.key
        # Not by -m: what it answers with would be of a module that is called __main__ there alone.
        command = [sys.executable, "-P", "-c", "from hybridsite.build.renderer import main; main()"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._parcel: Parcel | None = parcel

    def ask(self, wanted: bytes) -> bytes:
        """Has pages rendered. Raises OSError and EOFError where the process is gone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._parcel is not None:
            send(self._process.stdin, pickle.dumps(self._parcel))
            self._parcel = None
        send(self._process.stdin, wanted)
        return receive(self._process.stdout)

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        if self._process.poll() is None:
            return True
        self.end()  # its pipes
        return False

    def end(self) -> int:
        """Has it end, and gives its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                pipe.close()
            except OSError:  # what was to be sent can't be
                continue
        try:
            return self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


_processes: list[_Process] = []
"""The processes of this worker that wait for work. A cluster calls functions, and keeps nothing for them."""
_lock = threading.Lock()


def _idle(key: str) -> _Process | None:
    """Takes a process of a parcel that waits. Those that have ended, of whatever build, are forgotten."""
    with _lock:
        _processes[:] = [process for process in _processes if process.is_alive]
        found = next((process for process in _processes if process.key == key), None)
        if found is not None:
            _processes.remove(found)
    return found
