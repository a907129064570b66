"""What a build tells: the table of routes, how each is answered and why, with notices, warnings and its time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from hybridsite.errors import SiteError, count

if TYPE_CHECKING:  # what tells that nothing has changed shall not wait for all that a build needs
    from hybridsite.routes import Route
    from hybridsite.site import Site


@dataclass(slots=True)
class RouteRow:
    """One route of the table: `size` in bytes and `seconds` are sums over its `pages`.

    `is_many` for a route with parameters.
    """

    pattern: str
    is_many: bool
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
            return cls(
                route.pattern, False, "redirect", f"{route.redirect.status or 301} to {route.redirect.to}", "site.toml"
            )
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
        return cls(route.pattern, bool(route.parameters), kind, ", ".join(reasons), route.source)

    def add(self, size: int, seconds: float) -> None:
        """Counts one page that was written."""
        self.pages += 1
        self.size += size
        self.seconds += seconds


class PageRow(NamedTuple):
    """One page: its file below dist/, in bytes, and the seconds that it took, now or when it was last rendered.

    `why` says why it was rendered; "" for one that was kept. `spent` has the seconds of its templates, in a profile.
    """

    url: str
    file: str
    kind: str
    source: str
    size: int
    seconds: float
    why: str = ""
    spent: Mapping[str, float] = {}


@dataclass(frozen=True, slots=True)
class BuildReport:
    """The outcome of a build that succeeded. `kept` pages are the last build's, `why` explains one.

    `phases` has the seconds of each phase, `told` the pages by themselves: none where nothing at all had changed.
    """

    rows: tuple[RouteRow, ...]
    notices: tuple[SiteError, ...]
    warnings: tuple[SiteError, ...]
    seconds: float
    kept: int = 0
    why: str = ""
    phases: Mapping[str, float] = field(default_factory=dict)
    told: tuple[PageRow, ...] = ()

    @property
    def pages(self) -> int:
        """How many pages the site has, those among them that were kept."""
        return sum(row.pages for row in self.rows)
