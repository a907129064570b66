"""Where a build writes: a folder beside dist/, exchanged with it as a whole when everything stands."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hybridsite.build.store import Place
from hybridsite.errors import BuildError, Location
from hybridsite.manifest import MANIFEST

DIST = "dist"
BEFORE = "previous/dist"
"""Where the dist/ before this one is kept, below the state folder, for `hybridsite rollback`."""
_STAGING = ".dist-"
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100


class Output:
    """The files of one build, until `exchange` puts them in the place of dist/.

    Left early, nothing of dist/ has changed. The folder `before` is given what was in its place, and `spare` what was
    in the place of that: the next build begins with it.
    """

    def __init__(self, root: Path, spare: Path | None = None, before: Path | None = None) -> None:
        self._final = root / DIST
        self._root = root
        self._spare = spare
        self._before = before
        self._is_replaced = False
        self._staging = Path()
        self._top = ""
        self._folders: set[str] = set()
        self._names: set[str] = set()
        self._is_used = False

    def __enter__(self) -> Output:
        left = sorted(self._root.glob(f"{_STAGING}*"))  # of a build that was killed; the lock says that none is running
        try:
            self._staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=self._root))
            self._staging.chmod(0o755)
            self._top = str(self._staging)
            self._folders.add(self._top)
        except OSError as error:
            raise _fault(error, self._root) from error
        if self._spare is not None:
            # What the build before the last one wrote: most of it is what this one writes. Whether that is so is asked
            # of each file, and what isn't written now is removed at the end, so that nothing has to be known of it.
            with suppress(OSError):
                self._spare.rename(self._staging)
                self._staging.chmod(0o755)
                self._is_used = True
        for folder in left:
            shutil.rmtree(folder, ignore_errors=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Keeps the old site, where it can be; else it is removed."""
        with suppress(OSError):  # the state is on another disk, say
            if self._is_replaced and self._before is not None:
                self._before.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                if not self._before.exists():
                    self._staging.rename(self._before)
                    return
                exchange(self._staging, self._before)
            if self._spare is not None:
                self._staging.rename(self._spare)
                return
        shutil.rmtree(self._staging, ignore_errors=True)

    @property
    def folder(self) -> Path:
        """Where the files are until then."""
        return self._staging

    def write(self, name: str, body: bytes) -> Place:
        """Writes one file; `name` is its path below dist/. Raises BuildError."""
        path = self._place(name)
        try:
            if self._is_used:
                _remove(path)  # it may be a file of dist/ by another name
            return _write(path, body)
        except OSError as error:
            raise _fault(error, path) from error

    def keep(self, name: str, place: Place) -> bool:
        """Takes a file over from the dist/ that stands, if it is still the one that a build wrote there.

        It is the same file by another name: nothing ever writes into a file of dist/, neither the new one nor the old,
        so that one can't change by way of the other. Where links can't be had, it is to be made anew.
        """
        old, new = f"{self._final}/{name}", f"{self._staging}/{name}"
        try:
            if self._is_used:
                with suppress(FileNotFoundError, NotADirectoryError):
                    if _is_at(place, os.lstat(new)):
                        self._folders.add(new.rpartition("/")[0])
                        self._names.add(new)
                        return True
            self._place(name)
            if self._is_used:
                with suppress(FileNotFoundError):
                    _remove(new)
            if not _is_at(place, os.lstat(old)):
                return False
            os.link(old, new, follow_symlinks=False)
        except OSError:
            return False
        return True

    def read(self, name: str) -> bytes:
        """Gives one file that was written; `name` is its path below dist/. Raises FileNotFoundError."""
        return (self._staging / name).read_bytes()

    def size(self) -> int:
        """Gives how many bytes all that was written or taken over has."""
        return sum(os.lstat(name).st_size for name in self._names)

    def _place(self, name: str) -> str:
        path = f"{self._top}/{name}"
        folder = path.rpartition("/")[0]
        if folder not in self._folders:
            try:
                self._make_folder(folder)
            except OSError as error:
                raise _fault(error, path) from error
            self._folders.add(folder)
        self._names.add(path)
        return path

    def _make_folder(self, folder: str) -> None:
        above = folder.rpartition("/")[0]
        if above not in self._folders:
            self._make_folder(above)
            self._folders.add(above)
        try:
            os.mkdir(folder)
        except (FileExistsError, NotADirectoryError):
            if os.path.isdir(folder):
                return
            way = next((path for path in (folder, *map(str, Path(folder).parents)) if os.path.isfile(path)), None)
            if way is None or way in self._names:
                raise
            os.unlink(way)  # an earlier build had a file there
            os.makedirs(folder, exist_ok=True)

    def wrote(self, name: str) -> None:
        """Learns that another process wrote a file."""
        self._names.add(f"{self._top}/{name}")

    def _clear(self) -> None:
        """Removes all that an earlier build wrote and this one didn't."""
        self._clear_folder(str(self._staging))

    def _clear_folder(self, folder: str) -> None:
        with os.scandir(folder) as listed:
            entries = list(listed)
        for entry in entries:
            path = entry.path
            if entry.is_symlink():
                os.unlink(path)
            elif entry.is_dir(follow_symlinks=False):
                self._clear_folder(path)
                if path not in self._folders:
                    with suppress(OSError):  # it isn't empty
                        os.rmdir(path)
            elif path not in self._names:
                os.unlink(path)

    def exchange(self) -> None:
        """Puts the new files in the place of dist/, in one step where the system can (renameat2 on Linux).

        They are on the disk before that, so that a machine which loses its power has one whole site or the other.
        """
        try:
            if self._is_used:
                self._clear()
            _settle(self._staging)
            if not self._final.exists():
                self._staging.rename(self._final)
            else:
                self._is_replaced = not _is_same(self._staging, self._final)
                exchange(self._staging, self._final)
            _fsync(self._root)
        except OSError as error:
            raise _fault(error, self._final) from error


def _write(path: str, body: bytes) -> Place:
    """Writes a file that isn't there yet, by as few calls as there can be: a build does so ten thousand times."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        written = os.write(descriptor, body)
        while written < len(body):
            written += os.write(descriptor, memoryview(body)[written:])
        return _place_of(os.fstat(descriptor))
    finally:
        os.close(descriptor)


def _remove(path: str) -> None:
    """Removes what is in the way of a file, a folder too."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        shutil.rmtree(path)


def is_there(root: Path, name: str, place: Place) -> bool:
    """Tells whether a file of dist/ is still the one that a build wrote."""
    try:
        return _is_at(place, os.lstat(f"{root}/{DIST}/{name}"))
    except OSError:
        return False


def _place_of(status: os.stat_result) -> Place:
    return Place(status.st_size, status.st_mtime_ns, status.st_ino)


def _is_at(place: Place, status: os.stat_result) -> bool:
    return (status.st_ino, status.st_mtime_ns, status.st_size) == (place.inode, place.time, place.size)


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


def exchange(one: Path, other: Path) -> None:
    """Exchanges two folders, in one step where the system can. Raises OSError."""
    if not _exchange(one, other):
        aside = one.with_name(f"{one.name}-old")
        other.rename(aside)
        one.rename(other)
        aside.rename(one)


def _exchange(one: Path, other: Path) -> bool:
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    result: int = renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    return result == 0


def _is_same(one: Path, other: Path) -> bool:
    """Tells whether two builds are the same, by what their manifests say of all their files."""
    try:
        return (one / MANIFEST).read_bytes() == (other / MANIFEST).read_bytes()
    except OSError:
        return False


def _fault(error: OSError, path: Path | str) -> BuildError:
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
