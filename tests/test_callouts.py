"""Callouts: GitHub's five kinds, with titles."""

from __future__ import annotations

import pytest

from hybridsite.markdown import MarkdownStyle, render
from tests.markup import md


@pytest.mark.parametrize("kind", ["note", "tip", "important", "warning", "caution"])
def test_a_callout_has_its_kind_and_a_title(kind: str) -> None:
    wanted = (
        f'<blockquote class="callout callout-{kind}" role="note">\n<p class="callout-title">{kind.title()}</p>\n'
        "<p>Mind <em>this</em>.</p>\n</blockquote>\n"
    )
    assert md(f"> [!{kind.upper()}]\n> Mind *this*.\n").html == wanted
    assert md(f"> [!{kind}]\n> Mind *this*.\n").html == wanted


@pytest.mark.parametrize(
    "text", ["> [!HINT]\n> x", "> [!NOTE] words\n> x", "[!NOTE]\n\n> x", "> x\n> [!NOTE]", "> \\[!NOTE]\n> x"]
)
def test_what_is_no_callout_stays_a_quotation(text: str) -> None:
    assert "callout" not in md(text).html


def test_callouts_stand_in_lists_and_in_each_other() -> None:
    html = md("- > [!TIP]\n  > a\n\n> [!NOTE]\n> > [!WARNING]\n> > b\n").html
    assert html.count('role="note"') == 3
    assert html.count("<blockquote") == html.count("</blockquote>") == 3


def test_titles_may_be_the_sites_own() -> None:
    style = MarkdownStyle(callouts={"note": "Zur <Kenntnis>"})
    html = render("> [!NOTE]\n> a\n\n> [!TIP]\n> b", file="a.md", style=style).html
    assert '<p class="callout-title">Zur &lt;Kenntnis&gt;</p>' in html
    assert '<p class="callout-title">Tip</p>' in html


def test_a_callout_in_code_is_code() -> None:
    assert "role" not in md('```html\n<blockquote class="markdown-alert-note">\n```').html
