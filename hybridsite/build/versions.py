"""What has to be the same on two machines for them to make the same bytes: the versions of all that takes part."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import hybridsite

_TAKES_PART = re.compile(r"(?!.*\bextra\b)|.*\bextra == ['\"](?:images|i18n)['\"]")
"""Of the extras those whose packages take part in a page; drivers and the search don't."""
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


@cache
def versions() -> Mapping[str, str]:
    """Gives the versions of hybridsite, its files, Python and the packages that take part in a page."""
    found = {
        "hybridsite": hybridsite.__version__,
        "hybridsite's files": _digest(Path(hybridsite.__file__).parent),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    for line in requires("hybridsite") or ():
        name, _, condition = line.partition(";")
        match = _NAME.match(name)
        if match and _TAKES_PART.match(condition):
            found[match[0]] = _version(match[0])
    return found


def difference(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """Says in which versions `there` differs from `here`; nothing where they are the same."""
    names = [name for name in {**here, **there} if here.get(name) != there.get(name)]
    if names == ["hybridsite's files"]:
        return "hybridsite has the same version, and other files"
    told = [name for name in names if name != "hybridsite's files"]
    return ", ".join(f"{name} {there.get(name, '(none)')} instead of {here.get(name, '(none)')}" for name in told)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(none)"


def _digest(package: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"\0{path.relative_to(package).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
