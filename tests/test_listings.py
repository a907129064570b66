"""`paths` and `paginate`: the pages that a route makes of a collection, at build and on demand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hybridsite.build import plan as plan_module
from hybridsite.errors import ContentError, RouteError, SiteError
from tests.inprocess import app_of, ask, built_here
from tests.publishing import SITE, Files, faults_of, pages_of, post, site_of

LINKS = "{% for each in entries %}<< each.url >> {% endfor %}"
BLOG = "---\npaths: blog\n---\n<< entry.data.title >>"
PAGES: Files = {
    **SITE,
    "pages/blog/[slug].html": BLOG,
    "pages/tags/[tags].html": "---\npaths: {collection: blog, by: tags}\n---\n<< params.tags >>: " + LINKS,
    "pages/list/[...page].html": "---\npaths: blog\npaginate: 2\n---\n"
    "<< pagination.number >>/<< pagination.total >> of << entries | length >>, << pagination.count >>: "
    "{% for each in pagination.items %}<< each.slug >> {% endfor %}"
    "[<< pagination.prev >>|<< pagination.next >>|<< pagination.first >>|<< pagination.last >>|"
    "<< pagination.url(2) >>]",
    "pages/index.html": "<< url_for('pages/list/[...page].html', page=1) >> "
    "<< url_for('pages/list/[...page].html', page=2) >> << collection('blog')[0].url >>",
}


def test_a_page_for_each_entry_each_value_and_so_many(tmp_path: Path) -> None:
    assert pages_of(tmp_path / "site", PAGES) == {
        "blog/first-post/index.html": "First",
        "blog/second/index.html": "Second",
        "blog/third/index.html": "Third",
        "index.html": "/list/ /list/2/ /blog/third/",
        "list/2/index.html": "2/2 of 3, 3: first-post [/list/||/list/|/list/2/|/list/2/]",
        "list/index.html": "1/2 of 3, 3: third second [|/list/2/|/list/|/list/2/|/list/2/]",
        "tags/ink/index.html": "ink: /blog/second/ /blog/first-post/ ",
        "tags/oak/index.html": "oak: /blog/first-post/ ",
        "tags/woad/index.html": "woad: /blog/third/ ",
    }


def test_pages_of_each_value(tmp_path: Path) -> None:
    files = {
        **SITE,
        "pages/t/[tags]/[...page].html": "---\npaths: {collection: blog, by: tags}\npaginate: 1\n---\n"
        "<< params.tags >> << pagination.items[0].slug >> << pagination.next >>",
        "pages/n/[page].html": "---\npaths: people\npaginate: 1\n---\n<< params.page >> << pagination.prev >>",
    }
    assert pages_of(tmp_path / "site", files) == {
        "n/1/index.html": "1 ",
        "n/2/index.html": "2 /n/1/",
        "t/ink/2/index.html": "ink first-post ",
        "t/ink/index.html": "ink second /t/ink/2/",
        "t/oak/index.html": "oak first-post ",
        "t/woad/index.html": "woad third ",
    }


def test_a_collection_without_entries_has_one_page(tmp_path: Path) -> None:
    files = {
        "content/notes/.gitkeep": "",
        "collections.py": 'from hybridsite import Collection\nnotes = Collection("content/notes")',
        "pages/[...page].html": "---\npaths: notes\npaginate: 5\n---\n<< pagination.total >> << pagination | length >>",
        "pages/x/[slug].html": "---\npaths: notes\n---\n",
    }
    assert pages_of(tmp_path / "site", files) == {"index.html": "1 0"}


def test_entries_below_folders_take_a_rest_parameter_and_other_parameters_are_fields(tmp_path: Path) -> None:
    files = {
        "content/docs/a/b.md": "---\nlang: de\n---\n",
        "content/docs/a/index.md": "---\nlang: en\n---\n",
        "pages/[lang]/[...slug].html": "---\npaths: docs\n---\n<< entry.url >> << params.lang >>",
    }
    assert pages_of(tmp_path / "site", files) == {
        "de/a/b/index.html": "/de/a/b/ de",
        "en/a/index.html": "/en/a/ en",
    }


def test_a_module_gets_the_entry_as_a_prop_and_may_not_hide_it(tmp_path: Path) -> None:
    load = "def load(context):\n    return {'shout': context.props['entry'].data.title.upper()}"
    files = {**SITE, "pages/b/[slug].html": "---\npaths: blog\n---\n<< shout >>", "pages/b/[slug].py": load}
    assert pages_of(tmp_path / "a", files)["b/third/index.html"] == "THIRD"
    hides = {**files, "pages/b/[slug].py": "def load(context):\n    return {'entry': 1}"}
    site_of(tmp_path / "b", hides)
    with pytest.raises(SiteError, match=r'load\(\) gave the name "entry", which is reserved'):
        built_here(tmp_path / "b")


def test_script_in_every_part_of_an_entry_is_escaped(tmp_path: Path) -> None:
    # case X1
    evil = "<script>alert(1)</script>"
    files = {
        "content/notes/a.json": json.dumps({"slug": f"a{evil.replace('/', '')}", "title": evil, "tags": [evil[:8]]}),
        "pages/[slug].html": '---\npaths: notes\n---\n<a href="<< entry.url >>"><< entry.data.title >></a>'
        "<< entry.slug >><< entry.data.tags >>",
        "pages/t/[tags].html": "---\npaths: {collection: notes, by: tags}\n---\n<< params.tags >>"
        "{% for each in entries %}<a href='<< each.url >>'></a>{% endfor %}",
    }
    for text in pages_of(tmp_path / "site", files).values():
        assert "<script" not in text


def test_jinja_in_an_entry_is_text(tmp_path: Path) -> None:
    # case X2
    files = {
        "content/notes/a.md": "---\ntitle: '<< 7 * 7 >>'\n---\n<< 7 * 7 >> {% raise %}",
        "pages/[slug].html": "---\npaths: notes\n---\n<< entry.data.title >> << entry.html >>",
    }
    text = pages_of(tmp_path / "site", files)["a/index.html"]
    assert "49" not in text
    assert "{% raise %}" in text


# On demand.


@pytest.fixture(scope="module")
def on_demand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    demand = "---\nprerender: false\npaths:"
    pages = {
        name: str(text).replace("---\npaths:", demand, 1) for name, text in PAGES.items() if name.startswith("pages")
    }
    files = {**SITE, **pages, "pages/blog/[...rest].html": "---\nprerender: false\n---\nrest << params.rest >>"}
    root = tmp_path_factory.mktemp("listings") / "site"
    site_of(root, files)
    return root


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/blog/first-post/", 200, "First"),
        ("/blog/nobody/", 200, "rest nobody"),
        ("/blog/first-post", 308, ""),
        ("/tags/ink/", 200, "ink: /blog/second/ /blog/first-post/ "),
        ("/tags/none/", 404, None),
        ("/tags/none", 404, None),
        ("/list/", 200, "1/2 of 3, 3: third second [|/list/2/|/list/|/list/2/|/list/2/]"),
        ("/list/2/", 200, "2/2 of 3, 3: first-post [/list/||/list/|/list/2/|/list/2/]"),
        ("/list/1/", 404, None),
        ("/list/3/", 404, None),
        ("/list/0/", 404, None),
        ("/list/02/", 404, None),
        ("/list/-1/", 404, None),
        ("/list/٢/", 404, None),
        ("/list/2/2/", 404, None),
        ("/list/" + "9" * 500 + "/", 404, None),
    ],
)
def test_on_demand_what_the_collection_has_is_answered_and_nothing_else(
    on_demand: Path, path: str, status: int, text: str | None
) -> None:
    from urllib.parse import quote

    if not (on_demand / "dist").exists():
        built_here(on_demand)
    answer = ask(app_of(on_demand), quote(path))
    assert answer.status == status
    assert text is None or answer.text == text


def test_a_number_is_found_by_its_text(tmp_path: Path) -> None:
    files = {
        "content/notes/a.md": "---\nyear: 2026\n---\n",
        "pages/[year].html": "---\nprerender: false\npaths: {collection: notes, by: year}\n---\n<< entries | length >>",
        "pages/n/[year]/[slug].html": "---\nprerender: false\npaths: notes\n---\n<< entry.slug >>",
    }
    site_of(tmp_path / "site", files)
    app = app_of(tmp_path / "site")
    assert [ask(app, path).status for path in ("/2026/", "/2025/", "/n/2026/a/", "/n/2025/a/")] == [200, 404, 200, 404]


# Faults.


@pytest.mark.parametrize(
    ("name", "front", "words"),
    [
        ("[slug]", "paths: blgo", '2:1: there is no collection "blgo"; did you mean "blog"?'),
        ("[id]", "paths: blog", '2:1: the route /[id]/ has no parameter "slug"; `paths` fills slug'),
        ("blog", "paths: blog", '2:1: the route /blog/ has no parameter "slug"'),
        ("[slug]", "paths: {collection: blog, by: tags}", '2:1: the route /[slug]/ has no parameter "tags"'),
        ("[slug]", "paths: blog\npaginate: 2", '3:1: the route /[slug]/ has no parameter "page"'),
        ("[x]/[page]", "paths: blog\npaginate: 2", '2:1: nothing fills the parameter "x" of /[x]/[page]/'),
    ],
)
def test_paths_that_do_not_fit_the_route_are_a_fault(tmp_path: Path, name: str, front: str, words: str) -> None:
    (told,) = faults_of(tmp_path / "site", {**SITE, f"pages/{name}.html": f"---\n{front}\n---\n"})
    assert told.startswith(f"pages/{name}.html:{words}")


def built_faults(root: Path, files: Files) -> str:
    site_of(root, files)
    with pytest.raises(SiteError) as caught:
        built_here(root)
    return str(caught.value)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {"pages/[tag].html": "---\npaths: {collection: blog, by: tag}\n---\n"},
            'pages/[tag].html:2:1: no entry of "blog" has a field "tag"; did you mean "tags"?',
        ),
        (
            {"pages/[date].html": "---\npaths: {collection: blog, by: date}\n---\n"},
            'pages/[date].html:2:1: "date" in the collection "blog" is date; a path is made of text and whole numbers',
        ),
        (
            {"pages/[kind]/[slug].html": "---\npaths: blog\n---\n"},
            'content/blog/third.md:1: the entry "third" has no kind, which pages/[kind]/[slug].html needs for its path',
        ),
        (
            {"content/blog/x/y.md": post("Deep"), "pages/[slug].html": "---\npaths: blog\n---\n"},
            'pages/[slug].html:2:1: the parameter "slug" of pages/[slug].html is "x/y"',
        ),
        (
            {"pages/index.html": "<p>\n<< collection('blog')[0].url >>"},
            'pages/index.html:2: the entries of "blog" have no url; no page says `paths: blog`',
        ),
        (
            {
                "pages/a/[slug].html": BLOG,
                "pages/b/[slug].html": BLOG,
                "pages/index.html": "<< collection('blog')[0].url >>",
            },
            "have no url; several pages have each entry: pages/a/[slug].html, pages/b/[slug].html; say which by",
        ),
        (
            {"pages/index.html": "{% for each in collection('blgo') %}{% endfor %}"},
            'pages/index.html:1: there is no collection "blgo"; did you mean "blog"?',
        ),
        (
            {"pages/[slug].html": "---\npaths: blog\n---\n<< entry.data.titel >>"},
            'did you mean "title"?',
        ),
    ],
)
def test_a_fault_that_shows_while_pages_are_made(tmp_path: Path, files: Files, words: str) -> None:
    assert words in built_faults(tmp_path / "site", {**SITE, **files})


def test_paths_in_both_places_are_a_fault(tmp_path: Path) -> None:
    files = {**SITE, "pages/[slug].html": BLOG, "pages/[slug].py": "def paths(site):\n    return []"}
    (told,) = faults_of(tmp_path / "site", files)
    assert told.startswith("pages/[slug].html:2:1: paths are given here, and by paths() in pages/[slug].py")


def test_a_fault_of_paths_is_told_with_the_faults_of_other_pages(tmp_path: Path) -> None:
    files = {**SITE, "pages/[slug].html": "---\npaths: blgo\n---\n", "pages/index.html": "<< nothing >>"}
    with pytest.raises(SiteError):
        site_of(tmp_path / "site", files)
    from hybridsite.errors import SiteErrors

    with pytest.raises(SiteErrors) as caught:
        built_here(tmp_path / "site")
    assert [str(fault.location) for fault in caught.value.faults] == ["pages/[slug].html:2:1", "pages/index.html:1:4"]


def test_paths_of_a_collection_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # case D4
    monkeypatch.setattr(plan_module, "MOST_PATHS", 2)
    told = built_faults(tmp_path / "site", {**SITE, "pages/[slug].html": BLOG})
    assert told == "pages/[slug].html:2:1: paths gave over 2 paths; it doesn't seem to end"


def test_a_page_that_is_not_there_has_no_url(tmp_path: Path) -> None:
    site = site_of(tmp_path / "site", PAGES)
    listing = site.listings.by_source("pages/list/[...page].html")
    assert listing is not None
    props = listing.find({"page": "2"})
    assert props is not None
    with pytest.raises(RouteError, match="there is no page 3; the pages are 1 to 2"):
        props["pagination"].url(3)  # type: ignore[attr-defined]
    with pytest.raises(ContentError, match='there is no collection "x"'):
        site.collection("x")
