"""What is read off a page: links with their attributes, ids, and tags that no browser leaves where they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.check.markup import read_markup


def nesting(html: str) -> list[str]:
    return [f"{fault.line}:{fault.column} {fault.what}" for fault in read_markup(html).faults]


@pytest.mark.parametrize(
    "html",
    [
        "<p>a<p>b",
        "<p>a<div>b</div>",
        "<ul><li>a<li>b<ul><li>c</ul></ul>",
        "<dl><dt>a<dd>b<dt>c</dl><dl><div><dt>a<dd>b</div></dl>",
        "<table><thead><tr><th>a<th>b<tbody><tr><td>c<td><table><tr><td>d</table></table>",
        "<select><optgroup><option>a<option>b<optgroup><option>c</select>",
        "<a href=x><div><p>block in a link</p></div></a>",
        "<button><p>a</button>",
        "<p><b>a</b><br>b<img alt=''></p>",
        "<svg><a><title>x</title><path/><g></g></a><p/></svg>",
        "<script>'<p></div>'</script><style>a > b {}</style><textarea><p></textarea>",
        "<p><svg></svg></p><p><object><div></div></object></p>",
        "<figure><img alt=''><figcaption>a</figcaption></figure>",
        "<template><li>a</li><tr></tr></template>",
        "<html><head><title>x</title><body><p>a",
        "<input><hr><wbr>",
    ],
)
def test_what_html_allows_is_no_fault(html: str) -> None:
    assert nesting(html) == []


@pytest.mark.parametrize(
    ("html", "told"),
    [
        ("<p>a <p>b</p> c</p>", "1:6 <p> stands inside <p>"),
        ("<p><b>a <ul></ul></b></p>", "1:9 <ul> stands inside <p>"),
        ("<div><li>a</li></div>", "1:6 <li> stands in <div>"),
        ("<a href=x><b><a href=y>z</a></b></a>", "1:14 <a> stands inside <a>"),
        ("<a href=x><button>z</button></a>", "1:11 <button> stands inside <a>"),
        ("<form><div><form></form></div></form>", "1:12 <form> stands inside <form>"),
        ("<div>\n <span>a</div>", "2:2 <span> is never closed"),
        ("<main>\n <div>", "2:2 <div> is never closed"),
        ("a</div>", "1:2 </div> closes nothing"),
        ("<table><td>a</td></table>", "1:8 <td> stands in <table>"),
        ("<div><figcaption></figcaption></div>", "1:6 <figcaption> stands in <div>"),
    ],
)
def test_a_tag_where_no_browser_leaves_it(html: str, told: str) -> None:
    assert told in nesting(html)


@pytest.mark.parametrize("html", ["<img src=a>", "<area href=a>", "<input type=image>", "<svg><img></svg>"])
def test_a_picture_without_alt(html: str) -> None:
    assert [fault.rule for fault in read_markup(html).faults] == ["missing-alt"]


@pytest.mark.parametrize("html", ["<img alt>", "<img alt=''>", "<area>", "<input>", "<!-- <img> -->", "<image>"])
def test_a_picture_with_alt_or_none_at_all(html: str) -> None:
    assert [fault.rule for fault in read_markup(html).faults if fault.rule == "missing-alt"] == []


@pytest.mark.parametrize(
    ("html", "urls"),
    [
        ("<a href=' /a '>", ["/a"]),
        ("<A HREF='/a?b&amp;c'>", ["/a?b&c"]),
        ("<img src=a srcset='a 1x, b,c 2x ,d'>", ["a", "a", "b,c", "d"]),
        ("<source srcset='a.avif 480w, b.avif 960w'>", ["a.avif", "b.avif"]),
        ("<link rel=preconnect href=//x><link rel=stylesheet href=y>", ["y"]),
        ("<form action=/a><button formaction=/b>", ["/a", "/b"]),
        ("<video poster=a src=b><track src=c></video>", ["b", "a", "c"]),
        ("<svg><use href='#a'/></svg>", ["#a"]),
        ("<a href='{{ vue }}'><a name=x><a>", []),
    ],
)
def test_links_are_found_in_every_attribute_that_names_one(html: str, urls: list[str]) -> None:
    assert [link.url for link in read_markup(html).links] == urls


def test_ids_are_found_with_their_places() -> None:
    page = read_markup('<p id="a">\n<p id="a"><a name="b"></a><p ID="é&amp;">')
    assert page.ids == {"a": [(1, 1), (2, 1)], "b": [(2, 11)], "é&": [(2, 27)]}


@given(st.text("<>/=\"' apdivlbt-!&;\n", max_size=60))
def test_no_text_is_too_odd(text: str) -> None:
    read_markup(text)


@given(
    st.recursive(
        st.just(""),
        lambda inner: st.tuples(st.sampled_from(["div", "span", "b", "section"]), st.lists(inner, max_size=3)).map(
            lambda pair: f"<{pair[0]}>{''.join(pair[1])}</{pair[0]}>"
        ),
    )
)
def test_what_is_well_formed_has_no_fault(html: str) -> None:
    assert nesting(html) == []
