"""Where results of work are kept, by a key that names all that they were made from: a folder, or memory."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

DAY = 86_400.0
UNUSED = 30 * DAY
"""The seconds for which a result is kept that nobody asks for."""


class ResultStore:
    """Bytes by key. A folder that can't be written costs memory, and the work of doing it again."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._memory: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        """Gives what was put under a key, or None. What was cut short is as if it weren't there."""
        if self._folder is None or key in self._memory:
            return self._memory.get(key)
        try:
            kept = (self._folder / key[:2] / key).read_bytes()
        except OSError:
            return None
        digest, body = kept[:32], kept[32:]
        if hashlib.sha256(body).digest() != digest:
            return None
        with suppress(OSError):
            os.utime(self._folder / key[:2] / key)  # so that `sweep` knows it as used
        return body

    def put(self, key: str, body: bytes) -> None:
        """Keeps a result."""
        if self._folder is None:
            self._memory[key] = body
            return
        path = self._folder / key[:2] / key
        aside = path.with_name(f"{key}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(hashlib.sha256(body).digest() + body)
            aside.replace(path)
        except OSError:
            self._memory[key] = body

    def sweep(self, now: float) -> None:
        """Removes what nobody has asked for in thirty days, once a day. `now` is in seconds since the epoch."""
        if self._folder is None or not self._folder.is_dir():
            return
        marker = self._folder / ".swept"
        if marker.exists() and abs(now - marker.stat().st_mtime) < DAY:
            return
        marker.touch()
        for path in self._folder.rglob("*"):
            with suppress(OSError):
                if path.is_file() and now - path.stat().st_mtime > UNUSED:
                    path.unlink()


def key_of(*parts: str | bytes) -> str:
    """Gives the key of a result: a hash over what it is made from, each part kept apart from the next."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()
