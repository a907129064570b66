"""The one policy that decides what every URL of the site looks like: base, trailing slash, escapes and file names.

A path is decoded once, by `UrlPolicy.read`, from the bytes of the request line. What comes out is the only form of the
path that the router, middleware and `context.url.path` ever see, so none of them can be fooled by another spelling
(CVE-2025-64765 and its kin). What can't be decoded in one way only is refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal
from urllib.parse import quote, unquote_to_bytes

Kind = Literal["page", "file", "endpoint", "action", "island", "error", "redirect"]
TrailingSlash = Literal["always", "never", "ignore"]

# RFC 3986, 3.3: what may stand in a path segment as it is.
_SEGMENT_SAFE = "-._~!$&'()*+,;=:@"
# What most paths are made of, which quoting leaves as it is.
_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9._~/-]*")
# The spelling that nearly every request has: no escapes, no empty segment, none that begins with a dot.
_PLAIN_PATH = re.compile(rb"(?:/[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9_.~!$&'()*+,;=:@-]*)*/?")
# What no page has: a longer path, or a deeper one, would be work and memory for nothing.
_MOST_PATH = 4096
_MOST_SEGMENTS = 100
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
# Control characters, and the lone surrogates that Python makes of file names that are not UTF-8.
CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class PathRefused(Exception):
    """A request path that is no path of any site: `status` is 400 where it can't be decoded, else 404."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class RequestPath:
    """A path decoded and normalised once: `segments` without the site's base, `slash` whether it ended with one."""

    segments: tuple[str, ...]
    slash: bool


@dataclass(frozen=True)
class UrlPolicy:
    """Decides base, trailing slash, escapes and file names, for links, redirects, server and build alike."""

    base: str = ""
    trailing_slash: TrailingSlash = "always"

    @cached_property
    def _base_segments(self) -> tuple[str, ...]:
        return tuple(part for part in self.base.split("/") if part)

    def read(self, raw: bytes) -> RequestPath:
        """Decodes the raw path of a request, once.

        Raises PathRefused: 400 for broken escapes, bytes that are not UTF-8 and control characters; 404 for empty and
        dot segments, escaped slashes, backslashes, paths outside of the site's base, and those of over 4 KB or 100
        segments.
        """
        if len(raw) > _MOST_PATH:
            raise PathRefused(404)
        text = raw.decode("ascii") if _PLAIN_PATH.fullmatch(raw) else self._decode(raw)
        slash = text.endswith("/")
        segments = tuple(text[1:-1].split("/") if slash else text[1:].split("/")) if len(text) > 1 else ()
        if "" in segments or "." in segments or ".." in segments or len(segments) > _MOST_SEGMENTS:
            raise PathRefused(404)
        depth = len(self._base_segments)
        if depth:
            if segments[:depth] != self._base_segments:
                raise PathRefused(404)
            segments = segments[depth:]
        return RequestPath(segments, slash)

    @staticmethod
    def _decode(raw: bytes) -> str:
        if not raw.startswith(b"/"):
            raise PathRefused(400)
        if _BAD_ESCAPE.search(raw):
            raise PathRefused(400)
        try:
            text = unquote_to_bytes(raw).decode("utf-8")
        except UnicodeDecodeError:
            raise PathRefused(400) from None
        if CONTROL.search(text):
            raise PathRefused(400)
        if "\\" in text or text.count("/") != raw.count(b"/"):
            raise PathRefused(404)
        return unicodedata.normalize("NFC", text)

    def has_slash(self, kind: Kind, segments: Sequence[str]) -> bool | None:
        """Tells whether the canonical URL ends with a slash; None where both forms are served."""
        if not segments and not self.base:
            return True  # the root has no other form
        if kind != "page":
            return False
        return {"always": True, "never": False, "ignore": None}[self.trailing_slash]

    def url(self, kind: Kind, segments: Sequence[str], *, slash: bool | None = None) -> str:
        """Gives the escaped path of a URL, with the base: what links, redirects and the file index use.

        `slash` overrides the policy; where both forms are served and it is None, the one with a slash is given.
        """
        wanted = self.has_slash(kind, segments) if slash is None else slash
        path = "/".join((*self._base_segments, *segments))
        if not _NEEDS_NO_QUOTES.fullmatch(path):
            path = "/".join(quote(segment, safe=_SEGMENT_SAFE) for segment in (*self._base_segments, *segments))
        return f"/{path}/" if path and (wanted or wanted is None) else f"/{path}"

    def path(self, path: RequestPath) -> str:
        """Gives the decoded path with the base, as `context.url.path` shows it."""
        text = "/" + "/".join((*self._base_segments, *path.segments))
        return text + "/" if path.slash and len(text) > 1 else text

    def redirect(self, kind: Kind, path: RequestPath, query: str) -> str | None:
        """Gives the canonical URL where `path` is the other form of it, with the query kept; else None.

        It is made from decoded segments, none of them empty, so that it never leads to another host
        (withastro/astro CVE-2025-54793).
        """
        wanted = self.has_slash(kind, path.segments)
        if wanted is None or wanted == path.slash:
            return None
        return self.url(kind, path.segments) + (f"?{query}" if query else "")

    @staticmethod
    def output(kind: Kind, segments: Sequence[str], status: int = 200) -> str:
        """Gives the file below dist/client/ that holds a prerendered path."""
        if kind == "error":
            return "/".join([*segments, f"{status}.html"])
        return "/".join([*segments, "index.html"] if kind == "page" else segments)


@dataclass(frozen=True, slots=True)
class Url:
    """The URL of a request.

    `path` is decoded and normalised once, `query` is as it was sent, without the question mark.
    """

    scheme: str
    netloc: str
    path: str
    query: str = ""

    @property
    def origin(self) -> str:
        """Scheme and host: `https://shop.example`."""
        return f"{self.scheme}://{self.netloc}"

    def __str__(self) -> str:
        query = f"?{self.query}" if self.query else ""
        return f"{self.origin}{quote(self.path, safe=_SEGMENT_SAFE + '/')}{query}"
