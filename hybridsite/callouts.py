"""Callouts: a quotation that begins with `[!NOTE]` or another of GitHub's five words, with its title."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from types import MappingProxyType
from typing import Final

TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {"note": "Note", "tip": "Tip", "important": "Important", "warning": "Warning", "caution": "Caution"}
)
"""The kinds there are, with the titles that they have where the site doesn't say others."""

_ALERT = re.compile(rf'<blockquote class="markdown-alert-({"|".join(TITLES)})">')


def with_titles(html: str, titles: Mapping[str, str] = TITLES) -> str:
    """Makes callouts of pyromark's marked quotations.

    The element stays a `blockquote`, so that its end needs no search; its role says that it is no quotation.
    """
    if '<blockquote class="markdown-alert-' not in html:
        return html

    def callout(match: re.Match[str]) -> str:
        title = escape(titles.get(match[1], TITLES[match[1]]))
        return f'<blockquote class="callout callout-{match[1]}" role="note">\n<p class="callout-title">{title}</p>'

    return _ALERT.sub(callout, html)
