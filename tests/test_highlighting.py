"""Code blocks of Markdown: info strings, highlighted code, marked lines, titles, and the stylesheet."""

from __future__ import annotations

import contextlib
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.errors import Location, MarkdownError, SiteErrors
from hybridsite.highlighting import Info, read_info, stylesheet
from hybridsite.markdown import render
from tests.markup import md


@pytest.mark.parametrize(
    "word", ["python", "PYTHON", "py", 'python title="a.py"', "python,linenos", "python {1}", "python:a"]
)
def test_code_is_highlighted_with_classes(word: str) -> None:
    html = md(f"```{word}\ndef f(): ...\n```").html
    assert '<pre class="highlight" data-language="py' in html
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


def test_stylesheet_has_both_schemes() -> None:
    css = stylesheet()
    assert css.count("@media") == 2
    assert "@media not all and (prefers-color-scheme: dark)" in css
    assert ".highlight .k " in css
    assert css.count("{") == css.count("}")


def test_an_unknown_style() -> None:
    with pytest.raises(MarkdownError, match=r'there is no style "monokay" for code; did you mean "monokai"\?'):
        stylesheet("monokay")


# ---- info strings


@pytest.mark.parametrize(
    ("text", "info"),
    [
        ("", Info()),
        ("python", Info("python")),
        ("PYTHON {2,4-6}", Info("python", ((2, 2), (4, 6)))),
        ("python{2}", Info("python", ((2, 2),))),
        ("python,linenos {1}", Info("python", ((1, 1),))),
        ("{ 1 - 3 , 5 }", Info("", ((1, 3), (5, 5)))),
        ("js title='a \"b\".js' {1} {3}", Info("js", ((1, 1), (3, 3)), 'a "b".js')),
        ("c++ title=main.cc", Info("c++", (), "main.cc")),
        ('text title=""', Info("text")),
        ("c#", Info("c#")),
    ],
)
def test_an_info_string_says_language_lines_and_title(text: str, info: Info) -> None:
    assert read_info(text, 9) == info


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("python {0}", '"0" is no range of lines'),
        ("python {3-2}", '"3-2" is no range of lines'),
        ("python {}", '"{}" behind a code block\'s language names no lines; write ```python {2,4-6} title="app.py"'),
        ("{.python .annotate}", '"{.python .annotate}" behind a code block\'s language names no lines'),
        ("python {1-9999999999}", '"{1-9999999999}" behind a code block\'s language names no lines'),
        ("python {4}", "line 4 of a code block is marked, which has 3 lines"),
        ('python titel="x"', 'a code block has no option "titel"; did you mean "title"?'),
        ("python linenums", 'a code block has no option "linenums"; take it out'),
        ("python title", 'a code block has no option "title"; write title="…"'),
        ('python title="x', 'a code block has no option "title"; write title="…"'),
        ('python "x"', 'the info string of a code block can\'t be read; it has "x"'),
        ("python {1", "the info string of a code block can't be read; it has {1"),
    ],
)
def test_what_an_info_string_cannot_say_is_told(text: str, told: str) -> None:
    with pytest.raises(MarkdownError) as raised:
        read_info(text, 3)
    assert str(raised.value).startswith(told)
    assert read_info(text, 3, strict=False).language in ("python", "")


@given(st.text(" {}=\"',-1ab\t", max_size=20))
def test_any_info_string_is_read_or_told(text: str) -> None:
    read_info(text, 3, strict=False)
    with contextlib.suppress(MarkdownError):
        read_info(text, 3)


def test_faults_of_code_blocks_stand_at_their_lines_all_at_once() -> None:
    text = "é\n\n- > ```py {9}\n  > x\n  > ```\n\n~~~ py titel=x\n~~~\n"
    with pytest.raises(SiteErrors) as raised:
        render(text, file="pages/a.md", line=5)
    assert [(fault.location, fault.what) for fault in raised.value.faults] == [
        (Location("pages/a.md", 7, 5), "line 9 of a code block is marked, which has 1 line"),
        (Location("pages/a.md", 11, 1), 'a code block has no option "titel"'),
    ]


# ---- marked lines and titles


def test_marked_lines_and_a_title() -> None:
    assert md('```python {1,3-4} title="a < b.py"\na = 1\nb = 2\nc = 3\nd = 4\n```').html == (
        '<figure class="code">\n<figcaption>a &lt; b.py</figcaption>\n'
        '<pre class="highlight" data-language="python"><code>'
        '<span class="hll"><span class="n">a</span> <span class="o">=</span> <span class="mi">1</span>\n</span>'
        '<span class="n">b</span> <span class="o">=</span> <span class="mi">2</span>\n'
        '<span class="hll"><span class="n">c</span> <span class="o">=</span> <span class="mi">3</span>\n</span>'
        '<span class="hll"><span class="n">d</span> <span class="o">=</span> <span class="mi">4</span>\n</span>'
        "</code></pre>\n</figure>\n"
    )


@pytest.mark.parametrize(
    ("info", "html"),
    [
        ("nolang {2}", '<pre class="highlight"><code class="language-nolang">&lt;a>\n'),
        ("{2}", '<pre class="highlight"><code>&lt;a>\n'),
    ],
)
def test_lines_of_no_known_language_are_marked_too(info: str, html: str) -> None:
    wanted = html.replace("a>", "a&gt;") + '<span class="hll">b</span>\nc\n</code></pre>\n'
    assert md(f"```{info}\n<a>\nb\nc\n```").html == wanted


def test_each_block_has_its_own_info_string() -> None:
    html = md("    indented\n\n```\nnone\n```\n\n> ~~~text {1}\n> two\n> ~~~\n\n1. ```nolang\n   three\n").html
    assert html.count("hll") == 1
    assert '<span class="hll">two' in html
    assert '<code class="language-nolang">three' in html


def test_the_stylesheet_marks_lines() -> None:
    assert ".highlight .hll" in stylesheet()
