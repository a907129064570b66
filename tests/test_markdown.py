"""Markdown: CommonMark and its extensions, ids of headings, the table of contents, highlighted code."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.errors import MarkdownError
from hybridsite.markdown import Heading, Rendered, render, stylesheet


def md(text: str) -> Rendered:
    return render(text, file="pages/a.md")


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


# ---- headings


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


class _Attributes(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [(tag, name, value) for name, value in attrs]


def attributes(html: str) -> list[tuple[str, str, str | None]]:
    parser = _Attributes()
    parser.feed(html)
    parser.close()
    return parser.found


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


# ---- code


@pytest.mark.parametrize(
    "word", ["python", "PYTHON", "py", 'python title="a.py"', "python,linenos", "python {1,3}", "python:a"]
)
def test_code_is_highlighted_with_classes(word: str) -> None:
    html = md(f"```{word}\ndef f(): ...\n```").html
    assert html.startswith('<pre class="highlight" data-language="py')
    assert '<span class="k">def</span>' in html
    assert "style=" not in html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("```\na << b\n```", "<pre><code>a &lt;&lt; b\n</code></pre>\n"),
        ("    a << b\n", "<pre><code>a &lt;&lt; b\n</code></pre>\n"),
        ("```nolang\n<b>\n```", '<pre><code class="language-nolang">&lt;b&gt;\n</code></pre>\n'),
        ("```text\n\n a\n\n```", '<pre class="highlight" data-language="text"><code>\n a\n\n</code></pre>\n'),
        ("```python\n```", '<pre class="highlight" data-language="python"><code></code></pre>\n'),
    ],
)
def test_code_that_has_no_colours(text: str, html: str) -> None:
    assert md(text).html == html


@given(st.text("<>&'\"{}%# ab\n\t", max_size=40), st.sampled_from(["", "html", "python", "nolang", "jinja"]))
def test_code_is_kept_as_it_was_written(code: str, language: str) -> None:
    html = md(f"~~~~{language}\n{code}\n~~~~").html

    class Text(HTMLParser):
        kept = ""

        def handle_data(self, data: str) -> None:
            self.kept += data

    parser = Text()
    parser.feed(html)
    parser.close()
    assert parser.kept.rstrip("\n") == code.rstrip("\n")


def test_a_language_is_no_way_out_of_an_attribute() -> None:  # case X1
    html = md('```"><script>alert(1)</script>\nx\n```').html
    assert "<script>" not in html


def test_long_code_is_highlighted_too() -> None:
    assert md("```python\n" + "pass\n" * 5000 + "```").html.count('<span class="k">pass</span>') == 5000


# ---- styles and faults


def test_stylesheet_has_both_schemes() -> None:
    css = stylesheet()
    assert css.count("@media") == 2
    assert "@media not all and (prefers-color-scheme: dark)" in css
    assert ".highlight .k " in css
    assert css.count("{") == css.count("}")


def test_an_unknown_style() -> None:
    with pytest.raises(MarkdownError, match=r'there is no style "monokay" for code; did you mean "monokai"\?'):
        stylesheet("monokay")


@pytest.mark.parametrize(("text", "place"), [("\ud800", "7:1"), ("a\nb\n cé\udfff", "9:4")])
def test_a_fault_has_its_place(text: str, place: str) -> None:
    with pytest.raises(MarkdownError, match=rf"^pages/a\.md:{place}: the text holds half of a surrogate pair"):
        render(text, file="pages/a.md", line=7)
