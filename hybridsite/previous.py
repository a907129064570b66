"""What earlier builds gave out, kept for a day in `.hybridsite/previous/`: open tabs and caches still ask for it.

It is no part of dist/. Where a server's state folder is another than the build's, it is simply not there.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

FOLDER = "previous"
KEPT = 86_400.0  # seconds
_FILE = "islands.json"

Islands = Mapping[str, tuple[str, Mapping[str, object]]]


def keep_islands(state: Path, given_out: Islands, now: float) -> None:
    """Keeps the islands of the build that a new one takes the place of, and forgets what has been kept for a day.

    `now` is in seconds since the epoch. Raises OSError. Only one build at a time may do this.
    """
    kept = _read(state, now) | {
        digest: (component, props, now + KEPT) for digest, (component, props) in given_out.items()
    }
    folder = state / FOLDER
    if not kept and not (folder / _FILE).exists():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f"{_FILE}.{secrets.token_hex(4)}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # props may be nobody's business
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(dict(sorted(kept.items())), file, separators=(",", ":"))
    draft.replace(folder / _FILE)


def kept_islands(state: Path, now: float) -> Islands:
    """Gives the islands of earlier builds by their digests: none where nothing is kept, or can be read."""
    return {digest: (component, props) for digest, (component, props, _) in _read(state, now).items()}


def _read(state: Path, now: float) -> dict[str, tuple[str, Mapping[str, object], float]]:
    try:
        stored = json.loads((state / FOLDER / _FILE).read_bytes())
        return {
            str(digest): (str(component), dict(props), float(until))
            for digest, (component, props, until) in stored.items()
            if now < float(until) <= now + KEPT  # a clock that was set back keeps nothing for ever
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
