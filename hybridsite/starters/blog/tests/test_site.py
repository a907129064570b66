"""Tests of the site, in one process and without a browser: `pip install pytest`, then `pytest`."""

from pathlib import Path

import pytest
from hybridsite.testing import build_site, client

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def site():
    with build_site(ROOT) as site:  # a copy of the folder, which stays as it is
        yield site


@pytest.fixture
def visitor(site):
    return client(site)  # somebody who has never been here


def test_no_page_uses_a_session_that_it_can_not_have(site):
    assert site.report.notices == ()


def test_every_post_has_a_page_and_is_in_the_list_and_in_the_feed(site, visitor):
    home, feed = site.read("index.html"), site.read("blog/feed.xml")
    posts = [path.stem for path in (ROOT / "content/blog").glob("*.md")]
    assert posts
    for post in posts:
        assert visitor.get(f"/blog/{post}/").status == 200
        assert f'href="/blog/{post}/"' in home
        assert f"/blog/{post}/</link>" in feed


def test_a_tag_leads_to_its_posts(visitor):
    assert "What Markdown can do" in visitor.get("/blog/tags/writing/").text
    assert "Making it yours" not in visitor.get("/blog/tags/writing/").text


def test_search_engines_find_the_sitemap(site):
    assert "/sitemap.xml" in site.read("robots.txt")
    assert "/blog/a-first-post/" in site.read("sitemap.xml")


def test_what_is_not_there_is_said_so(visitor):
    answer = visitor.get("/nowhere/")
    assert (answer.status, "There is nothing here" in answer.text) == (404, True)
