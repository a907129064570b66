"""Markdown: CommonMark and its extensions, ids of headings, the table of contents, highlighted code."""

from __future__ import annotations

import pytest

from hybridsite.errors import MarkdownError
from hybridsite.markdown import render
from tests.markup import md


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("", ""),
        ("a *b* **c** `d`", "<p>a <em>b</em> <strong>c</strong> <code>d</code></p>\n"),
        ("a\r\nb\r\n", "<p>a\nb</p>\n"),
        ("~~x~~", "<p><del>x</del></p>\n"),
        ("[a](/b?c=1&d=2 'e')", '<p><a href="/b?c=1&amp;d=2" title="e">a</a></p>\n'),
        ("![alt](a.png)", '<p><img src="a.png" alt="alt" /></p>\n'),
        ("a & b < c", "<p>a &amp; b &lt; c</p>\n"),
        # case X2
        ("1 << 2, << page.x >>, {% raw %}", "<p>1 &lt;&lt; 2, &lt;&lt; page.x &gt;&gt;, {% raw %}</p>\n"),
        ("`<< x >>`", "<p><code>&lt;&lt; x &gt;&gt;</code></p>\n"),
        # the author's own HTML
        ("<div onclick='a()'>**x**</div>\n", "<div onclick='a()'>**x**</div>\n"),
        ("a <b>c</b>", "<p>a <b>c</b></p>\n"),
        ("<script>\nif (a << 2 && b) {}\n</script>\n", "<script>\nif (a << 2 && b) {}\n</script>\n"),
    ],
)
def test_html(text: str, html: str) -> None:
    assert md(text).html == html


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("| a | b |\n|:--|--:|\n| 1 | 2 |", ["<table>", "<th", "<td", ">1</td>", "</table>"]),
        (
            "- [x] a\n- [ ] b",
            ['<input disabled="" type="checkbox" checked=""/>', '<input disabled="" type="checkbox"/>'],
        ),
        ("a[^n]\n\n[^n]: the note", ['class="footnote-reference"', 'href="#n"', 'id="n"', "the note"]),
    ],
)
def test_extensions(text: str, parts: list[str]) -> None:
    html = md(text).html
    for part in parts:
        assert part in html


@pytest.mark.parametrize(("text", "place"), [("\ud800", "7:1"), ("a\nb\n cé\udfff", "9:4")])
def test_a_fault_has_its_place(text: str, place: str) -> None:
    with pytest.raises(MarkdownError, match=rf"^pages/a\.md:{place}: the text holds half of a surrogate pair"):
        render(text, file="pages/a.md", line=7)
