"""Where a build writes: a folder beside dist/, exchanged with it as a whole when everything stands."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hybridsite.errors import BuildError, Location

DIST = "dist"
_STAGING = ".dist-"
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100


class Output:
    """The files of one build, until `exchange` puts them in the place of dist/.

    Left early, nothing of dist/ has changed.
    """

    def __init__(self, root: Path) -> None:
        self._final = root / DIST
        self._root = root
        self._staging = Path()
        self._folders: set[Path] = set()

    def __enter__(self) -> Output:
        for left in self._root.glob(f"{_STAGING}*"):  # of a build that was killed; the lock says that none is running
            shutil.rmtree(left, ignore_errors=True)
        try:
            self._staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=self._root))
            self._staging.chmod(0o755)
        except OSError as error:
            raise _fault(error, self._root) from error
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._staging, ignore_errors=True)

    @property
    def folder(self) -> Path:
        """Where the files are until then."""
        return self._staging

    def write(self, name: str, body: bytes) -> None:
        """Writes one file; `name` is its path below dist/."""
        path = self._place(name)
        try:
            with open(path, "wb") as file:
                file.write(body)
        except OSError as error:
            raise _fault(error, path) from error

    def read(self, name: str) -> bytes:
        """Gives one file that was written; `name` is its path below dist/. Raises FileNotFoundError."""
        return (self._staging / name).read_bytes()

    def _place(self, name: str) -> Path:
        path = self._staging / name
        if path.parent not in self._folders:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise _fault(error, path) from error
            self._folders.add(path.parent)
        return path

    def exchange(self) -> None:
        """Puts the new files in the place of dist/, in one step where the system can (renameat2 on Linux).

        They are on the disk before that, so that a machine which loses its power has one whole site or the other.
        """
        try:
            _settle(self._staging)
            if not self._final.exists():
                self._staging.rename(self._final)
            elif not _exchange(self._staging, self._final):
                old = self._staging.with_name(f"{self._staging.name}-old")
                self._final.rename(old)
                self._staging.rename(self._final)
                shutil.rmtree(old, ignore_errors=True)
            _fsync(self._root)
        except OSError as error:
            raise _fault(error, self._final) from error


def _settle(folder: Path) -> None:
    """Waits until all that lies below a folder is on the disk.

    One syncfs instead of an fsync a file: a file system that keeps a journal writes it once, where 10,000 files would
    have it written 10,000 times.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not _syncfs(descriptor):
            for place, _, files in os.walk(folder):
                for name in files:
                    _fsync(os.path.join(place, name))
                _fsync(place)
    finally:
        os.close(descriptor)


def _syncfs(descriptor: int) -> bool:
    try:
        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError):  # no Linux
        return False
    if syncfs(descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return True


def _fsync(path: str | Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exchange(one: Path, other: Path) -> bool:
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    result: int = renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    return result == 0


def _fault(error: OSError, path: Path) -> BuildError:
    why = error.strerror or str(error)
    return BuildError("the built site can't be written", why=f"{why}; dist/ is as it was", location=Location(str(path)))


@contextmanager
def build_lock(state: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Lets one build at a time into a site. `waiting` is called where another one is under way.

    The lock is the system's, so it goes with a process that dies.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = open(state / "build.lock", "w")  # noqa: SIM115 - held open for as long as the lock
    except OSError as error:
        raise _fault(error, state) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
