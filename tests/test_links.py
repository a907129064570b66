"""Links between the files of a site: what they lead to, and what is told where they lead nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridsite.errors import Location, SiteError, SiteErrors
from tests.e2e.support import write_site
from tests.inprocess import ON_DEMAND, app_of, ask, built_here, loaded

PNG = b"\x89PNG\r\n\x1a\n"
FILES: dict[str, str | bytes] = {
    "pages/index.html": "home",
    "pages/about.md": "about",
    "pages/blog/first post.md": "first",
    "pages/blog/second.md": "second",
    "pages/blog/index.html": "list",
    "pages/blog/[slug].html": "---\nprerender: false\n---\n",
    "pages/feed.xml": "<a/>",
    "pages/api/cart.py": "def GET(context): return 1",
    "pages/blog/draft.md": "---\ndraft: true\n---\n",
    "pages/blog/hero image.png": PNG,
    "pages/logo.svg": "<svg/>",
    "pages/_hidden/x.png": PNG,
    "public/files/a.zip": b"PK",
}


@pytest.mark.parametrize(
    ("url", "to"),
    [
        ("second.md", "/blog/second/"),
        ("./second.md#part", "/blog/second/#part"),
        ("second.md?a=1#b", "/blog/second/?a=1#b"),
        ("first%20post.md", "/blog/first%20post/"),
        ("../about.md", "/about/"),
        ("../blog/../about.md", "/about/"),
        ("index.html", "/blog/"),
        ("../index.html", "/"),
        ("../feed.xml", "/feed.xml"),
        ("../api/cart.py", "/api/cart"),
        ("../logo.svg", "/logo.svg"),
        ("hero%20image.png", "/blog/hero%20image.png"),
        ("../../public/files/a.zip", "/files/a.zip"),
        # no file's: these count from the page's own URL
        ("../shop/", "../shop/"),
        ("other", "other"),
        ("v1.0/", "v1.0/"),
        ("v1.0", "v1.0"),
        ("a.html/", "a.html/"),
    ],
)
def test_a_link_leads_to_what_its_file_becomes(tmp_path: Path, url: str, to: str) -> None:
    site = loaded(tmp_path, FILES, prerendering=True)
    assert site.links.resolve("pages/blog/second.md", url) == to


def test_links_keep_to_base_and_trailing_slash(tmp_path: Path) -> None:
    toml = '[site]\nbase = "/docs"\n[routing]\ntrailing_slash = "never"\n'
    site = loaded(tmp_path, {**FILES, "site.toml": toml}, prerendering=True)
    assert site.links.resolve("pages/blog/second.md", "../about.md#a") == "/docs/about#a"
    assert site.links.resolve("pages/blog/second.md", "hero%20image.png") == "/docs/blog/hero%20image.png"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("secnd.md", 'there is no pages/blog/secnd.md; the link is "secnd.md"; did you mean "second.md"?'),
        ("about.md", 'there is no pages/blog/about.md; the link is "about.md"; did you mean "../about.md"?'),
        ("hero.png", "there is no pages/blog/hero.png"),
        ("../_hidden/x.png", "there is no pages/_hidden/x.png"),
        ("%5Bslug%5D.html", "pages/blog/[slug].html makes many pages, and the link doesn't say which"),
        ("draft.md", "pages/blog/draft.md is left out: a draft, or of a date to come"),
        ("../../../etc/passwd.txt", 'the link "../../../etc/passwd.txt" leads out of the site'),
        ("../../site.toml", "there is no site.toml"),
    ],
)
def test_a_link_that_leads_nowhere_is_told(tmp_path: Path, url: str, told: str) -> None:  # case P3
    site = loaded(tmp_path, FILES, prerendering=True)
    with pytest.raises(SiteError) as raised:
        site.links.resolve("pages/blog/second.md", url)
    assert str(raised.value).startswith(told)


def test_a_build_tells_every_broken_link_at_its_line(tmp_path: Path) -> None:
    body = "---\ntitle: A\n---\n\nText [x](gone.md) and ![y][z].\n\n<img src='no.png'>\n\n[z]: away.png\n"
    write_site(tmp_path, {"pages/a.md": body, "pages/b.md": f"{ON_DEMAND}\n[x](nowhere.md)"})
    with pytest.raises(SiteErrors) as raised:
        built_here(tmp_path)
    assert [(fault.location, fault.what) for fault in raised.value.faults] == [
        (Location("pages/a.md", 5, 6), "there is no pages/gone.md"),
        (Location("pages/a.md", 5, 23), "there is no pages/away.png"),
        (Location("pages/a.md", 7, 11), "there is no pages/no.png"),
        (Location("pages/b.md", 5, 1), "there is no pages/nowhere.md"),
    ]


def test_a_template_in_markdown_has_no_line_that_is_true(tmp_path: Path) -> None:
    write_site(tmp_path, {"pages/a.md": "---\njinja: true\n---\n\n<< 'x' >> [x](gone.md)"})
    with pytest.raises(SiteError) as raised:
        built_here(tmp_path)
    assert raised.value.location == Location("pages/a.md")


def test_images_beside_pages_are_served_and_pages_on_demand_link_to_them(tmp_path: Path) -> None:
    page = f"{ON_DEMAND}\n![a](hero%20image.png) [b](first%20post.md)"
    write_site(tmp_path, {**FILES, "pages/blog/now.md": page})
    app = app_of(tmp_path)
    html = ask(app, "/blog/now/").text
    assert '<img src="/blog/hero%20image.png" alt="a" />' in html
    assert '<a href="/blog/first%20post/">' in html
    image = ask(app, "/blog/hero%20image.png")
    assert (image.status, image.body, image.header["content-type"]) == (200, PNG, "image/png")
    assert ask(app, "/_hidden/x.png").status == 404
    assert not (tmp_path / "dist/server/pages/blog/hero image.png").exists()


def test_images_beside_entries_are_copied_too(tmp_path: Path) -> None:
    write_site(tmp_path, {"pages/index.html": "x", "content/blog/a/hero.png": PNG, "content/blog/notes.txt": "no"})
    built_here(tmp_path)
    assert (tmp_path / "dist/client/_files/blog/a/hero.png").read_bytes() == PNG
    assert not (tmp_path / "dist/client/_files/blog/notes.txt").exists()


def test_entries_link_to_each_other_to_pages_and_to_their_images(tmp_path: Path) -> None:
    body = "[x](../b.md#c) [y](../../../pages/about.md) ![z](hero.png) [w](../../../pages/about.md?d)"
    files: dict[str, str | bytes] = {
        "pages/about.md": "[x](../content/blog/a/index.md)",
        "pages/blog/[slug].html": "---\npaths: blog\n---\n<< entry.html >>",
        "content/blog/a/index.md": body,
        "content/blog/b.md": "b",
        "content/blog/draft.md": "---\ndraft: true\n---\n",
        "content/blog/a/hero.png": PNG,
    }
    write_site(tmp_path, files)
    built_here(tmp_path)
    html = (tmp_path / "dist/client/blog/a/index.html").read_text()
    assert '<a href="/blog/b/#c">x</a> <a href="/about/">y</a> <img src="/_files/blog/a/hero.png" alt="z" />' in html
    assert '<a href="/blog/a/">x</a>' in (tmp_path / "dist/client/about/index.html").read_text()


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ("bb.md", 'there is no content/blog/bb.md; the link is "bb.md"; {met}; did you mean "b.md"?'),
        ("draft.md", "content/blog/draft.md is left out: a draft, or of a date to come; {met}; take the link out"),
    ],
)
def test_links_of_entries_that_lead_nowhere_are_told_at_their_lines(tmp_path: Path, link: str, told: str) -> None:
    files = {
        "pages/blog/[slug].html": "---\npaths: blog\n---\n<< entry.html >>",
        "content/blog/a.md": f"---\ntitle: A\n---\n\n[x]({link})",
        "content/blog/b.md": "b",
        "content/blog/draft.md": "---\ndraft: true\n---\n",
    }
    write_site(tmp_path, files)
    with pytest.raises(SiteError) as raised:
        built_here(tmp_path)
    assert str(raised.value) == "content/blog/a.md:5:1: " + told.format(met="met by pages/blog/[slug].html")


def test_two_files_of_one_name_are_told(tmp_path: Path) -> None:
    write_site(tmp_path, {"pages/a.png": PNG, "public/a.png": PNG})
    with pytest.raises(SiteError, match=r"^pages/a\.png: pages/a\.png and public/a\.png both write a\.png; rename one"):
        built_here(tmp_path)


def test_an_image_that_leads_out_of_the_site_is_told(tmp_path: Path) -> None:  # case P4
    write_site(tmp_path / "site", {"pages/index.html": "x"})
    (tmp_path / "secret.png").write_bytes(PNG)
    (tmp_path / "site/pages/a.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(SiteError, match="the link leads out of the site"):
        built_here(tmp_path / "site")


def test_a_changed_image_makes_a_build_stale(tmp_path: Path) -> None:
    from hybridsite.build.freshness import fingerprint
    from hybridsite.build.snapshot import snapshot

    write_site(tmp_path, {"pages/a.png": PNG})
    before = fingerprint(tmp_path, snapshot(tmp_path))
    (tmp_path / "pages/a.png").write_bytes(PNG + b"x")
    assert fingerprint(tmp_path, snapshot(tmp_path)) != before
