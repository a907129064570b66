"""The Content-Security-Policy (CSP, Level 3): what a page may run and load, its own scripts by hash or nonce."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from html.parser import HTMLParser
from types import MappingProxyType

_SELF = "'self'"
_UNSAFE_INLINE = "'unsafe-inline'"
DEFAULTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "default-src": (_SELF,),
        "script-src": (_SELF,),
        "style-src": (_SELF,),
        "img-src": (_SELF, "data:"),
        "object-src": ("'none'",),
        "base-uri": (_SELF,),
        "form-action": (_SELF,),
        "frame-ancestors": (_SELF,),
    }
)
# These stand for themselves: to add 'self' to them would mean nothing.
_OF_ATTRIBUTES = ("script-src-attr", "style-src-attr")
SVG = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; sandbox"
"""The policy of an SVG file that is opened by itself: it may look as it does, and runs nothing."""

# HTML, 4.12.1: a script of another type is data, which is never run.
_RUN = re.compile(
    r"|module|importmap|speculationrules|(?:text|application)/(?:x-)?(?:java|ecma)script|text/(?:jscript|livescript)",
    re.IGNORECASE,
)
_CODE = re.compile(r"[\s\x00-\x20]*javascript:", re.IGNORECASE)
_URL_ATTRIBUTES = ("href", "src", "action", "formaction")


class Policy:
    """The policy of a site: the defaults, and the sources that [security] csp adds to them by directive."""

    def __init__(self, added: Mapping[str, Sequence[str]] = MappingProxyType({})) -> None:
        self._directives = {name: list(sources) for name, sources in DEFAULTS.items()}
        for name, sources in added.items():
            usual = DEFAULTS["default-src"] if name.endswith("-src") and name not in _OF_ATTRIBUTES else ()
            own = self._directives.setdefault(name, list(usual))
            if sources and "'none'" in own:
                own.remove("'none'")
            own += [source for source in sources if source not in own]

    def header(self, *, nonce: str | None = None, scripts: Iterable[str] = (), styles: Iterable[str] = ()) -> str:
        """Gives the header's value. `scripts` and `styles` are hashes of what stands in the page, as `digest` gives."""
        named = [f"'nonce-{nonce}'"] if nonce else []
        inline = {"script-src": [*named, *scripts], "style-src": [*named, *styles]}
        parts = []
        for name, sources in self._directives.items():
            # Browsers pass over 'unsafe-inline' where a hash or a nonce stands beside it.
            more = [] if _UNSAFE_INLINE in sources else inline.get(name, [])
            parts.append(" ".join([name, *dict.fromkeys([*sources, *more])]))
        return "; ".join(parts)

    def header_for_html(self, html: str) -> str:
        """Gives the value for a page that is the same for everybody, with a hash for each script and style in it."""
        found = InlineParts(html)
        return self.header(scripts=map(digest, found.scripts), styles=map(digest, found.styles))

    def blocked(self, html: str) -> list[str]:
        """Names the attributes that no browser follows under this policy: handlers, styles, javascript: URLs."""
        allowed = {
            kind: any(_UNSAFE_INLINE in self._directives.get(name, ()) for name in (f"{kind}-src", f"{kind}-src-attr"))
            for kind in ("script", "style")
        }
        return [told for kind, told in InlineParts(html).attributes if not allowed[kind]]


def digest(text: str) -> str:
    """Gives a script or a style as a policy names it: by its SHA-256, over the text as a browser reads it."""
    read = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    return f"'sha256-{base64.b64encode(hashlib.sha256(read.encode()).digest()).decode()}'"


class InlineParts(HTMLParser):
    """Reads what stands in a page itself: its scripts, its styles, and the attributes that are either."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=False)
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self._into: list[str] | None = None
        self._text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(reversed(attrs))  # of two attributes of one name the first counts
        self._text = []
        if tag == "script":
            kind = (given.get("type") or "").strip().partition(";")[0].strip()
            self._into = self.scripts if "src" not in given and _RUN.fullmatch(kind) else None
        elif tag == "style":
            self._into = self.styles
        for name, value in attrs:
            if name == "style":
                self.attributes.append(("style", f'style="{value}"'))
            elif name.startswith("on") or (name in _URL_ATTRIBUTES and _CODE.match(value or "")):
                self.attributes.append(("script", f'{name}="{value}"'))

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if self._into is not None and tag in ("script", "style"):
            self._into.append("".join(self._text))
            self._into = None
