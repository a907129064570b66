"""What a build tells: a row a route, the places where the session is undefined, warnings and the time it took."""

from __future__ import annotations

from dataclasses import dataclass

from hybridsite.errors import SiteError
from hybridsite.routing import Route
from hybridsite.site import Resource, Site


@dataclass(slots=True)
class RouteRow:
    """One route of the table: `size` in bytes and `seconds` are sums over its `pages`."""

    route: Route
    kind: str
    reason: str
    pages: int = 0
    size: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, resource: Resource, site: Site) -> RouteRow:
        """Says how a route is answered, and why."""
        route = resource.route
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
        if resource.uses_session and site.has_session(resource):
            reasons.append("uses session")
        return cls(route, "prerendered" if route.prerender else "on demand", ", ".join(reasons))

    def add(self, size: int, seconds: float) -> None:
        """Counts one page that was written."""
        self.pages += 1
        self.size += size
        self.seconds += seconds


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
