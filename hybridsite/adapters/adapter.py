"""The adapters by name, and what each may do: refuse what its host can't run, and add files to a build."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Protocol

from hybridsite.adapters.static import StaticAdapter
from hybridsite.errors import Faults, SiteError
from hybridsite.site import Site

Write = Callable[[str, bytes], object]
"""Writes a file of the build, by its path below dist/."""


class Adapter(Protocol):
    """Fits a build to a host."""

    def check(self, site: Site, faults: Faults) -> None:
        """Adds a fault for each kind of thing in the site that the host can't do."""

    def finish(self, site: Site, taken: Collection[str], write: Write) -> Iterator[SiteError]:
        """Adds files. `taken` has the paths below dist/client/ that are written. Yields what the author is told."""


class StandaloneAdapter:
    """`hybridsite serve`, which does all that a site may ask."""

    def check(self, site: Site, faults: Faults) -> None:
        """Finds nothing that it can't do."""

    def finish(self, site: Site, taken: Collection[str], write: Write) -> Iterator[SiteError]:
        """Adds nothing."""
        return iter(())


def find_adapter(name: str) -> Adapter:
    """Gives the adapter of a name that [build] adapter may have."""
    return StaticAdapter() if name == "static" else StandaloneAdapter()
