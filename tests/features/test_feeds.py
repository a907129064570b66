"""Feeds: valid by their schemas and rules, read back by a real reader, with whole addresses and nothing unescaped."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import feedparser
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hybridsite.errors import SiteError
from hybridsite.features.feeds import Feed, Item, atom, json_feed, rss
from tests.e2e.support import write_site
from tests.inprocess import app_of, ask, built_here

ATOM_SCHEMA = Path(__file__).parent.parent / "data/atom.rng"
TOML = """
[site]
url = "https://example.com"
title = "Gall & <Woad>"
description = "Inks"
author = "A. Maker"
language = "en-GB"
timezone = "Europe/Berlin"
"""
PAGE = "---\npaths: blog\n---\n<< entry.html >>"
FIRST = """
---
title: "First & <b>last</b>"
date: 2026-03-01
tags: [oak, "iron & co"]
author: B. Writer
summary: "What it is: <short>"
---

A [link](second.md#x), an ![image](pot.png), [out](https://e.example/?a&b), [up](../) and [here](#there).

<video src="/film.mp4" poster="still.png"></video> ]]> </content:encoded>
"""
SECOND = "---\ntitle: Second\ndate: 2026-03-02T10:30:00\nupdated: 2026-04-01T12:00:00Z\n---\nSecond text.\n"
FILES: dict[str, str | bytes] = {
    "pages/index.html": "x",
    "pages/blog/[slug].html": PAGE,
    "content/blog/first.md": FIRST,
    "content/blog/second.md": SECOND,
    "content/blog/pot.png": b"\x89PNG",
    "content/blog/still.png": b"\x89PNG",
    "content/blog/draft.md": "---\ntitle: D\ndraft: true\n---\n",
    "content/blog/later.md": "---\ntitle: L\ndate: 2999-01-01\n---\n",
}
ALL = '[feeds.blog]\nformats = ["rss", "atom", "json"]\n'


def built(folder: Path, toml: str = ALL, files: dict[str, str | bytes] | None = None, site: str = TOML) -> Path:
    """Builds a site with feeds and gives the folder of its files."""
    write_site(folder, {**(FILES if files is None else files), "site.toml": site + toml})
    built_here(folder)
    return folder / "dist/client"


@cache
def schema_of_atom() -> etree.RelaxNG:
    """Gives the schema, which takes its time to be read."""
    return etree.RelaxNG(etree.parse(ATOM_SCHEMA))


def assert_valid_atom(text: bytes) -> None:
    """Checks a feed by the schema of RFC 4287, Appendix B, and by the rules that it tells in words."""
    tree = etree.fromstring(text)
    schema_of_atom().assertValid(tree)
    spaces = {"a": "http://www.w3.org/2005/Atom"}
    assert tree.xpath("count(/a:feed/a:author)", namespaces=spaces) == 1
    assert tree.xpath("count(/a:feed/a:link[@rel='self'])", namespaces=spaces) == 1
    ids = tree.xpath("//a:id/text()", namespaces=spaces)
    assert len(set(ids)) == len(ids)
    for updated in tree.xpath("//a:updated/text() | //a:published/text()", namespaces=spaces):
        assert datetime.fromisoformat(updated).tzinfo is not None


def assert_valid_rss(text: bytes) -> None:
    """Checks a feed by the rules of the RSS 2.0 specification: what has to be there, once each, and its form."""
    tree = etree.fromstring(text)
    assert (tree.tag, tree.get("version"), [child.tag for child in tree]) == ("rss", "2.0", ["channel"])
    for name in ("title", "link", "description"):
        assert len(tree.findall(f"channel/{name}")) == 1
        assert tree.findtext(f"channel/{name}")
    known = {"title", "link", "description", "author", "category", "comments", "enclosure", "guid", "pubDate", "source"}
    for item in tree.findall("channel/item"):
        plain = [child.tag for child in item if not child.tag.startswith("{")]
        assert set(plain) <= known
        assert all(plain.count(name) == 1 for name in set(plain) - {"category"})
        assert item.findtext("title") or item.findtext("description")
        assert (item.findtext("guid") or "").startswith("https://")
    for date in tree.xpath("//pubDate/text() | //lastBuildDate/text()"):
        assert parsedate_to_datetime(date).tzinfo is not None


def assert_valid_json(feed: dict[str, Any]) -> None:
    """Checks a feed by the rules of JSON Feed 1.1."""
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert isinstance(feed["title"], str)
    assert all(isinstance(author, dict) and author for author in feed.get("authors", []))
    ids = [item["id"] for item in feed["items"]]
    assert len(set(ids)) == len(ids)
    for item in feed["items"]:
        assert isinstance(item["id"], str)
        assert isinstance(item.get("content_html", item.get("content_text")), str)
        for name in ("date_published", "date_modified"):
            assert name not in item or datetime.fromisoformat(item[name]).tzinfo is not None
        assert all(isinstance(tag, str) for tag in item.get("tags", []))


def test_feeds_are_valid(tmp_path: Path) -> None:
    client = built(tmp_path)
    assert_valid_rss((client / "blog/feed.xml").read_bytes())
    assert_valid_atom((client / "blog/atom.xml").read_bytes())
    assert_valid_json(json.loads((client / "blog/feed.json").read_bytes()))


@pytest.mark.parametrize("name", ["feed.xml", "atom.xml"])
def test_a_reader_finds_the_entries(tmp_path: Path, name: str) -> None:
    client = built(tmp_path)
    read = feedparser.parse((client / "blog" / name).read_bytes())
    assert not read.bozo
    assert (read.feed.title, read.feed.language) == ("Gall & <Woad>", "en-GB")
    links = {(link.rel, link.href) for link in read.feed.links}
    assert links == {("self", f"https://example.com/blog/{name}"), ("alternate", "https://example.com/")}
    second, first = read.entries
    assert (second.title, second.link) == ("Second", "https://example.com/blog/second/")
    assert second.published_parsed[:5] == (2026, 3, 2, 9, 30)  # Berlin is an hour ahead of UTC
    assert (first.title, first.author) == ("First & <b>last</b>", "B. Writer")
    assert first.published_parsed[:5] == (2026, 2, 28, 23, 0)
    assert [tag.term for tag in first.tags] == ["oak", "iron & co"]
    assert unescape(first.summary) == "What it is: <short>"
    html = first.content[0].value
    for whole in (
        'href="https://example.com/blog/second/#x"',
        'src="https://example.com/_files/blog/pot.png"',
        'href="https://e.example/?a&amp;b"',
        'href="https://example.com/blog/"',
        'href="https://example.com/blog/first/#there"',
        'src="https://example.com/film.mp4"',
        'poster="https://example.com/_files/blog/still.png"',
    ):
        assert whole in html
    assert second.get("author", read.feed.get("author")) == "A. Maker"


def test_a_json_feed_has_what_the_others_have(tmp_path: Path) -> None:
    feed = json.loads((built(tmp_path) / "blog/feed.json").read_text("utf-8"))
    assert {key: value for key, value in feed.items() if key != "items"} == {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Gall & <Woad>",
        "home_page_url": "https://example.com/",
        "feed_url": "https://example.com/blog/feed.json",
        "description": "Inks",
        "language": "en-GB",
        "authors": [{"name": "A. Maker"}],
    }
    assert [item["title"] for item in feed["items"]] == ["Second", "First & <b>last</b>"]
    assert feed["items"][0]["date_modified"] == "2026-04-01T12:00:00+00:00"
    assert feed["items"][1]["date_published"] == "2026-03-01T00:00:00+01:00"


def test_a_feed_has_the_newest_and_may_have_summaries_alone(tmp_path: Path) -> None:
    toml = '[feeds.news]\ncollection = "blog"\nlimit = 1\ncontent = "summary"\nformats = ["rss", "atom", "json"]\n'
    toml += 'path = { rss = "/rss.xml", json = "/all/news.json" }\ntitle = "News"\nlanguage = "de"\nauthor = "C"\n'
    client = built(tmp_path, toml)
    assert_valid_rss((client / "rss.xml").read_bytes())
    assert_valid_atom((client / "news/atom.xml").read_bytes())
    feed = json.loads((client / "all/news.json").read_text("utf-8"))
    assert_valid_json(feed)
    assert (feed["title"], feed["language"], feed["authors"]) == ("News", "de", [{"name": "C"}])
    assert [(item["title"], item["content_text"]) for item in feed["items"]] == [("Second", "Second")]
    assert "Second text" not in (client / "rss.xml").read_text("utf-8")


def test_feeds_keep_to_base_and_are_served(tmp_path: Path) -> None:
    write_site(tmp_path, {**FILES, "site.toml": TOML + 'base = "/b"\n' + ALL})
    app = app_of(tmp_path)
    answer = ask(app, "/b/blog/atom.xml")
    assert (answer.status, answer.header["content-type"]) == (200, "application/xml; charset=utf-8")
    assert_valid_atom(answer.body)
    assert "https://example.com/b/blog/second/" in answer.text
    assert ask(app, "/b/blog/feed.json").header["content-type"] == "application/json"


def test_a_feed_without_entries_is_valid_and_the_same_each_time(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"pages/blog/[slug].html": PAGE, "content/blog/d.md": "---\ndraft: true\n---\n"}
    client = built(tmp_path, ALL, files)
    assert_valid_rss((client / "blog/feed.xml").read_bytes())
    assert_valid_atom((client / "blog/atom.xml").read_bytes())
    assert "1970-01-01T00:00:00+00:00" in (client / "blog/atom.xml").read_text()


@pytest.mark.parametrize(
    ("toml", "site", "told"),
    [
        ("[feeds.blog]\n", "\n[site]\ntitle = 'x'\n", "site.toml:3:8: [feeds.blog] needs [site] url; a feed has whole"),
        ("[feeds.blgo]\n", TOML, 'site.toml:8:8: there is no collection "blgo" for [feeds.blgo]; met by feeds:'),
        ("[feeds.blog]\nformats = ['rs']\n", TOML, 'feeds.blog.formats[0] must be "rss" or "atom" or "json"'),
        ("[feeds.blog]\nformats = []\n", TOML, "feeds.blog.formats must not be empty"),
        ("[feeds.blog]\nlimt = 3\n", TOML, 'there is no key "limt" in [feeds.blog]; did you mean "limit"?'),
        ("[feeds.blog]\nlimit = 0\n", TOML, "feeds.blog.limit must be at least 1; it is 0"),
        ("[feeds.blog]\npath = '/a'\n", TOML, 'must be a path such as "/blog/feed.xml"'),
        ("[feeds.blog]\npath = '/../x.xml'\n", TOML, 'must be a path such as "/blog/feed.xml"'),
        ("[feeds.blog]\npath = '/a.xml'\nformats = ['rss', 'atom']\n", TOML, "needs a path for each format"),
        (
            "[feeds.blog]\npath = '/index.xml'\n[feeds.b]\ncollection='blog'\npath='/index.xml'\n",
            TOML,
            "adds the route /index.xml twice",
        ),
    ],
)
def test_what_is_wrong_with_a_feed_is_told_at_its_line(tmp_path: Path, toml: str, site: str, told: str) -> None:
    with pytest.raises(SiteError) as raised:
        built(tmp_path, toml, site=site)
    assert told in str(raised.value)


def test_atom_tells_an_entry_without_a_date(tmp_path: Path) -> None:
    files = {**FILES, "content/blog/third.md": "---\ntitle: T\n---\n"}
    with pytest.raises(SiteError, match=r'^content/blog/third.md:1: the entry "third" has no date, which Atom needs'):
        built(tmp_path, '[feeds.blog]\nformats = ["atom"]\n', files)
    assert_valid_rss((built(tmp_path, "[feeds.blog]\n", files) / "blog/feed.xml").read_bytes())


def test_a_collection_without_pages_is_told(tmp_path: Path) -> None:
    files = {name: body for name, body in FILES.items() if not name.startswith("pages/blog")}
    with pytest.raises(SiteError, match=r'^site.toml:8:8: the entries of "blog" have no url'):
        built(tmp_path, ALL, files)


ANY = st.text(st.characters(codec="utf-8"), max_size=20)


@given(ANY, ANY, ANY, ANY)
def test_any_text_is_escaped(title: str, html: str, tag: str, author: str) -> None:  # case X1
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    item = Item("https://e.example/a", title, html, title, author, (tag,), when, None)
    feed = Feed("https://e.example/f", "https://e.example/", title, title, author, "en", (item,))
    kept = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", html).replace("\r\n", "\n").replace("\r", "\n")
    tree = etree.fromstring(rss(feed).encode())
    assert tree.findtext(".//{http://purl.org/rss/1.0/modules/content/}encoded", "") == kept
    assert_valid_atom(atom(feed).encode())
    found = etree.fromstring(atom(feed).encode()).findtext(".//{http://www.w3.org/2005/Atom}content", "")
    assert found == kept
    assert json.loads(json.dumps(json_feed(feed)))["items"][0]["content_html"] == html


def test_a_script_in_a_title_stays_text(tmp_path: Path) -> None:  # case X1
    evil = "<script>alert(1)</script>]]>&\x0b"
    item = Item("https://e.example/a", evil, None, evil, evil, (evil,), None, None)
    feed = Feed("https://e.example/f", "https://e.example/", evil, evil, evil, 'en"><script>', (item,))
    for text in (rss(feed), atom(feed)):
        assert "<script" not in text
        etree.fromstring(text.encode())
