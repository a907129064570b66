"""The sitemap: valid by its schema, complete, and split where it is too long."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lxml import etree

from hybridsite.errors import SiteError
from hybridsite.features import sitemap
from hybridsite.urls import UrlPolicy
from tests.e2e.support import write_site
from tests.inprocess import ON_DEMAND, app_of, ask, built_here

SCHEMA = Path(__file__).resolve().parent.parent.parent / ".cache/texts/sitemap.xsd"
SPACE = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9"}
TOML = '[site]\nurl = "https://example.com"\ntimezone = "Europe/Berlin"\n'
FILES = {
    "pages/index.html": "x",
    "pages/404.html": "x",
    "pages/about us & <you>.html": "---\nupdated: 2026-05-01\n---\nx",
    "pages/hidden.html": "---\nnoindex: true\n---\nx",
    "pages/thanks.html": "x",
    "pages/drafts/one.html": "x",
    "pages/live.html": f"{ON_DEMAND}x",
    "pages/members.html": "---\nguard: true\n---\nx",
    "pages/robots.txt": "x",
    "pages/blog/[slug].html": "---\npaths: blog\n---\n<< entry.html >>",
    "middleware.py": "async def on_request(context, call_next): return await call_next()",
    "content/blog/a.md": "---\ndate: 2026-03-02T10:30:00\n---\n",
    "content/blog/b.md": "---\ndate: 2026-03-02\nupdated: 2026-04-01T12:00:00Z\n---\n",
    "content/blog/c.md": "text",
    "content/blog/d.md": "---\nnoindex: true\n---\n",
}


def assert_valid(text: bytes) -> None:
    """Checks a sitemap by the schema of sitemaps.org."""
    if not SCHEMA.exists():
        pytest.skip("scripts/fetch-texts brings the schema")
    etree.XMLSchema(etree.parse(SCHEMA)).assertValid(etree.fromstring(text))


def locations(text: bytes) -> dict[str, str | None]:
    """Gives the addresses, each with when it was changed."""
    urls = etree.fromstring(text).findall("s:url", SPACE)
    return {url.findtext("s:loc", namespaces=SPACE) or "": url.findtext("s:lastmod", namespaces=SPACE) for url in urls}


def test_a_sitemap_has_every_page_that_is_meant_for_all(tmp_path: Path) -> None:
    toml = TOML + '[sitemap]\nexclude = ["/thanks/", "/drafts/*"]\ninclude = ["/live/"]\n'
    app = app_of(write_site(tmp_path, {**FILES, "site.toml": toml}))
    answer = ask(app, "/sitemap.xml")
    assert (answer.status, answer.header["content-type"]) == (200, "application/xml; charset=utf-8")
    assert_valid(answer.body)
    assert locations(answer.body) == {
        "https://example.com/": None,
        "https://example.com/about%20us%20&%20%3Cyou%3E/": "2026-05-01T00:00:00+02:00",
        "https://example.com/blog/a/": "2026-03-02T10:30:00+01:00",
        "https://example.com/blog/b/": "2026-04-01T12:00:00+00:00",
        "https://example.com/blog/c/": None,
        "https://example.com/live/": None,
    }


def test_a_sitemap_keeps_to_base_and_an_empty_table_turns_it_on(tmp_path: Path) -> None:
    files = {"pages/index.html": "x", "pages/a.html": "x", "site.toml": TOML + 'base = "/b"\n[sitemap]\n'}
    write_site(tmp_path, files)
    built_here(tmp_path)
    found = locations((tmp_path / "dist/client/sitemap.xml").read_bytes())
    assert list(found) == ["https://example.com/b/", "https://example.com/b/a/"]


def test_without_the_table_there_is_none(tmp_path: Path) -> None:
    write_site(tmp_path, {"pages/index.html": "x", "site.toml": TOML})
    built_here(tmp_path)
    assert not (tmp_path / "dist/client/sitemap.xml").exists()


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"site.toml": "\n[sitemap]\n"}, "site.toml:1:2: [sitemap] needs [site] url; it has whole addresses"),
        ({"site.toml": TOML + "[sitemap]\nexclude = ['x']\n"}, 'must be a path such as "/about/"'),
        ({"site.toml": TOML + "[sitemap]\n", "pages/sitemap.xml": "x"}, "sitemap.xml is written twice"),
        ({"site.toml": TOML + "[sitemap]\n", "public/sitemap.xml": "x"}, "sitemap.xml is written twice"),
    ],
)
def test_what_is_wrong_with_a_sitemap_is_told(tmp_path: Path, files: dict[str, str], told: str) -> None:
    write_site(tmp_path, {"pages/index.html": "x", **files})
    with pytest.raises(SiteError) as raised:
        built_here(tmp_path)
    assert told in str(raised.value)


def site() -> Any:
    """Gives what the files of a sitemap ask of a site."""
    return SimpleNamespace(url="https://e.example", policy=UrlPolicy("", "always"))


def test_a_long_sitemap_is_split_and_has_an_index() -> None:
    urls = [f"<url>\n<loc>https://e.example/{number}/</loc>\n</url>\n" for number in range(sitemap.MOST_URLS + 1)]
    (name, index), *parts = sitemap.files(site(), urls)
    assert (name, [part for part, _ in parts]) == ("sitemap.xml", ["sitemap-1.xml", "sitemap-2.xml"])
    tree = etree.fromstring(index.encode())
    assert tree.tag == "{http://www.sitemaps.org/schemas/sitemap/0.9}sitemapindex"
    found = tree.xpath("s:sitemap/s:loc/text()", namespaces=SPACE)
    assert found == ["https://e.example/sitemap-1.xml", "https://e.example/sitemap-2.xml"]
    assert [len(locations(body.encode())) for _, body in parts] == [50_000, 1]
    for _, body in parts:
        assert_valid(body.encode())


def test_a_sitemap_is_split_by_its_size_too() -> None:
    urls = [f"<url>\n<loc>https://e.example/{'é' * 100}{number}/</loc>\n</url>\n" for number in range(10)]
    _, *parts = sitemap.files(site(), urls, most_bytes=1000)
    assert len(parts) == 3
    assert sum(len(locations(body.encode())) for _, body in parts) == 10


def test_a_site_without_pages_has_an_empty_sitemap() -> None:
    ((name, body),) = sitemap.files(site(), [])
    assert (name, locations(body.encode())) == ("sitemap.xml", {})
