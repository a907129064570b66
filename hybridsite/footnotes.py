"""Footnotes, with the way back: the number of a note leads to the place in the text that refers to it."""

from __future__ import annotations

import re
from typing import Final

_NOTE: Final = re.compile(
    r'(<div class="footnote-definition" id="([^"]+)"><sup class="footnote-definition-label">)([^<]*)'
)
_REFERENCE: Final = re.compile(r'<sup class="footnote-reference"><a href="#([^"]+)"')
_SUFFIX: Final = ":ref"  # behind the name of a note, in the id of the first reference to it


def with_back_links(html: str) -> str:
    """Gives HTML in which notes and what refers to them lead to each other, and say so (DPUB-ARIA 1.1)."""
    if 'class="footnote-definition"' not in html:
        return html
    notes = {found[2] for found in _NOTE.finditer(html)}
    placed: set[str] = set()

    def refer(found: re.Match[str]) -> str:
        name = found[1]
        if name not in notes:
            return found[0]
        place = "" if name in placed else f' id="{name}{_SUFFIX}"'
        placed.add(name)
        return f'<sup class="footnote-reference"{place}><a href="#{name}" role="doc-noteref"'

    def lead_back(found: re.Match[str]) -> str:
        opening, name, number = found.groups()
        if name not in placed:  # nothing refers to it
            return found[0]
        return f'{opening}<a href="#{name}{_SUFFIX}" role="doc-backlink">{number}</a>'

    return _NOTE.sub(lead_back, _REFERENCE.sub(refer, html))
