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
from hybridsite.errors import ServeError, SiteError, count
from hybridsite.manifest import read_manifest
from hybridsite.routes import Route
from hybridsite.site import BUILD, Site, load_site
from hybridsite.units import told


@dataclass(slots=True)
class RouteRow:
    """One route of the table: `size` in bytes and `seconds` are sums over its `pages`."""

    route: Route
    kind: str
    reason: str
    source: str
    pages: int = 0
    size: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, route: Route, site: Site) -> RouteRow:
        """Says how a route is answered, and why."""
        if route.redirect is not None:
            return cls(route, "redirect", f"{route.redirect.status or 301} to {route.redirect.to}", "site.toml")
        resource = site.resources[route.source]
        said = (resource.front is not None and resource.front.prerender is not None) or (
            resource.module is not None and resource.module.prerender is not None
        )
        reasons = []
        if said:
            reasons.append(f"prerender: {str(route.prerender).lower()}")
        elif route.kind == "endpoint":
            reasons.append("endpoint")
        else:
            reasons.append(f'output = "{site.settings.build.output}"')
        if resource.guard:
            reasons.append("guarded")
        if resource.uses_session and site.has_session(resource):
            reasons.append("uses session")
        if resource.is_shared and resource.closure is not None and resource.closure.islands:
            reasons.append(count(len(resource.closure.islands), "island"))
        if resource.front is not None and resource.front.cache is not None and site.settings.cache.driver is not False:
            reasons.append(f"cached {resource.front.cache.max_age:g} s")
        kind = "prerendered" if route.prerender else "on demand"
        return cls(route, kind, ", ".join(reasons), route.source)

    def add(self, size: int, seconds: float) -> None:
        """Counts one page that was written."""
        self.pages += 1
        self.size += size
        self.seconds += seconds


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
    """The outcome of a build that succeeded."""

    rows: tuple[RouteRow, ...]
    notices: tuple[SiteError, ...]
    warnings: tuple[SiteError, ...]
    seconds: float

    @property
    def pages(self) -> int:
        """How many files were rendered."""
        return sum(row.pages for row in self.rows)
