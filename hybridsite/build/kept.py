"""What the last build made that still holds, and what has changed since."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import hybridsite
from hybridsite.build.fields import Changes, compare, known_entries
from hybridsite.build.snapshot import Signature, signature_of
from hybridsite.build.store import Made, Store
from hybridsite.build.traces import changed_routes, keys_of, route_facts
from hybridsite.entry_memory import EntryMemory, Known
from hybridsite.site import Site
from hybridsite.used import FILE


@dataclass(frozen=True, slots=True)
class Kept:
    """What the last build made, by its path below dist/, the keys of all that has changed since, and the files now.

    `entries` tells what has changed of entries, `known` all that there is to tell of them.
    `outside` has the files outside of the site that pages read which are kept, `names` the files that have changed.
    """

    made: Mapping[str, Made]
    changed: frozenset[str]
    files: Container[str]
    outside: Mapping[str, Signature | None] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    entries: Changes = field(default_factory=Changes)
    known: Known = field(default_factory=dict)

    def page(self, place: str, identity: str) -> Made | None:
        """Gives what was made for a page, if nothing that it was made from has changed."""
        made = self.made.get(place)
        return made if made is not None and made.page == identity and not self._is_stale(made) else None

    def copy(self, place: str, name: str) -> Made | None:
        """Gives what was made of a file that is copied, if it hasn't changed."""
        return self.page(place, name) if name in self.files else None

    def _is_stale(self, made: Made) -> bool:
        return not self.changed.isdisjoint(made.trace) or any(self.entries.of(made.reads))

    def stale(self, made: Made) -> list[str]:
        """Gives the keys of what a file was made from that have changed."""
        return [key for key in made.trace if key in self.changed]

    def file_of(self, collection: str, slug: str) -> str:
        """Gives the file of an entry; "" where it is gone, or has none."""
        return self.known.get(collection, {}).get(slug, {}).get(FILE, "")

    def stale_fields(self, made: Made) -> list[tuple[str, str]]:
        """Gives the fields of entries that have changed, of those that a file was made from, each with a slug."""
        return list(self.entries.of(made.reads))


NOTHING = Kept({}, frozenset(), ())


def what_holds(site: Site, store: Store, files: Mapping[str, Signature], memory: EntryMemory) -> Kept:
    """Compares the last build's sources, routes and entries with those of now."""
    names = tuple(sorted(memory.changed))
    beyond = [name for name in names if name in store.outside]
    known = known_entries(site, memory)
    entries = compare(site, store.entries, known, memory.changed)
    changed = keys_of(names) | changed_routes(store.routes, route_facts(site)) | entries.keys
    # Where one of them has changed, every page that may have read any is rendered, and notes them anew.
    outside = {} if beyond else store.outside
    return Kept(store.made, changed, files.keys(), outside, names, entries, known)


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
