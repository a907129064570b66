"""The folder of a function: dist/, hybridsite as it built it, and the packages that both need, for the host's machine.

It lies in a hidden folder at the site's root, written when the build stands; the packages are installed before, so that
a build without them is none.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import hybridsite
from hybridsite.adapters.requirements import REQUIREMENTS, extras_of, own_requirements
from hybridsite.adapters.wheels import Target, installed
from hybridsite.errors import AdapterError, BuildError, Location
from hybridsite.places import STATE

if TYPE_CHECKING:
    from hybridsite.adapters.adapter import HostedBuild
    from hybridsite.site import Site

DIST = "dist"
PACKAGES = "_vendor"
# What only `build`, `dev` and `serve` import: the host has a server of its own.
_NOT_NEEDED = ("httptools", "uvicorn", "uvloop", "watchfiles")
_EXTRA = re.compile(r"""(?:\s+and)?\s*extra\s*==\s*["']([^"']+)["']""")
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html; Vercel's functions have the same.
_MOST_BYTES = 262_144_000


def packages_of(site: Site, added: Sequence[str]) -> Path | None:
    """Gives a folder with the packages of a site's function; None where site.toml leaves them to others.

    `added` is what the host asks for besides. Raises AdapterError.
    """
    function = site.settings.build.function
    if not function.packages:
        return None
    cache = Path(site.root) / STATE / "cache" / "packages"
    target = Target(function.python, function.architecture)
    return installed(requirements_of(site, added), target, cache)


def requirements_of(site: Site, added: Sequence[str]) -> list[str]:
    """Lists what a function has to find: hybridsite's dependencies, those of its extras, and the site's own.

    Raises AdapterError where hybridsite itself isn't installed.
    """
    wanted = set(extras_of(site))
    try:
        own = importlib.metadata.requires("hybridsite") or []
    except importlib.metadata.PackageNotFoundError:
        mend = "install hybridsite with pip, or set packages = false in [build.function]"
        raise AdapterError("hybridsite's dependencies aren't known, since it is not installed", mend=mend) from None
    lines = sorted(line for each in own if (line := _wanted(each, wanted)) is not None)
    return [*lines, *added, *own_requirements(Path(site.root))]


def _wanted(requirement: str, extras: set[str]) -> str | None:
    """Gives a requirement of hybridsite without the marker that says of which extra it is; None for another's."""
    if extra := _EXTRA.search(requirement):
        return _EXTRA.sub("", requirement).rstrip("; ") if extra[1] in extras else None
    return None if re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0] in _NOT_NEEDED else requirement


def write_function(site: Site, dist: Path, folder: Path, files: Mapping[str, str], packages: Path | None) -> None:
    """Writes the folder anew: `files` by name, a copy of dist/, and in _vendor/ hybridsite and the packages.

    Raises BuildError where it can't be written.
    """
    vendor = folder / PACKAGES
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text, "utf-8")
        shutil.copytree(dist, folder / DIST)
        if packages is not None:
            shutil.copytree(packages, vendor, copy_function=_linked)
            shutil.rmtree(vendor / "bin", ignore_errors=True)  # commands, which nobody calls there
        shutil.copytree(Path(hybridsite.__file__).parent, vendor / "hybridsite", ignore=_ignored)
    except OSError as error:
        raise BuildError(f"{folder} can't be written", why=error.strerror or str(error)) from error


def check_size(build: HostedBuild, files: Mapping[str, str], packages: Path | None) -> None:
    """Raises AdapterError where the function that `write_function` would write is larger than a host takes.

    It is told before the build stands, so that one which can't go online leaves the one before as it was.
    """
    size = build.size() + sum(len(text.encode()) for text in files.values())
    for root in filter(None, (packages, Path(hybridsite.__file__).parent)):
        for place, folders, names in os.walk(root):
            left = _ignored(place, [*folders, *names]) | ({"bin"} if place == str(packages) else set())
            folders[:] = [name for name in folders if name not in left]
            size += sum(os.stat(os.path.join(place, name)).st_size for name in names if name not in left)
    if size > _MOST_BYTES:
        what = f"the function has {size // 2**20} MiB, and the host takes {_MOST_BYTES // 2**20}"
        mend = "let what is large lie elsewhere, or take packages out"
        raise AdapterError(what, mend=mend, location=Location("site.toml"))


_ignored = shutil.ignore_patterns("__pycache__", "*.pyc")


def _linked(source: str, target: str) -> None:
    """Gives a file a second name where the file system can: there are thousands, and nobody writes into one."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def is_asked(site: Site) -> bool:
    """Tells whether anything of the site has to be answered when it is asked for."""
    from hybridsite.adapters.checks import answered_on_demand, guarded

    errors = [own[404] for own in site.router.errors_in.values() if 404 in own]
    return bool(answered_on_demand(site) or guarded(site)) or not all(error.prerender for error in errors)


def write_beside(site: Site, folder: Path, packages: Path | None, added: Sequence[str]) -> None:
    """Writes what is no part of the function: that git ignores the folder, and what has to be installed by hand."""
    try:
        (folder / ".gitignore").write_text("*\n", "utf-8")
        listed = folder / REQUIREMENTS
        if packages is None:
            lines = ["# Written by hybridsite build: to be installed into _vendor/ of the function."]
            listed.write_text("\n".join([*lines, *requirements_of(site, added)]) + "\n", "utf-8")
        else:
            listed.unlink(missing_ok=True)
    except OSError as error:
        raise BuildError(f"{folder} can't be written", why=error.strerror or str(error)) from error
