"""What is told of a site without a build: versions, and what is known."""

from __future__ import annotations

import platform
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from hybridsite import __version__
from hybridsite.build.rows import RouteRow
from hybridsite.errors import ServeError, count
from hybridsite.manifest import read_manifest
from hybridsite.places import is_dist
from hybridsite.site import BUILD, Mode, load_site
from hybridsite.units import told


def version_facts() -> dict[str, str]:
    """Gives the versions of all that takes part."""
    return {
        "hybridsite": __version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()}), {sys.executable}",
        "platform": platform.platform(),
        "packages": ", ".join(_installed(lambda extra: not extra)),
        "extras": ", ".join(_installed(bool)) or "none",
    }


def _installed(wanted: Callable[[str], bool]) -> list[str]:
    """Names the packages with their versions, of the extras that are wanted ("" for those that are always there)."""
    from importlib.metadata import PackageNotFoundError, requires, version

    names = set()
    for line in requires("hybridsite") or ():
        extra = re.search(r"extra == ['\"]([^'\"]+)", line)
        name = re.split(r"[^A-Za-z0-9_.-]", line)[0]
        if wanted(extra[1] if extra else "") and name != "hybridsite":
            names.add(name)
    told = []
    for name in sorted(names):
        with suppress(PackageNotFoundError):  # an extra that nobody asked for, or not for this platform
            told.append(f"{name} {version(name)}")
    return told


def site_facts(root: Path, state: Path, *, environ: Mapping[str, str], stale: Callable[[], bool]) -> dict[str, str]:
    """Gives what is known of a site, or of a dist/, without building it. Raises SiteErrors.

    Of settings it has names and sizes alone, no options: a secret may be among these.
    """
    built = is_dist(root)
    if built:
        mode, assets = Mode(prerendering=False, alone=True), read_manifest(root).assets
        site = load_site(root / "server", mode, environ=environ, assets=assets)
    else:
        site = load_site(root, BUILD, environ=environ)
    settings = site.settings
    kinds = Counter(RouteRow.of(route, site).kind for route in site.router.routes)
    facts = {
        "site": str(root.resolve()),
        "routes": ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items(), reverse=True)),
        "adapter": f"{settings.build.adapter}, output {settings.build.output}",
        "session": f"{settings.session.driver}, ttl {told(settings.session.ttl)}" if settings.session.driver else "off",
        "cache": settings.cache.driver or "off",
        "settings": ", ".join(sorted(settings.model_fields_set - {"session", "cache", "build"})) or "defaults",
        "plugins": ", ".join(plugin.use for plugin in settings.plugins) or "none",
        "variables": ", ".join(sorted(name for name in environ if name.startswith("HYBRIDSITE_"))) or "none",
        "state": f"{state}{'' if state.is_dir() else ' (not made yet)'}",
    }
    try:
        manifest = read_manifest(root if built else root / "dist")
    except ServeError:
        return {**facts, "dist": "not built, or not by this version"}
    age = "" if built else ", older than its sources" if stale() else ", as new as its sources"
    return {**facts, "dist": f"{count(len(manifest.files), 'file')} by hybridsite {manifest.version}{age}"}
