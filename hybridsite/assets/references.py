"""How one asset names another: by a path relative to itself, which is looked up among the names of all."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection
from typing import Protocol
from urllib.parse import quote, unquote

from hybridsite.assets.table import FOLDER, unknown_asset
from hybridsite.documents import place
from hybridsite.errors import AssetError, Location

_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|/|#|$")


class Sources(Protocol):
    """What the makers of style sheets and scripts ask of the workshop."""

    def text(self, name: str) -> str:
        """Gives the text of a file in assets/, those that begin with _ too. Raises SourceError."""
        ...

    def file(self, name: str) -> str:
        """Gives the fingerprinted file of an asset. Raises AssetError."""
        ...

    def known(self) -> Collection[str]:
        """The names of all files in assets/."""
        ...


def resolve(target: str, name: str, text: str, at: int, known: Collection[str]) -> str | None:
    """Gives the name of the asset that `target` means in the asset `name`; None for what lies elsewhere.

    Elsewhere are other hosts, `data:`, paths from the root, folders, and parts of the file itself. `at` is where in
    `text` the target stands. Raises AssetError, with that place, where there is no such asset.
    """
    if _ELSEWHERE.match(target) or target.endswith("/") or target in (".", ".."):
        return None
    path = unquote(re.split(r"[?#]", target, maxsplit=1)[0])
    found = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
    if found in known:
        return found
    fault = unknown_asset(found, known)
    raise AssetError(
        f'"{target}" leads to no asset',
        why=f"there is no {FOLDER}/{found}",
        mend=fault.mend,
        location=located(name, text, at),
    )


def relative(file: str, entry: str, target: str = "") -> str:
    """Gives the URL of a fingerprinted file as seen from the asset `entry`, with the query and fragment of `target`.

    Relative, so that it is the same wherever the site is published.
    """
    found = re.search(r"[?#].*$", target, re.DOTALL)
    way = posixpath.relpath(file, posixpath.join(FOLDER, posixpath.dirname(entry)))
    return quote(way, safe="/-._~!$&*+,;=:@") + (found[0] if found else "")


def located(name: str, text: str, at: int) -> Location:
    """Gives the place of a position in an asset's text."""
    return Location(f"{FOLDER}/{name}", *place(text, at))


def circle(chain: list[str], name: str, location: Location) -> AssetError:
    """Gives the fault of assets that name each other without end."""
    way = " → ".join([*chain[chain.index(name) :], name])
    why = "the name of each would hang on what the other holds"
    return AssetError(
        f"assets name each other in a circle: {way}", why=why, mend="take one of the references out", location=location
    )
