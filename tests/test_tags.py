"""Links and images in HTML: which URLs are found, and how they are written back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.markdown import render


def urls(text: str) -> list[str]:
    """Gives the URLs that are asked for, in order."""
    asked: list[str] = []

    def resolve(url: str) -> str:
        asked.append(url)
        return url

    render(text, file="pages/a.md", resolve=resolve)
    return asked


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[a](b.md) ![c](d.png)", ["b.md", "d.png"]),
        ('[a](b.md "t") [c][r]\n\n[r]: ../e.md#f?g&h', ["b.md", "../e.md#f?g&h"]),
        ("[![a](b.png)](c.md)", ["c.md", "b.png"]),
        ("[a](<b c.md>) [d](é.md)", ["b%20c.md", "%C3%A9.md"]),
        ("[a](b.md) [c](b.md)", ["b.md"]),
        # not relative, or not a link
        ("[a](/b) [c](#d) [e](?f) [g](https://h) [i](mailto:j@k) <l@m.n> [o](tel:1) [p](//q) [r]()", []),
        ("<https://c> a[^n]\n\n[^n]: d", []),
        ("`[a](b)` <code>\n\n    [a](b)\n", []),
        ('```html\n<a href="b">\n```', []),
        # HTML
        ("<a href='b.md'>x</a> <A HREF=c.md>x</A> <img alt=\"<a href='no'>\" src = d.png>", ["b.md", "c.md", "d.png"]),
        ("<a title=' href=no' href=b.md href=no>x</a>", ["b.md"]),
        ("<a data-href=no>x</a> <abbr href=no>x</abbr> <img href=no> <a src=no>x</a>", []),
        ("<!-- <a href='no'> -->\n\n<script>'<a href=no>'</script>\n\n[a](b.md) <a id=c>", ["b.md"]),
        (
            "<video src=b.mp4 poster='c.png'><source src=d.webm><track src=e.vtt></video>",
            ["b.mp4", "c.png", "d.webm", "e.vtt"],
        ),
        ("<pre><a href='b.md'>x</a></pre>", ["b.md"]),
        ("<a href='b.md", []),
    ],
)
def test_relative_links_and_images_are_found(text: str, wanted: list[str]) -> None:
    assert urls(text) == wanted


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("[a](b)", '<p><a href="/x?&amp;&quot;&lt;y">a</a></p>\n'),
        ("<a href='b' class=c>a</a>", "<p><a href='/x?&amp;&quot;&lt;y' class=c>a</a></p>\n"),
        ("<a class=c href=b>a</a>", '<p><a class=c href="/x?&amp;&quot;&lt;y">a</a></p>\n'),
    ],
)
def test_what_is_given_is_escaped(text: str, html: str) -> None:  # case X1
    assert render(text, file="a.md", resolve=lambda url: '/x?&"<y').html == html


@given(st.text("<a href='\"b>/!-[](img src=`\n ", max_size=60))
def test_urls_left_as_they_are_change_nothing(text: str) -> None:
    assert render(text, file="a.md", resolve=lambda url: url).html == render(text, file="a.md").html
