"""The Python that templates were compiled to, kept for the next build of the same site.

It is code that gets executed, so a file is believed only where nobody else could have written it: the file and its
folder belong to the user who builds, nobody else may write to them, and neither is a link. Whatever doesn't fit,
another version's, or one that is damaged, is as good as none: the templates are compiled, as without it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import marshal
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from types import CodeType

import jinja2

_FORM = b"hybridsite templates 1"
_MOST = 100_000_000


class Compiled:
    """What templates were compiled to, by a hash of all that this depends on; `tool` names what compiles."""

    def __init__(self, file: Path, tool: str) -> None:
        version = f"{tool} {jinja2.__version__} {sys.version} {sys.flags.optimize} {importlib.util.MAGIC_NUMBER.hex()}"
        self._head = b"%s %s" % (_FORM, hashlib.sha256(version.encode()).hexdigest().encode())
        self._file = file
        self._known = self._read()
        self._used: dict[bytes, CodeType] = {}

    def code(self, parts: tuple[object, ...], make: Callable[[], CodeType]) -> CodeType:
        """Gives the code for a template that `parts` tell all of, or has it made."""
        key = hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).digest()
        code = self._used[key] = self._known.get(key) or make()
        return code

    def keep(self) -> None:
        """Writes what was used, if it isn't what was read. What can't be written costs the next build its time."""
        if self._used.keys() == self._known.keys():
            return
        body = marshal.dumps(self._used)
        fresh = self._file.with_name(f"{self._file.name}-{os.getpid()}")
        with suppress(OSError):
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:
                file.write(b"%s %s\n%s" % (self._head, hashlib.sha256(body).hexdigest().encode(), body))
            fresh.replace(self._file)

    def _read(self) -> dict[bytes, CodeType]:
        try:
            if not _is_ours(os.lstat(self._file.parent), stat.S_ISDIR):
                return {}
            descriptor = os.open(self._file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(descriptor, "rb") as file:
                if not _is_ours(os.fstat(descriptor), stat.S_ISREG):
                    return {}
                head, _, body = file.read(_MOST).partition(b"\n")
        except OSError:
            return {}
        if head != b"%s %s" % (self._head, hashlib.sha256(body).hexdigest().encode()):
            return {}
        try:
            known = marshal.loads(body)
        except (ValueError, EOFError, TypeError):
            return {}
        is_whole = isinstance(known, dict) and all(isinstance(code, CodeType) for code in known.values())
        return known if is_whole else {}


def _is_ours(status: os.stat_result, kind: Callable[[int], bool]) -> bool:
    others_may_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return kind(status.st_mode) and status.st_uid == os.geteuid() and not others_may_write


_compiled: ContextVar[Compiled | None] = ContextVar("hybridsite-compiled", default=None)


def compiled() -> Compiled | None:
    """Gives what the build under way keeps, or None where nothing is kept, as in a server."""
    return _compiled.get()


@contextmanager
def keeping(file: Path, tool: str) -> Iterator[None]:
    """Lets the templates that are loaded in its block be compiled once for this build and the next."""
    kept = Compiled(file, tool)
    token = _compiled.set(kept)
    try:
        yield
    finally:
        _compiled.reset(token)
    kept.keep()
