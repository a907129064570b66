"""What a build tells: a row a route, the places where the session is undefined, warnings and the time it took.

And what is told of a site without a build.
"""

from __future__ import annotations

import platform
import re
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hybridsite import __version__
from hybridsite.build.rows import RouteRow
from hybridsite.errors import ServeError, SiteError, count
from hybridsite.manifest import read_manifest
from hybridsite.site import BUILD, load_site
from hybridsite.units import told


def version_facts() -> dict[str, str]:
    """Gives the versions of all that takes part."""
    from importlib.metadata import PackageNotFoundError, requires, version

    packages = []
    for line in sorted(requires("hybridsite") or ()):
        name = re.split(r"[^A-Za-z0-9_.-]", line)[0]
        with suppress(PackageNotFoundError):  # not every line is for this platform
            packages.append(f"{name} {version(name)}")
    return {
        "hybridsite": __version__,
        "python": f"{platform.python_version()}, {sys.executable}",
        "platform": platform.platform(),
        "packages": ", ".join(packages),
    }


def site_facts(root: Path, state: Path, *, environ: Mapping[str, str], stale: bool) -> dict[str, str]:
    """Gives what is known of a site without building it, no secret among it. Raises SiteErrors."""
    site = load_site(root, BUILD, environ=environ)
    session = site.settings.session
    kinds = Counter(RouteRow.of(route, site).kind for route in site.router.routes)
    facts = {
        "site": str(site.root),
        "routes": ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items(), reverse=True)),
        "session": f"{session.driver}, ttl {told(session.ttl)}" if session.driver else "off",
        "state": f"{state}{'' if state.is_dir() else ' (not made yet)'}",
    }
    try:
        built = read_manifest(site.root / "dist")
    except ServeError:
        return {**facts, "dist": "not built, or not by this version"}
    age = "older than its sources" if stale else "as new as its sources"
    return {**facts, "dist": f"{count(len(built.files), 'file')} by hybridsite {built.version}, {age}"}


@dataclass(frozen=True, slots=True)
class BuildReport:
    """The outcome of a build that succeeded. `kept` pages are the last build's."""

    rows: tuple[RouteRow, ...]
    notices: tuple[SiteError, ...]
    warnings: tuple[SiteError, ...]
    seconds: float
    kept: int = 0

    @property
    def pages(self) -> int:
        """How many pages the site has, those among them that were kept."""
        return sum(row.pages for row in self.rows)
