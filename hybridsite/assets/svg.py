"""SVG: never drawn here, only its size is read."""

from __future__ import annotations

import re
from xml.parsers import expat

from hybridsite.errors import AssetError, Location

_LENGTH = re.compile(r"\s*([0-9]{1,6}(?:\.[0-9]{1,6})?)(?:px)?\s*")
_BOX = re.compile(r"[\s,]*".join([r"\s*[-+0-9.e]+", r"[-+0-9.e]+", *[r"([0-9]{1,6}(?:\.[0-9]{1,6})?)"] * 2]) + r"\s*")
_MOST = 100_000


class _Found(Exception):
    """Ends the reading: the rest is of no interest."""


def size_of(body: bytes, shown: str) -> tuple[int, int]:
    """Gives the width and the height that an SVG says it has, by its attributes or its viewBox. Raises AssetError."""
    root: dict[str, str] = {}

    def start(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] == "svg":
            root.update(attributes)
        raise _Found

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    try:
        parser.Parse(body[:_MOST], False)
    except _Found:
        pass
    except expat.ExpatError as error:
        place = Location(shown, error.lineno, error.offset + 1)
        raise AssetError("the picture is no SVG", why=expat.ErrorString(error.code), location=place) from None
    sides = [_LENGTH.fullmatch(root.get(name, "")) for name in ("width", "height")]
    box = _BOX.fullmatch(root.get("viewBox", ""))
    if sides[0] and sides[1]:
        width, height = float(sides[0][1]), float(sides[1][1])
    elif box:
        width, height = float(box[1]), float(box[2])
        if found := sides[0]:
            width, height = float(found[1]), height * float(found[1]) / (width or 1)
    else:
        width = height = 0
    if width < 0.5 or height < 0.5:
        raise AssetError(
            f"the picture {shown} says no size",
            why="a page with it would jump as it comes",
            mend='give its <svg> a viewBox, or width and height: viewBox="0 0 400 300"',
        )
    return round(width), round(height)
