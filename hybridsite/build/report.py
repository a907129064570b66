"""What is told of a site without a build: versions, and what is known."""

from __future__ import annotations

import platform
import re
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from hybridsite import __version__
from hybridsite.build.rows import RouteRow
from hybridsite.errors import ServeError, count
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
