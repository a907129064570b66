"""The files of a site as they are now, each with what tells whether it has changed since another build."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import hybridsite
from hybridsite.security import signing_keys

_NOT_SOURCES = ("dist", "node_modules")
# A file that was written so shortly before it was looked at may be written again within one tick of its clock.
_TICK = 100_000_000
_VARIABLE = re.compile(rb"""["'](?:env:)?([A-Z][A-Z0-9_]+)["']""")

SECRET = "the secret"
"""Stands among the variables of a site that has islands for the secret that their digests are made with."""
Signature = str
"""Size, times and inode of a file; the hash of its content with them, where it was written just now."""


def snapshot(root: Path) -> dict[str, Signature]:
    """Gives the signature of every file below a site's root that could be a source, by its path from there.

    Hidden files count in public/ alone. Taken before a build reads its first file, it makes what changes later changed.
    """
    now = time.time_ns()
    return {name: _signature(path, status, now) for name, path, status in _walk(str(root), "")}


def signature_of(path: Path) -> Signature | None:
    """Gives the signature of one file, wherever it lies; None where there is none."""
    try:
        return _signature(str(path), os.stat(path), time.time_ns())
    except OSError:
        return None


def is_same(then: Signature, now: Signature, path: Path) -> bool:
    """Tells whether a file is what it was. Where the times didn't tell, then, its content does."""
    size, _, digest = then.partition("#")
    if not digest:
        return then == now.partition("#")[0]
    return size.partition(":")[0] == now.partition(":")[0] and digest == _digest(str(path))


def changed_files(then: Mapping[str, Signature], root: Path, files: Mapping[str, Signature]) -> list[str]:
    """Names the files below the site's root that are new, gone, or others than they were."""
    gone = [name for name in then if name not in files]
    other = [
        name
        for name, now in files.items()
        if now != (known := then.get(name)) and (known is None or not is_same(known, now, root / name))
    ]
    return sorted(gone + other)


def changed_outside(outside: Mapping[str, Signature | None]) -> list[str]:
    """Names the files outside of the site that are others than they were."""
    changed = []
    for name, then in outside.items():
        now = signature_of(Path(name))
        if ((then is None or now is None) and then is not now) or (
            then is not None and now is not None and not is_same(then, now, Path(name))
        ):
            changed.append(name)
    return changed


def variables(root: Path, names: Iterable[str], environ: Mapping[str, str]) -> dict[str, str | None]:
    """Gives a hash of each environment variable that settings or Python files may ask for; None for one that isn't set.

    Any text in capitals counts as the name of one: some are asked for by a name that is put together elsewhere.
    """
    asked = {"SOURCE_DATE_EPOCH"}
    for name in names:
        if name.endswith(".py") or name == "site.toml":
            try:
                asked.update(found.decode() for found in _VARIABLE.findall((root / name).read_bytes()))
            except OSError:
                continue  # a build says what can't be read
    return {name: hashed(environ[name]) if name in environ else None for name in sorted(asked)}


def secret(environ: Mapping[str, str], state: Path) -> str:
    """Gives a hash of the secret that islands' digests are made with. Raises SecretError."""
    return hashed(signing_keys(environ, state)[0])


def hashed(text: str) -> str:
    """Gives a hash of a text, so that no secret lies in a cache."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def tool() -> str:
    """Names the tool: its version and files, Python's, and the times of the folders that packages lie in."""
    package = Path(hybridsite.__file__).parent
    digest = hashlib.sha256(f"{hybridsite.__version__} {sys.version}".encode())
    for name, _, status in _walk(str(package), ""):
        digest.update(f"\0{name} {status.st_size} {status.st_mtime_ns}".encode())
    for folder in sys.path:
        if folder.endswith(("site-packages", "dist-packages")) and os.path.isdir(folder):
            digest.update(f"\0{folder} {os.stat(folder).st_mtime_ns}".encode())
    return digest.hexdigest()[:32]


def _walk(folder: str, name: str) -> Iterator[tuple[str, str, os.stat_result]]:
    public, top = name.startswith("public/"), not name
    try:
        with os.scandir(folder) as entries:
            every = list(entries)
    except OSError:
        return  # a build says what can't be read
    for entry in every:
        shown = entry.name
        if (shown[0] == "." or shown == "__pycache__") and not public:
            continue
        if entry.is_dir(follow_symlinks=False):
            if not top or not (shown in _NOT_SOURCES or os.path.exists(f"{entry.path}/pyvenv.cfg")):
                yield from _walk(entry.path, f"{name}{shown}/")
            continue
        try:
            status = os.stat(entry.path) if entry.is_symlink() else entry.stat(follow_symlinks=False)
        except OSError:
            continue
        yield f"{name}{shown}", entry.path, status


def _signature(path: str, status: os.stat_result, now: int) -> Signature:
    text = f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}"
    if max(status.st_mtime_ns, status.st_ctime_ns) > now - _TICK and stat.S_ISREG(status.st_mode):
        return f"{text}#{_digest(path)}"
    return text


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "unread"
