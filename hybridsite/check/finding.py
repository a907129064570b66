"""One thing that is wrong, with the rule that says so: an error, or a warning that --strict makes one."""

from __future__ import annotations

from hybridsite.errors import Location, SiteError

RULES = {
    "broken-link": "A link or an asset leads to nothing that the site has.",
    "broken-anchor": "A link leads to a part of a page that the page doesn't have.",
    "duplicate-id": "Two elements of one page have the same id.",
    "missing-alt": "A picture has no alt.",
    "nesting": "A tag stands where a browser won't leave it, or is never closed.",
    "external-link": "A page of another site doesn't answer.",
    "unused-file": "A component, a layout or an asset that nothing refers to.",
    "orphan-page": "A page that no other page leads to.",
}
WARNINGS = frozenset({"unused-file", "orphan-page"})


class CheckFault(SiteError):
    """What `hybridsite check` has found in a site that builds: `rule` says what kind it is."""

    code = "check"

    def __init__(
        self, rule: str, what: str, *, why: str = "", mend: str = "", location: Location | None = None
    ) -> None:
        super().__init__(what, why=why, mend=mend, location=location)
        self.rule = rule


def rule_of(fault: SiteError) -> str:
    """Gives the rule of a fault: its code where it was found by loading or building."""
    return fault.rule if isinstance(fault, CheckFault) else fault.code


def is_warning(fault: SiteError) -> bool:
    """Tells whether a fault lets `check` end 0."""
    return rule_of(fault) in WARNINGS
