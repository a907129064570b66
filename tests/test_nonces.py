"""Nonces go to the scripts and styles that a template writes, and to nothing that a template prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridsite.templating import Templates
from tests.e2e.support import write_files


def rendered(folder: Path, source: str, name: str = "a.html", **values: object) -> str:
    """Renders a template as a site with a Content-Security-Policy does, with the nonce "N"."""
    write_files(folder, {name: ""})
    (folder / name).write_text(source)
    templates = Templates(folder, {name: folder / name}, with_nonces=True)
    text: str = templates.render(templates.get(name), {"csp_nonce": "N", **values})
    return text


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("<script>1</script>", '<script nonce="N">1</script>'),
        ("<SCRIPT\n>1</SCRIPT>", '<SCRIPT nonce="N"\n>1</SCRIPT>'),
        ("<style media=print>a{}</style>", '<style nonce="N" media=print>a{}</style>'),
        ("<script type='module'>1</script>", "<script nonce=\"N\" type='module'>1</script>"),
        ("<script src=/a.js></script>", "<script src=/a.js></script>"),
        ('<script nonce="own">1</script>', '<script nonce="own">1</script>'),
        ("<script<< none >>>1</script>", '<script nonce="N">1</script>'),
        ('<script id="<< x >>">1</script>', '<script nonce="N" id="x">1</script>'),
        ("<scripture>", "<scripture>"),
        ("<!-- <script> -->", "<!-- <script> -->"),
        ("<!-- << x >> <script> --><script>", '<!-- x <script> --><script nonce="N">'),
        ('<a title="<script>">', '<a title="<script>">'),
        ('<a title="<< x >><script>"><script>', '<a title="x<script>"><script nonce="N">'),
        ("<script>'<script>'</script>", "<script nonce=\"N\">'<script>'</script>"),
        ("<script>'<style>' << x >> '<script>'</script>", "<script nonce=\"N\">'<style>' x '<script>'</script>"),
        ("<textarea><script></textarea>", "<textarea><script></textarea>"),
        ("<title><< x >><style></title><style>", '<title>x<style></title><style nonce="N">'),
        ("{% if x %}<a b='{% else %}<a b='{% endif %}'><script>", "<a b=''><script nonce=\"N\">"),
        ("{% macro m() %}<script>{% endmacro %}<< m() >>", '<script nonce="N">'),
        ("{% set s %}<script>{% endset %}<< s >>", '<script nonce="N">'),
        ("{% for i in [1, 2] %}<style></style>{% endfor %}", '<style nonce="N"></style>' * 2),
        ("{% raw %}<script><< 1 >>{% endraw %}", '<script nonce="N"><< 1 >>'),
    ],
)
def test_what_the_template_writes(tmp_path: Path, source: str, output: str) -> None:
    assert rendered(tmp_path, source, x="x", none=None) == output


@pytest.mark.parametrize(
    "source", ["<< evil >>", "<< evil | safe >>", "<p><< evil | safe >></p>", "<textarea><< evil >>"]
)
def test_what_it_prints_has_none(tmp_path: Path, source: str) -> None:
    # case X1
    assert "nonce" not in rendered(tmp_path, source, evil="<script>alert(1)</script>")


def test_a_printed_end_of_a_comment_moves_no_nonce(tmp_path: Path) -> None:
    assert "nonce" not in rendered(tmp_path, "<!-- << x | safe >> <script> -->", x="-->")


def test_without_a_nonce_nothing_is_printed(tmp_path: Path) -> None:
    assert rendered(tmp_path, "<script>1</script>", csp_nonce=None) == "<script>1</script>"


@pytest.mark.parametrize("name", ["a.svg", "a.txt", "a.xml", "a.md"])
def test_only_html_has_them(tmp_path: Path, name: str) -> None:
    assert rendered(tmp_path, "<script>", name) == "<script>"
