"""Footnotes: a note and the text that refers to it lead to each other."""

from __future__ import annotations

import re

from hybridsite.footnotes import with_back_links
from hybridsite.markdown import render

TEXT = "One[^a], two[^ä & b], one again[^a].\n\n[^a]: First.\n\n    More.\n[^ä & b]: Second.\n[^unused]: Third.\n"


def places(html: str) -> tuple[list[str], list[str]]:
    """Gives the ids and the targets of links, in their order."""
    return re.findall(r' id="([^"]*)"', html), re.findall(r'<a href="#([^"]*)"', html)


def test_the_number_of_a_note_leads_back_to_what_refers_to_it_first() -> None:
    html = render(TEXT, file="a.md").html
    ids, targets = places(html)
    assert ids == ["a:ref", "ä &amp; b:ref", "a", "ä &amp; b", "unused"]
    assert targets == ["a", "ä &amp; b", "a", "a:ref", "ä &amp; b:ref"]
    assert html.count('role="doc-noteref"') == 3
    assert '<sup class="footnote-definition-label"><a href="#a:ref" role="doc-backlink">1</a></sup>' in html
    assert '<sup class="footnote-definition-label">3</sup>' in html  # nothing refers to it, so nothing is led to


def test_what_others_write_keeps_to_its_own_ids() -> None:
    html = render(
        TEXT + '\n<sup class="footnote-reference"><a href="#main">x</a></sup>\n', file="a.md", trusted=False
    ).html
    ids, targets = places(html)
    assert [name for name in ids if not name.startswith("user-content-")] == []
    assert [name for name in targets if not name.startswith("user-content-")] == []
    assert ids[0] == "user-content-a:ref"


def test_code_about_footnotes_is_left_alone() -> None:
    text = '`<sup class="footnote-reference"><a href="#a">`\n\n    <div class="footnote-definition" id="a">\n'
    html = render(text, file="a.md").html
    assert with_back_links(html) == html
    assert "doc-" not in html
