"""Content codings: which one a request wants (RFC 9110, 12.5.3), and bodies written in it."""

from __future__ import annotations

import re
import zlib
from functools import lru_cache
from typing import Literal, get_args

Coding = Literal["br", "gzip"]

# Below this a coded body and its headers are hardly smaller; above, it isn't worth the memory.
SMALLEST = 512
LARGEST = 8 * 1024 * 1024

_TYPES = re.compile(r"text/|application/(?:[a-z.-]+\+)?(?:json|xml|wasm|toml|yaml)\b|image/svg\+xml\b")
_MEMBER = re.compile(r"\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*(?:;\s*[qQ]\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?")


def worth_coding(kind: str, size: int) -> bool:
    """Tells whether a body of the type `kind` and of `size` bytes gets smaller by a coding."""
    return SMALLEST <= size <= LARGEST and _TYPES.match(kind) is not None


@lru_cache(maxsize=256)  # browsers send a handful of values
def wanted(accept_encoding: bytes) -> Coding | None:
    """Gives the coding that a request likes best, br before gzip; None where it wants the body as it is.

    What can't be read is left out, and a request that refuses every form gets the plain one: an answer serves people
    better than 406.
    """
    weights: dict[str, float] = {}
    for member in accept_encoding.decode("latin-1").split(","):
        if match := _MEMBER.fullmatch(member):
            name = match[1].lower().removeprefix("x-")
            weights.setdefault(name, float(match[2]) if match[2] else 1.0)
    others = weights.get("*", 0.0)
    best, coding = weights.get("identity", 0.0), None
    for name in get_args(Coding):
        weight = weights.get(name, others)
        if weight > best or (weight == best > 0 and coding is None):
            best, coding = weight, name
    return coding


def encode(body: bytes, coding: Coding) -> bytes:
    """Writes a body in a coding, as small as a few hundredths of a second allow. The same body gives the same bytes."""
    if coding == "gzip":
        packer = zlib.compressobj(9, wbits=31)  # 31: a gzip member, whose head holds no time
        return packer.compress(body) + packer.flush()
    import brotli  # not before a browser asks for it

    small, medium = 64 * 1024, 1024 * 1024
    quality = 11 if len(body) <= small else 9 if len(body) <= medium else 5
    packed: bytes = brotli.compress(body, quality=quality)
    return packed
