"""What a build begins with, looked at once: the tool, the files, the environment, and what the last build has left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hybridsite.build import store as stores
from hybridsite.build.snapshot import SECRET, Signature, snapshot, tool, variables
from hybridsite.build.store import Damaged, Store


@dataclass(frozen=True, slots=True)
class Beginning:
    """A site as it was before anything of it was read: what changes later has changed.

    `variables` has the part of the environment that the files may ask for. `last` is what the last build has left, None
    where that is nothing, or is damaged, which `damage` tells. `stamp` tells one state of that from another.
    """

    tool: str
    files: Mapping[str, Signature]
    variables: Mapping[str, str | None]
    last: Store | None
    damage: str
    stamp: tuple[int, ...]

    @classmethod
    def of(cls, root: Path, state: Path, environ: Mapping[str, str]) -> Beginning:
        """Looks at a site as it is now."""
        this, stamp, last, damage = tool(), stores.stamp(state), None, ""
        try:
            last = stores.read(state, this)
        except Damaged as damaged:
            damage = str(damaged)
        files = snapshot(root)
        return cls(this, files, variables(root, files, environ), last, damage, stamp)

    def with_secret(self, hashed: str) -> Beginning:
        """Adds the secret, by its hash, to what was asked for."""
        return replace(self, variables={**self.variables, SECRET: hashed})


def looked_at(root: Path, state: Path, environ: Mapping[str, str], before: Beginning | None) -> Beginning:
    """Gives what was looked at before, unless that is nothing or another build has ended since; then it looks anew."""
    if before is not None and before.stamp == stores.stamp(state):
        return before
    return Beginning.of(root, state, environ)
