"""`--why`: the chain from what has changed to a page, or that the page was kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hybridsite.errors import BuildError
from tests.e2e.support import built, write_files, write_site
from tests.inprocess import built_here

SITE: dict[str, str | bytes] = {
    "layouts/base.html": "<title></title>{% block main %}{% endblock %}\n{% include 'components/foot.html' %}",
    "components/foot.html": "foot",
    "pages/index.html": "{% extends 'layouts/base.html' %}",
    "pages/list.html": "<< data.list | join >><< url_for('pages/index.html') >>",
    "pages/code.html": "<< x >>",
    "pages/code.py": "def load(context):\n    return {'x': 1}\n",
    "data/list.json": "[]",
}


@pytest.mark.parametrize(
    ("file", "text", "url", "told"),
    [
        ("components/foot.html", "new", "/",
         "/ was made anew: components/foot.html changed, which pages/index.html → pages/index.html:1 → "
         "layouts/base.html:2 leads to"),
        ("pages/index.html", "new", "/", "/ was made anew: pages/index.html changed"),
        ("data/list.json", "[1]", "/list/", "/list/ was made anew: data.list changed"),
        ("data/list.json", "[1]", "/", "/ was kept: nothing that it was made from has changed"),
        ("data/list.json", "[1]", "code", "/code/ was made anew: data/list.json changed, and pages/code.html runs"),
        ("pages/index.html", "---\nprerender: false\n---\n", "/list/",
         "/list/ was made anew: the route of pages/index.html changed"),
        ("pages/new.html", "new", "/new/", "/new/ was made anew: the last build had no such page"),
        ("pages/list.py", "def load(context): ...", "/list/", "/list/ was made anew: another file, module"),
    ],
)  # fmt: skip
def test_the_chain_is_told(tmp_path: Path, file: str, text: str, url: str, told: str) -> None:
    root = write_site(tmp_path / "site", SITE)
    built_here(root)
    write_files(root, {file: text})
    assert built_here(root, why=url).why.startswith(told)


BLOG: dict[str, str | bytes] = {
    "pages/blog/[slug].html": "---\npaths: blog\n---\n<< entry.data.title >> << entry.next.slug | default('') >>",
    "pages/titles.html": "{% for post in collection('blog') %}<< post.data.title >>{% endfor %}",
    "pages/bodies.html": "{% for post in collection('blog') %}<< post.html >>{% endfor %}",
    "pages/whole.html": "<< collection('blog') | map(attribute='data.title') | join >><< collection('blog')[0].url >>",
    "content/blog/a.md": "---\ntitle: A\n---\n",
    "content/blog/b.md": "---\ntitle: B\n---\n",
}


@pytest.mark.parametrize(
    ("file", "text", "url", "told"),
    [
        ("b", "---\ntitle: N\n---\n", "/titles/",
         "/titles/ was made anew: title of blog/b changed, by content/blog/b.md"),
        ("b", "---\ntitle: N\n---\n", "/blog/a/", "/blog/a/ was kept: nothing that it was made from has changed ("),
        ("b", "---\ntitle: N\n---\n", "/whole/",
         "/whole/ was made anew: the data of blog/b changed, by content/blog/b.md"),
        ("b", "---\ntitle: B\n---\nnew", "/bodies/",
         "/bodies/ was made anew: the body of blog/b changed, by content/blog/b.md"),
        ("b", "---\ntitle: B\n---\nnew", "/titles/", "the field title of 2 entries of blog)"),
        ("c", "---\ntitle: C\n---\n", "/titles/",
         "/titles/ was made anew: the entries of blog, or their order, changed"),
        ("c", "---\ntitle: C\n---\n", "/blog/b/", "/blog/b/ was made anew: the neighbours of blog/b changed"),
        ("b", "---\ntitle: B\n---\nnew", "/blog/b/", "the field title and the neighbours of blog/b)"),
    ],
)  # fmt: skip
def test_the_fields_of_entries_are_told_by_their_names(
    tmp_path: Path, file: str, text: str, url: str, told: str
) -> None:
    root = write_site(tmp_path / "site", BLOG)
    built_here(root)
    write_files(root, {f"content/blog/{file}.md": text})
    assert told in built_here(root, why=url).why


def test_what_a_kept_page_was_made_from_is_told_by_names_that_its_author_knows(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", BLOG | SITE | {"pages/any.html": "<< asset('a.css') >>", "assets/a.css": ""})
    built_here(root)
    told = {
        url: built_here(root, why=url).why.partition("has changed (")[2] for url in ("/whole/", "list", "any", "/code/")
    }
    assert told["list"] == "pages/list.html, site.toml; data.list; the URL of pages/index.html)"
    assert told["any"] == "pages/any.html, site.toml; what lies in assets/)"
    assert told["/code/"] == "any file of the site, since Python makes it, or what no build can follow)"
    assert "where the entries of blog have their pages; which entries blog has, in which order" in told["/whole/"]


def test_a_route_stands_for_its_pages(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", BLOG)
    built_here(root)
    write_files(root, {"content/blog/a.md": "---\ntitle: N\n---\n"})
    first, second = built_here(root, why="/blog/[slug]/").why.splitlines()
    assert first.startswith("/blog/a/ was made anew: title of blog/a changed")
    assert second.startswith("/blog/b/ was kept")
    write_files(root, {f"content/blog/{number}.md": "---\ntitle: T\n---\n" for number in range(9)})
    *pages, more = built_here(root, why="blog/[slug]").why.splitlines()
    assert (len({line.partition(" ")[0] for line in pages}), more) == (10, "/blog/[slug]/ has 1 more page")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("/cart/", "pages/cart.html is rendered on demand"),
        ("/old/", "leads on from there to /cart/"),
        ("/blog/[slug]/", "no pages so far"),
        ("/nowhere-near/", "`hybridsite routes` lists the routes"),
    ],
)
def test_a_route_without_a_prerendered_page_says_what_it_is(tmp_path: Path, url: str, why: str) -> None:
    files = {
        "site.toml": '[redirects]\n"/old/" = "/cart/"\n',
        "pages/cart.html": "---\nprerender: false\n---\n",
        "pages/blog/[slug].html": "",
        "pages/blog/[slug].py": "def paths(site):\n    return []\n",
    }
    with pytest.raises(BuildError, match=re.escape(why)):
        built_here(write_site(tmp_path / "site", SITE | files), why=url)


def test_a_page_of_entries_that_moves_is_told(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", BLOG)
    built_here(root)
    (root / "pages/blog").rename(root / "pages/posts")
    assert "the page that shows the entries of blog changed" in built_here(root, why="/whole/").why


def test_the_first_build_and_a_clean_one_keep_nothing(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", SITE)
    for options in ({}, {"clean": True}):
        assert "/ was made anew: nothing is kept" in built_here(root, why="/", **options).why


def test_a_page_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match='did you mean "/list/"'):
        built_here(write_site(tmp_path / "site", SITE), why="/lists/")


def test_the_command_prints_it(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", SITE)
    built(root)
    assert "/ was kept: nothing" in built(root, "--why", "/").stdout
