"""seo(): what a page tells of itself to search engines and other sites."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from selectolax.lexbor import LexborHTMLParser

from hybridsite.errors import SiteError
from tests.e2e.support import write_site
from tests.inprocess import ON_DEMAND, app_of, ask, built_here

TOML = """
[site]
url = "https://example.com"
title = "The Site"
description = "All of it."
author = "A. Maker"
language = "en-GB"
timezone = "Europe/Berlin"
"""
HEAD = "<head><< seo() >></head>"


def tags(html: str) -> dict[str, list[str]]:
    """Gives what the tags of a head say, by name, property or rel."""
    found: dict[str, list[str]] = {}
    for node in LexborHTMLParser(html).css("head > *"):
        given = node.attributes
        key = given.get("name") or given.get("property") or given.get("rel") or node.tag
        found.setdefault(str(key), []).append(str(given.get("content") or given.get("href") or node.text()))
    return found


def head(folder: Path, page: str, toml: str = TOML, url: str = "/a/") -> dict[str, list[str]]:
    """Builds a site with one page and gives its tags."""
    app = app_of(write_site(folder, {"site.toml": toml, "pages/a.html": page}))
    answer = ask(app, url, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    assert answer.status == 200
    return tags(answer.text)


def test_a_page_tells_what_its_front_matter_says(tmp_path: Path) -> None:
    page = "---\ntitle: Oak & <gall>\nsummary: A sum.\nimage: /img/a.png\ndate: 2026-03-01\nupdated: 2026-04-02\n"
    page += 'tags: [oak, "x&y"]\nauthor: B\n---\n' + HEAD
    assert head(tmp_path, page) == {
        "title": ["Oak & <gall> · The Site"],
        "description": ["A sum."],
        "author": ["B"],
        "canonical": ["https://example.com/a/"],
        "og:title": ["Oak & <gall>"],
        "og:type": ["article"],
        "og:url": ["https://example.com/a/"],
        "og:site_name": ["The Site"],
        "og:description": ["A sum."],
        "og:image": ["https://example.com/img/a.png"],
        "og:locale": ["en_GB"],
        "article:published_time": ["2026-03-01T00:00:00+01:00"],
        "article:modified_time": ["2026-04-02T00:00:00+02:00"],
        "article:tag": ["oak", "x&y"],
        "twitter:card": ["summary_large_image"],
    }


def test_the_site_says_what_a_page_doesnt(tmp_path: Path) -> None:
    found = head(tmp_path, HEAD)
    assert (found["title"], found["description"], found["og:type"]) == (["The Site"], ["All of it."], ["website"])
    assert (found["og:title"], found["twitter:card"]) == (["The Site"], ["summary"])
    assert "article:tag" not in found


def test_what_is_given_goes_before_all(tmp_path: Path) -> None:
    own = "seo(title='Own', description='D', image='x/y.png', type='profile', whole_title='Whole')"
    found = head(tmp_path, f"---\ntitle: T\nimage: i.png\n---\n<head><< {own} >></head>")
    assert (found["og:title"], found["description"], found["og:type"]) == (["Own"], ["D"], ["profile"])
    assert found["title"] == ["Whole"]
    assert found["og:image"] == ["https://example.com/a/x/y.png"]


def test_an_entry_speaks_for_the_page_that_shows_it(tmp_path: Path) -> None:
    files = {
        "site.toml": TOML + '[feeds.blog]\nformats = ["rss", "atom"]\ntitle = "The <Blog>"\n',
        "pages/blog/[slug].html": f"---\npaths: blog\n---\n{HEAD}",
        "content/blog/one.md": "---\ntitle: One\ndescription: First.\ndate: 2026-01-02\ntags: [x]\n---\n",
    }
    write_site(tmp_path, files)
    built_here(tmp_path)
    found = tags((tmp_path / "dist/client/blog/one/index.html").read_text())
    assert (found["title"], found["description"]) == (["One · The Site"], ["First."])
    assert (found["og:type"], found["article:tag"]) == (["article"], ["x"])
    assert found["canonical"] == ["https://example.com/blog/one/"]
    assert found["alternate"] == ["/blog/feed.xml", "/blog/atom.xml"]


@pytest.mark.parametrize("first", ["", ON_DEMAND])
def test_addresses_come_from_the_settings_never_from_a_request(tmp_path: Path, first: str) -> None:  # case H2
    found = head(tmp_path, first + HEAD, url="/a/?utm=1")
    assert (found["canonical"], found["og:url"]) == (["https://example.com/a/"], ["https://example.com/a/"])


@pytest.mark.parametrize("first", ["", ON_DEMAND])
def test_without_url_there_are_no_addresses(tmp_path: Path, first: str) -> None:  # case H2
    page = f"{first}<head><< seo(image='/a.png') >></head>"
    found = head(tmp_path, page, "[site]\ntitle = 'x'\n")
    assert not {"canonical", "og:url", "og:image"} & found.keys()


def test_a_page_that_hides_has_no_canonical_address(tmp_path: Path) -> None:
    found = head(tmp_path, f"---\nnoindex: true\n---\n{HEAD}")
    assert found["robots"] == ["noindex"]
    assert "canonical" not in found


def test_a_page_for_an_error_has_no_address(tmp_path: Path) -> None:
    app = app_of(write_site(tmp_path, {"site.toml": TOML, "pages/404.html": HEAD}))
    found = tags(ask(app, "/nowhere/").text)
    assert "canonical" not in found
    assert found["title"] == ["The Site"]


def test_base_and_trailing_slash_are_kept(tmp_path: Path) -> None:
    toml = TOML + 'base = "/b"\n[routing]\ntrailing_slash = "ignore"\n'
    for url in ("/b/a/", "/b/a"):
        assert head(tmp_path, ON_DEMAND + HEAD, toml, url)["canonical"] == ["https://example.com/b/a/"]


def test_nothing_gets_out_of_its_attribute(tmp_path: Path) -> None:  # case X1
    evil = "\"><script>alert(1)</script>'"
    page = f"---\ntitle: {json.dumps(evil)}\n---\n<head><< seo(description=page.title, author=page.title) >></head>"
    app = app_of(write_site(tmp_path, {"site.toml": TOML, "pages/a.html": page}))
    assert "<script" not in ask(app, "/a/").text


@pytest.mark.parametrize("image", ["javascript:alert(1)", "data:text/html,x"])
def test_an_image_is_an_address_of_the_web(tmp_path: Path, image: str) -> None:  # case X1
    write_site(tmp_path, {"site.toml": TOML, "pages/a.html": f"---\nimage: '{image}'\n---\n{HEAD}"})
    with pytest.raises(SiteError, match=r"^pages/a\.html:4: seo\(\) has the image"):
        built_here(tmp_path)
