"""HTML as text: regular expressions for what a browser reads as tags, comments and elements without markup.

Every alternative matches to the end of the text where its own end is missing, as a browser would read it; so the time
is linear in the length of any text. It imports nothing of hybridsite.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape
from typing import Final

TAG_END: Final = r"""(?:[^>"']|"[^"]*(?:"|\Z)|'[^']*(?:'|\Z))*(?:>|\Z)"""
"""What follows the name of a tag, to its end."""
COMMENT: Final = r"<!--(?:>|->|.*?(?:--!?>|\Z))"
OPAQUE: Final = r"<(script|style|textarea|title|template|xmp|iframe|noscript)\b.*?(?:</\1\s*+>|\Z)"
"""An element in which a tag is text, or isn't shown."""

# What pyromark writes for links and images of Markdown, when the source has no such tags of its own.
_MADE = re.compile(r'<(?:a href|img src)="([^"]*)"')
_HOLDERS = {
    "a": ("href",),
    "audio": ("src",),
    "img": ("src",),
    "source": ("src",),
    "track": ("src",),
    "video": ("src", "poster"),
}
_NAMES = "|".join(_HOLDERS)
_OWN = re.compile(rf"<(?:{_NAMES})[\s/]", re.IGNORECASE)
_TOKEN = re.compile(
    rf"{COMMENT}|{OPAQUE}|<(?P<name>{_NAMES})(?P<attributes>(?=[\s/]){TAG_END})|<[a-z/!?]{TAG_END}",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"""([^\s=>"'/]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+)))?""")


def has_links_of_its_own(text: str) -> bool:
    """Tells whether Markdown holds links or images that are written as HTML."""
    return "<" in text and _OWN.search(text) is not None


def with_links(html: str, change: Callable[[str], str], *, own: bool) -> str:
    """Changes the URLs of links, images, films and sounds.

    `change` gets each URL without HTML's escapes, and gives the one to write. `own` says that some of the tags are the
    author's, which may be written in any way; comments and scripts are left alone.
    """
    parts: list[str] = []
    done = 0
    for start, end, quoted in _own_urls(html) if own else ((*found.span(1), True) for found in _MADE.finditer(html)):
        written = html[start:end]
        url = unescape(written) if "&" in written else written
        new = change(url)
        if new != url:
            parts += html[done:start], escape(new) if quoted else f'"{escape(new)}"'
            done = end
    if not parts:
        return html
    parts.append(html[done:])
    return "".join(parts)


def _own_urls(html: str) -> list[tuple[int, int, bool]]:
    """Gives where the URLs stand, and whether in quotes."""
    found: list[tuple[int, int, bool]] = []
    for token in _TOKEN.finditer(html):
        wanted = list(_HOLDERS.get((token["name"] or "").lower(), ()))
        for attribute in _ATTRIBUTE.finditer(html, *token.span("attributes")) if wanted else ():
            if attribute[1].lower() in wanted:
                wanted.remove(attribute[1].lower())  # a browser takes the first of two
                group = attribute.lastindex or 1
                if group > 1:
                    found.append((*attribute.span(group), group < 4))
    return found
