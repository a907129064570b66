"""Media types by file name, the same on every machine: the system's own tables are not asked."""

from __future__ import annotations

import mimetypes
import re
from functools import cache, lru_cache

_MORE = {
    ".avif": "image/avif",
    ".js": "text/javascript",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".speculationrules": "application/speculationrules+json",
    ".toml": "application/toml",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
}
_TEXT = (
    "application/json",
    "application/xml",
    "application/manifest+json",
    "image/svg+xml",
    "application/toml",
    "application/yaml",
)

_BINARY = re.compile(
    r"(?:image|audio|video|font)/(?!svg\+xml)|application/(?:pdf|zip|epub\+zip|wasm|x-tar|gzip|vnd\.)|model/"
)


@cache
def _table() -> mimetypes.MimeTypes:
    table = mimetypes.MimeTypes(filenames=())
    for suffix, kind in _MORE.items():
        table.add_type(kind, suffix)
    return table


def media_type(name: str) -> str:
    """Gives the Content-Type of a file by its name, with its charset where it is text."""
    return _media_type(name.rpartition("/")[2])


@lru_cache(maxsize=1024)  # most are called index.html
def _media_type(name: str) -> str:
    # A name is no URL: without its colons, `data:text/html,x` can't pass for one.
    kind, encoding = _table().guess_type(name.replace(":", "_"), strict=True)
    if kind is None or encoding is not None:
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") or kind in _TEXT else kind


def is_binary(name: str) -> bool:
    """Tells by its name whether a file is an image, a sound, a film, a font, a document or an archive: no template."""
    if name.endswith((".md", ".html", ".py")):  # a site of 10,000 entries asks some times of each
        return False
    kind, encoding = _table().guess_type(name.rpartition("/")[2].replace(":", "_"), strict=True)
    return encoding is not None or (kind is not None and _BINARY.match(kind) is not None)
