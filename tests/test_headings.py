"""Headings of Markdown: their ids, links to them, and the table of contents."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.markdown import Heading, MarkdownStyle, render
from tests.markup import attributes, md


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ("# A & B", [(1, "a--b", "A & B")]),
        ("Two\n---", [(2, "two", "Two")]),
        ("# `code` *em* [link](x) ![pic](y)", [(1, "code-em-link", "code em link")]),
        ("# Ünï Cödé 日本", [(1, "ünï-cödé-日本", "Ünï Cödé 日本")]),
        ("# 😀\n# !!!\n#", [(1, "section", "😀"), (1, "section-1", "!!!"), (1, "section-2", "")]),
        ("# a\n## A\n# a", [(1, "a", "a"), (2, "a-1", "A"), (1, "a-2", "a")]),
        ("# a-1\n# a\n# a", [(1, "a-1", "a-1"), (1, "a", "a"), (1, "a-2", "a")]),
        ("# a\n# Own {#a}", [(1, "a-1", "a"), (1, "a", "Own")]),
        ("# Own {#my-id .cls}", [(1, "my-id", "Own")]),
        ('# 1 < 2 "q"', [(1, "1--2-q", '1 < 2 "q"')]),
        ("# a[^n]\n\n[^n]: x", [(1, "a", "a")]),
        ("# n\n\na[^n]\n\n[^n]: x", [(1, "n-1", "n")]),
        ("<h2>own</h2>\n\n## own", [(2, "own", "own"), (2, "own-1", "own")]),
        ("<h2 class='x' id='i'>own</h2>", [(2, "i", "own")]),
        ("<H3 ID=i>own</H3>", [(3, "i", "own")]),
        ("<h2 data-id='x'>y</h2>", [(2, "y", "y")]),
        ("<!-- <h2>no</h2> -->\n\n# yes", [(1, "yes", "yes")]),
        ("<script>a = '<h2>no</h2>'</script>\n\n# yes", [(1, "yes", "yes")]),
        ("<pre><h2>no</h2></pre>\n\n# yes", [(1, "yes", "yes")]),
        ("```\n<h2>no</h2>\n# no\n```", []),
        ("<p title='<h2>no</h2>'>x</p>", []),
        ("<h2>never closed\n\ntext", []),
        ("<h2>a</h3>\n\n# b", [(1, "b", "b")]),
        ("#no", []),
    ],
)
def test_headings(text: str, headings: list[tuple[int, str, str]]) -> None:
    rendered = md(text)
    assert rendered.headings == tuple(Heading(*heading) for heading in headings)
    found = [value for tag, name, value in attributes(rendered.html) if name == "id" and re.fullmatch("h[1-6]", tag)]
    assert found == [heading[1] for heading in headings]


@given(st.lists(st.tuples(st.integers(1, 6), st.text("ab-1 &<`é\"'", max_size=6)), max_size=8))
def test_ids_are_there_once_each(headings: list[tuple[int, str]]) -> None:
    rendered = md("\n\n".join(f"{'#' * level} x{text}" for level, text in headings))
    ids = [value for _, name, value in attributes(rendered.html) if name == "id"]
    assert ids == [heading.id for heading in rendered.headings]
    assert len(set(ids)) == len(ids)
    assert [heading.level for heading in rendered.headings] == [level for level, _ in headings]
    targets = [value for _, name, value in attributes(rendered.toc) if name == "href"]
    assert targets == [f"#{heading.id}" for heading in rendered.headings if heading.level in (2, 3)]


@given(st.text("<h2>/#'\"!- a\n`=id", max_size=80))
def test_any_text_is_rendered(text: str) -> None:
    rendered = md(text)
    assert all(f'id="{heading.id}"' in rendered.html or "id" in text for heading in rendered.headings)


# ---- table of contents


def test_toc() -> None:
    assert md("# a\n## b & c\n### d\n#### e\n## f").toc == (
        '<ul>\n<li><a href="#b--c">b &amp; c</a><ul>\n<li><a href="#d">d</a></li>\n</ul>\n</li>\n'
        '<li><a href="#f">f</a></li>\n</ul>\n'
    )


@pytest.mark.parametrize("text", ["", "# a", "#### a", "text"])
def test_no_toc(text: str) -> None:
    assert md(text).toc == ""


def test_toc_that_begins_deeper() -> None:
    assert md("### a\n## b").toc == '<ul>\n<li><a href="#a">a</a></li>\n<li><a href="#b">b</a></li>\n</ul>\n'


def test_toc_holds_no_html_of_a_heading() -> None:  # case X1
    toc = md('## <script>alert("1")</script> {#a"b}\n').toc
    assert "<script" not in toc
    assert '#a"' not in toc


# ---- links to headings


def test_headings_may_end_with_a_link_to_themselves() -> None:
    rendered = render("## a *b*\n<h3 id='x\"y'>c</h3>", file="a.md", style=MarkdownStyle(heading_links=True))
    assert rendered.html == (
        '<h2 id="a-b">a <em>b</em> <a class="heading-link" href="#a-b" aria-hidden="true" tabindex="-1">#</a></h2>\n'
        "<h3 id='x\"y'>c"
        ' <a class="heading-link" href="#x&quot;y" aria-hidden="true" tabindex="-1">#</a></h3>'
    )
    assert [heading.text for heading in rendered.headings] == ["a b", "c"]
