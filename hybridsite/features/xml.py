"""XML as text: what a feed and a sitemap are written with."""

from __future__ import annotations

import re
from typing import Final
from xml.sax.saxutils import escape, quoteattr

HEAD: Final = '<?xml version="1.0" encoding="utf-8"?>\n'
# XML 1.0, 2.2: the characters that a document may hold. Others have no way to be written, escaped neither.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """Gives text without the characters that XML can't hold."""
    return _FORBIDDEN.sub("", text)


def element(name: str, text: str = "", **attributes: str) -> str:
    """Gives an element with its text and attributes escaped, on a line of its own."""
    given = "".join(f" {key.replace('_', ':')}={quoteattr(clean(value))}" for key, value in attributes.items())
    content = escape(clean(text))
    return f"<{name}{given}>{content}</{name}>\n" if content else f"<{name}{given}/>\n"
