"""roll_back(): the build before the last one, put back into dist/ as a whole."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hybridsite.build.islands import keep_given_out
from hybridsite.build.output import BEFORE, DIST, exchange
from hybridsite.errors import BuildError, Location, ServeError
from hybridsite.manifest import MANIFEST, SHOWN, read_manifest


@dataclass(frozen=True, slots=True)
class RolledBack:
    """What a rollback did: the build that is in dist/ now, and the one that was, each by its name and its time."""

    now: str
    before: str

    @property
    def sentence(self) -> str:
        """Tells it."""
        return f"dist/ is build {self.now} again, in the place of {self.before}; once more puts that one back"


def roll_back(root: Path, state: Path) -> RolledBack:
    """Exchanges dist/ with the build before it, in one step. To be called with the build's lock held.

    What the pages of both give out stays for a day, so that open ones go on. Raises BuildError where there is no build
    before, or it can't be read.
    """
    root = root.resolve()
    dist, before = root / DIST, state / BEFORE
    try:
        read_manifest(before)
    except ServeError as error:
        mend = "it is there from the second build on; to go further back, build the older sources"
        raise BuildError("there is no build to go back to", why=str(error), mend=mend) from error
    told = RolledBack(_told(before), _told(dist))
    keep_given_out(dist, state, time.time())
    try:
        exchange(before, dist)
    except OSError as error:
        why = f"{error.strerror or error}; dist/ is as it was"
        raise BuildError("the build before can't be put back", why=why, location=Location(str(dist))) from error
    return told


def _told(dist: Path) -> str:
    try:
        name = read_manifest(dist).name[:SHOWN]
        when = datetime.fromtimestamp((dist / MANIFEST).stat().st_mtime, UTC)
    except (ServeError, OSError):
        return "nothing"
    return f"{name} of {when:%Y-%m-%d %H:%M:%S} UTC"
