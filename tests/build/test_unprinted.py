"""What was meant to be printed and is shown as it stands: told once a source, with its place; never what is code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.support import write_files, write_site
from tests.inprocess import built_here

PAGE = "---\ntitle: A\n---\n<!doctype html>\n"


def told(root: Path) -> list[str]:
    """Builds, and gives the warnings without their mends."""
    return ["; ".join(str(warning).split("; ")[:2]) for warning in built_here(root).warnings]


@pytest.mark.parametrize(
    ("file", "text", "place", "mend"),
    [
        ("pages/a.html", PAGE + "<p>\n  {{ page.title }}", "6:3: {{ page.title }}", "write << page.title >>;"),
        ("pages/a.html", PAGE + '<a href="{{url_for("x")}}">', "5:10: {{url_for(", 'write << url_for("x") >>;'),
        ("pages/a.html", PAGE + "{% for post in [1] %}{{ post | upper }}{% endfor %}", "5:22: {{ post | upper }}", ""),
        ("pages/a.md", "---\nlayout: layouts/x.html\n---\nHi {{ page.title }}.", "4:4: {{ page.title }}", "jinja: "),
        ("pages/a.md", "Hi << site.title >>.", "1:4: << site.title >>", "write a \\ before it"),
        ("pages/a.md", "- a\n\n{% if page.x %}\n", "3:1: {% if page.x %}", ""),
        ("content/blog/a.md", "Hi {{ entry.slug }}.", "1:4: {{ entry.slug }}", "page's template print it"),
        ("components/x.html", "{{ data.x }}", "1:1: {{ data.x }}", ""),
    ],
)  # fmt: skip
def test_it_is_told_with_its_place_and_its_mend(tmp_path: Path, file: str, text: str, place: str, mend: str) -> None:
    files = {
        "layouts/x.html": "<< content >>",
        "components/x.html": "",
        "pages/index.html": "{% include 'components/x.html' %}",
        "content/blog/b.md": "fine",
        "pages/blog/[slug].html": "---\npaths: blog\n---\n<< entry.html >>",
        "pages/all.html": "{% for post in collection('blog') %}<< post.html >>{% endfor %}",
        file: text,
    }
    root = write_site(tmp_path / "site", files)
    (warning,) = built_here(root).warnings
    assert str(warning).startswith(f"{file}:{place}")
    assert "is shown as it is written" in str(warning)
    assert mend in str(warning)
    assert told(root) == told(root) != []  # of what is kept, too


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pages/a.html", "{{ count }} {{ todo.title }} {{/if}} {{ }}"),
        ("pages/a.html", "{% raw %}{{ page.title }}{% endraw %}"),
        ("pages/a.html", "{# {{ page.title }} #}"),
        ("pages/a.html", "<pre><b>{{ page.title }}</b></pre><code>{{ page.title }}</code>"),
        ("pages/a.html", "<script>`{{ page.title }}`</script><style>{{ page.x }}</style><!-- {{ page.x }} -->"),
        ("pages/a.html", "<< '{{ page.title }}' >>"),
        ("pages/a.txt", "{{ page.title }}"),
        ("pages/a.md", "`{{ page.x }}`, ``<< site.x >>``\n\n```jinja\n{{ page.x }}\n```\n\n    {{ page.x }}\n"),
        ("pages/a.md", "> ~~~\n> {% if page.x %}\n> ~~~\n\n- a\n\n  ```\n  << page.x >>\n  ```\n"),
        ("pages/a.md", "\\{{ page.title }} and \\<< page.x >> and 1 << 2 >> 1"),
        ("pages/a.md", "---\njinja: true\n---\n<< page.title | default('') >>"),
    ],
)  # fmt: skip
def test_what_is_code_or_marked_or_anothers_is_not(tmp_path: Path, file: str, text: str) -> None:
    assert told(write_site(tmp_path / "site", {file: text})) == []


def test_what_comes_from_data_is_nobody_s_slip(tmp_path: Path) -> None:
    # case X2
    files = {"data/x.json": '["{{ page.title }}", "<< site.title >>"]', "pages/a.html": "<< data.x | join >>"}
    assert told(write_site(tmp_path / "site", files)) == []


def test_with_other_delimiters_these_are_meant(tmp_path: Path) -> None:
    files = {
        "site.toml": '[templates]\nvariable = ["{{", "}}"]\n',
        "pages/a.html": "{{ site.title }}",
        "pages/b.md": "",
    }
    root = write_site(tmp_path / "site", files)
    assert told(root) == []
    write_files(root, {"pages/b.md": "{{ site.title }}"})
    assert told(root) == ["pages/b.md:1:1: {{ site.title }} is shown as it is written; Markdown is no template"]


def test_it_is_told_once_a_source_however_many_pages_it_makes(tmp_path: Path) -> None:
    files = {"layouts/x.html": "{{ page.title }} {{ page.title }}\n{{ site.title }}{% block b %}{% endblock %}"}
    files |= {f"pages/{name}.html": "{% extends 'layouts/x.html' %}" for name in "abc"}
    assert [line.partition(": ")[0] for line in told(write_site(tmp_path / "site", files))] == ["layouts/x.html:1:1"]
