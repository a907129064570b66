"""The routes below /_dev/: kinds, figures, the filter, and what a page is made from, as the build tracks it."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from hybridsite.build.traces import every_key, trace
from hybridsite.used import EVERYTHING
from tests.dev.looking import Browser, looked, rows, words
from tests.e2e.support import write_files, write_site
from tests.inprocess import MEMORY, loaded

FILES = {
    "site.toml": MEMORY + '[redirects]\n"/old/" = "/"\n',
    "layouts/base.html": '<!doctype html><html lang=en>{% include "components/nav.html" %}{% block b %}{% endblock %}',
    "components/nav.html": "<nav><< data.menu.title >> << url_for('pages/index.html') >></nav>",
    "data/menu.toml": 'title = "Menu"\n',
    "assets/site.css": "p { color: red }\n",
    "pages/index.html": '{% extends "layouts/base.html" %}\n{% block b %}<< asset("site.css") >>{% endblock %}',
    "pages/kept.html": "---\nprerender: false\ncache: {max_age: 60, swr: 120, tags: [a, b]}\n---\n<p>kept</p>",
    "pages/cart.html": "---\nprerender: false\n---\n<p><< session.get('n') >></p>",
    "pages/draft.html": "---\ndraft: true\n---\n<p>draft</p>",
    "pages/list.html": "{% for entry in collection('blog') %}<< entry.slug >>{% endfor %}",
    "pages/blog/[slug].html": "---\npaths: blog\n---\n<p><< entry.slug >></p>",
    "pages/made/[n].html": "<p><< params.n >></p>",
    "pages/made/[n].py": "def paths(site):\n    return [{'params': {'n': str(n)}} for n in range(250)]\n",
    "pages/live/[n].html": "---\nprerender: false\n---\n<p><< params.n >></p>",
    "pages/api.py": "def GET(context):\n    return {}\n\ndef POST(context):\n    return {}\n",
    "pages/404.html": "<p>gone</p>",
    "content/blog/one.md": "# One\n",
    "content/blog/two.md": "# Two\n",
    "actions.py": "from hybridsite import action\n\n@action\ndef greet(context):\n    return 'hello'\n",
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_site(tmp_path / "site", FILES)


def test_each_route_tells_its_kind_its_source_and_its_cache(site: Path) -> None:
    async def visit(browser: Browser) -> dict[str, str]:
        return rows((await browser.get("/_dev/")).text)

    found = looked(site, visit)
    assert found["/"].startswith('prerendered output = "static" pages/index.html'.replace('"', "&#34;"))
    assert found["/cart/"].startswith("on demand prerender: false, uses session pages/cart.html")
    assert found["/kept/"].endswith("pages/kept.html 1 minute, stale for 2 minutes more, tags a b")
    assert found["/api"].startswith("endpoint endpoint pages/api.py")
    assert found["/old"].startswith("redirect 301 to / site.toml:")
    assert found["/404"].startswith("error page")
    assert "draft" in found["/draft/"]
    assert found["/_actions/greet"] == "action actions.py:3"


def test_files_that_plugins_add_to_a_build_are_listed_and_open(site: Path) -> None:
    plugins = "from hybridsite.plugins import Plugin\n\nclass Any(Plugin):\n    def built(self, build): ...\n"
    write_files(
        site,
        {
            "site.toml": 'plugins = ["own:Any"]\n'
            + FILES["site.toml"]
            + '[site]\nurl = "https://x.example"\n[sitemap]\n[search]\n',
            "own.py": plugins,
        },
    )

    async def visit(browser: Browser) -> tuple[str, int, int]:
        text = (await browser.get("/_dev/?q=by+s")).text
        return (
            text,
            (await browser.get("/sitemap.xml")).status,
            (await browser.get("/_dev/routes/?path=/sitemap.xml")).status,
        )

    text, there, details = looked(site, visit)
    found = rows(text)
    assert found["/sitemap.xml"].startswith("added by build by sitemap site.toml:8")
    assert found["/pagefind/*"].startswith("added by build by search site.toml:9")
    assert 'href="/sitemap.xml" aria-label="Open' in text
    assert "routes/?path=%2Fsitemap.xml" not in text
    assert (there, details) == (200, 404)
    assert len(found) == 3  # a plugin that doesn't say what it adds is no line


def test_an_answer_is_measured_without_devs_own_script(site: Path) -> None:
    async def visit(browser: Browser) -> None:
        assert "×" not in rows((await browser.get("/_dev/")).text)["/cart/"]
        body = await browser.get("/cart/")
        await browser.get("/cart/?x=1")
        await browser.get("/blog/two/")
        await browser.get("/cart/", method="HEAD")
        await browser.get("/assets/nothing.css")
        found = rows((await browser.get("/_dev/")).text)
        assert re.search(rf" 2× [\d.]+ ms {len(body.body)} B$", found["/cart/"])
        assert re.search(r" 1× [\d.]+ ms 10 B$", found["/blog/[slug]/"])
        assert "×" not in found["/"]
        await browser.get("/", headers={})
        text = (await browser.get("/_dev/routes/?path=/cart/")).text
        assert rows(text)["/cart/?x=1"].startswith("200 ")

    looked(site, visit)


@pytest.mark.parametrize(
    ("asked", "patterns"),
    [
        ("cart", {"/cart/"}),
        ("components/nav.html", {"/"}),
        ("BASE layouts", {"/"}),
        ("redirect", {"/old"}),
        ("tags", {"/kept/"}),
        ("no such thing", set()),
    ],
)
def test_the_filter_finds_by_path_kind_and_the_files_that_a_page_is_made_from(
    site: Path, asked: str, patterns: set[str]
) -> None:
    async def visit(browser: Browser) -> str:
        return (await browser.get(f"/_dev/?q={asked.replace(' ', '+')}")).text

    text = looked(site, visit)
    assert set(rows(text)) == patterns
    assert patterns or "No route has" in text


def test_a_page_tells_what_it_is_made_from_and_when_a_build_renders_it_anew(site: Path) -> None:
    async def visit(browser: Browser) -> None:
        before = (await browser.get("/_dev/routes/?path=/")).text
        assert "nobody has asked for it in this run" in before
        await browser.get("/")
        text = (await browser.get("/_dev/routes/?path=/")).text
        made = words(text.partition('id="made"')[2])
        assert "layouts/base.html by pages/index.html:1 components/nav.html by layouts/base.html:1" in made
        assert "data data/menu.toml" in made
        assert "assets assets/site.css" in made
        assert "addresses of pages/index.html" in made
        assert "A build renders it anew when one of these changes, and only then." in made
        assert f"vscode://file{site}/components/nav.html:1:1" in text
        assert f"vscode://file{site}/layouts/base.html:1:1" in text
        await browser.get("/list/")
        other = words((await browser.get("/_dev/routes/?path=/list/")).text)
        assert "collections blog" in other
        assert "A build renders it anew when one of these changes, and only then." in other
        live = words((await browser.get("/_dev/routes/?path=/api")).text)
        assert "may read more than this: pages/api.py is Python, which may read any file" in live
        assert "methods GET, POST" in live

    looked(site, visit)


def test_what_is_told_is_what_the_build_goes_by(tmp_path: Path) -> None:
    site = loaded(tmp_path / "site", FILES, prerendering=True)
    for route in site.router.routes:
        if route.redirect is None:
            every, kept = every_key(site, route, ("x",)), trace(site, route, ("x",))
            assert set(kept) <= every
            assert kept == (EVERYTHING,) if EVERYTHING in every else set(kept) == every


def test_a_route_is_found_by_its_pattern_and_by_a_path_that_it_answers(site: Path) -> None:
    async def visit(browser: Browser) -> None:
        for asked in ("/blog/[slug]/", "/blog/one/", "/blog/%6Fne/?q=1"):
            text = (await browser.get(f"/_dev/routes/?path={asked.replace('%', '%25')}")).text
            assert '<h1 class="path">/blog/[slug]/</h1>' in text
            assert set(rows(text)) == {"/blog/one/", "/blog/two/"}
        for asked in ("", "/none/", "//x", "/%00", "/<script>"):
            answer = await browser.get(f"/_dev/routes/?path={asked.replace('%', '%25')}")
            assert answer.status == 404
            assert "<script>" not in answer.text
        made = rows((await browser.get("/_dev/routes/?path=/made/[n]/")).text)
        assert len(made) == 200
        assert "1 hour" not in made

    looked(site, visit)


def test_paths_that_fail_are_told_on_the_routes_page(site: Path) -> None:
    write_files(site, {"pages/made/[n].py": "def paths(site):\n    return 1 / 0\n"})

    async def visit(browser: Browser) -> None:
        answer = await browser.get("/_dev/routes/?path=/made/[n]/")
        assert answer.status == 200
        assert "ZeroDivisionError" in answer.text
        assert "/made/[n]/" in rows((await browser.get("/_dev/")).text)

    looked(site, visit)


def test_of_two_routes_that_may_answer_a_path_both_are_told(site: Path) -> None:
    write_files(site, {"pages/blog/[name].html": "---\nprerender: false\n---\n<p><< params.name >></p>"})

    async def visit(browser: Browser) -> None:
        text = (await browser.get("/_dev/routes/?path=/blog/one/")).text
        assert '<h1 class="path">/blog/[slug]/</h1>' in text
        assert "/blog/[name]/ on demand, pages/blog/[name].html" in words(text)
        await browser.get("/blog/three/")
        await browser.get("/blog/one/")
        found = rows((await browser.get("/_dev/")).text)
        assert " 1× " in found["/blog/[name]/"]
        assert " 1× " in found["/blog/[slug]/"]

    looked(site, visit)


def test_each_route_has_a_page_of_its_own(site: Path) -> None:
    write_files(
        site, {"site.toml": MEMORY + '[site]\nurl = "https://x.example"\n[redirects]\n"/old/[n]" = "/"\n[feeds.blog]\n'}
    )

    async def visit(browser: Browser) -> None:
        text = (await browser.get("/_dev/")).text
        links = [unescape(link) for link in re.findall(r'href="(/_dev/routes/[^"]*)"', text)]
        assert len(links) == len(rows(text)) > 12
        for link in links:
            answer = await browser.get(link)
            assert answer.status == 200, link
            assert answer.text.count("<h1") == 1

    looked(site, visit)
