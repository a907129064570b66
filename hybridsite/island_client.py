"""The script that fills islands in the browser: one file for all pages, an ES module without dependencies."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import files

from hybridsite.routes import ISLANDS

# Its name holds its hash, so it is the same for ever (RFC 8246).
HEADERS = (("cache-control", "public, max-age=31536000, immutable"),)

_AROUND_SIGNS = re.compile(r"\s*([=(){}\[\],:?&|<>+])\s*")  # no string of the source has one of them beside a space


@cache
def script() -> bytes:
    """Gives the script as it is served: without the comments of its source, and the spaces that only people need."""
    source = files("hybridsite").joinpath("island_client.js").read_text("utf-8")
    lines = (_AROUND_SIGNS.sub(r"\1", line.strip()) for line in source.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//")).encode() + b"\n"


@cache
def script_path() -> tuple[str, str]:
    """Gives the path of the script below the site's base, segment by segment."""
    return ISLANDS, f"client.{hashlib.sha256(script()).hexdigest()[:16]}.js"
