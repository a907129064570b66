"""Where things lie: a site's sources or a built site, and the folder of what hybridsite keeps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hybridsite.manifest import MANIFEST

STATE_VARIABLE = "HYBRIDSITE_STATE"
STATE = ".hybridsite"


def state_folder(place: Path, environ: Mapping[str, str]) -> Path:
    """Gives the folder of sessions and secret: HYBRIDSITE_STATE, or .hybridsite/ in the site, or beside a dist/."""
    if named := environ.get(STATE_VARIABLE):
        return Path(named).resolve()
    return (place.resolve().parent if is_dist(place) else place.resolve()) / STATE


def is_dist(place: Path) -> bool:
    """Tells a built site from the folder of its sources."""
    return (place / MANIFEST).is_file() and not (place / "site.toml").exists()
