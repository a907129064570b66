"""What the last build made that still holds, and what has changed since."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import hybridsite
from hybridsite.build.snapshot import Signature, changed_files, changed_outside, signature_of
from hybridsite.build.store import Made, Store
from hybridsite.build.traces import changed_routes, keys_of


@dataclass(frozen=True, slots=True)
class Kept:
    """What the last build made, by its path below dist/, the keys of all that has changed since, and the files now.

    `outside` has the files outside of the site that pages read which are kept, `names` the files that have changed.
    """

    made: Mapping[str, Made]
    changed: frozenset[str]
    files: Container[str]
    outside: Mapping[str, Signature | None] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    def page(self, place: str, identity: str) -> Made | None:
        """Gives what was made for a page, if nothing that it was made from has changed."""
        made = self.made.get(place)
        return made if made is not None and made.page == identity and not self.stale(made) else None

    def copy(self, place: str, name: str) -> Made | None:
        """Gives what was made of a file that is copied, if it hasn't changed."""
        return self.page(place, name) if name in self.files else None

    def stale(self, made: Made) -> list[str]:
        """Gives the keys of what a file was made from that have changed."""
        return [key for key in made.trace if key in self.changed]


NOTHING = Kept({}, frozenset(), ())


def what_holds(store: Store, root: Path, files: Mapping[str, Signature], routes: Mapping[str, str]) -> Kept:
    """Compares the last build's sources and routes with those of now."""
    beyond = changed_outside(store.outside)
    names = (*changed_files(store.files, root, files), *beyond)
    changed = keys_of(names)
    # Where one of them has changed, every page that may have read any is rendered, and notes them anew.
    outside = {} if beyond else store.outside
    return Kept(store.made, changed | changed_routes(store.routes, routes), files.keys(), outside, names)


def seen_outside(root: Path, noted: Mapping[str, int], began: int) -> dict[str, Signature | None]:
    """Gives the signatures of files outside of the site that its code read: those it named, and modules it imported.

    One that has changed since it was read is given a signature that no file has.
    """
    found = {**{str(path): began for path in _modules_outside(root)}, **noted}
    return {name: _as_read(Path(name), when) for name, when in sorted(found.items())}


def _as_read(path: Path, when: int) -> Signature | None:
    signature = signature_of(path)
    if signature is None:
        return None
    _, written, changed, _ = signature.partition("#")[0].split(":")
    return "changed" if max(int(written), int(changed)) >= when else signature


def _modules_outside(root: Path) -> Iterable[Path]:
    installed = (sys.prefix, sys.base_prefix, str(Path(hybridsite.__file__).parent), str(root))
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.endswith(".py") and not file.startswith(installed):
            path = Path(file)
            if not {"site-packages", "dist-packages"} & set(path.parts):
                yield path
