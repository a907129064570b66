"""What stands only when a build is finished, and pages of languages that lack them: dev gives the same bytes."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest

from hybridsite.dev.app import DevApp
from hybridsite.manifest import read_manifest
from tests.e2e.support import write_files, write_site
from tests.inprocess import ENVIRON, Answer, asked, built_here, scope_of

DEV_TAG = re.compile(rb'<script type="module" src="/_dev/client.js"[^>]*></script>')
PAGE = (
    "<!doctype html><html lang='<< locale >>'><body><< url >> "
    "<< url_for('pages/about.html', locale='de') >></body></html>"
)
LANGUAGES = {
    "site.toml": "[site]\nurl = 'https://example.org'\n[sitemap]\n"
    "[i18n]\nlocales = ['en', 'de', 'fr']\nfallback = {de = 'en', fr = 'de'}\nfallback_type = 'render'\n",
    "pages/index.html": PAGE,
    "pages/about.html": PAGE,
    "pages/fr/about.html": PAGE,
    "pages/de/own.html": PAGE,
    "pages/now.html": f"---\nprerender: false\n---\n{PAGE}",
    "pages/blog/[slug].html": f"---\npaths: blog\n---\n{PAGE}<< entry.html >>",
    "content/blog/a.md": "a",
}
PLUGIN = """
from hybridsite.plugins import Plugin

class Lists(Plugin):
    calls = 0

    def built(self, build):
        type(self).calls += 1
        pages = [(page.url, len(build.read(page.file))) for page in build.pages]
        build.add("list/all.txt", f"{self.calls} {pages} {build.read('hello.txt').decode()}")
        build.add("list/index.html", "<!doctype html><p>list</p>")

class Fails(Plugin):
    adds = ("never.txt",)

    def built(self, build):
        build.read("nothing.html")
"""


def asked_of_dev(root: Path, *urls: str, changed: tuple[str, str] | None = None) -> list[Answer]:
    """Asks dev for some URLs, all at once; and again after a change."""

    async def run() -> list[Answer]:
        app = DevApp(root, ENVIRON, say=lambda line: None, wrong=lambda line: None)
        await app.reload()
        found = await asyncio.gather(*(asked(app, scope_of(url)) for url in urls))
        if changed is not None:
            write_files(root, dict([changed]))
            await app.reload([changed[0]])
            found += await asyncio.gather(*(asked(app, scope_of(url)) for url in urls))
        await app.close()
        return list(found)

    return asyncio.run(run())


def test_pages_that_stand_in_for_another_language_are_what_a_build_writes(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", LANGUAGES)
    built_here(root)
    files = [file for file in read_manifest(root / "dist").files if file.file.endswith((".html", ".xml"))]
    assert {"/de/about/", "/fr/own/", "/fr/blog/a/", "/sitemap.xml"} <= {file.url for file in files}
    answers = asked_of_dev(root, *(file.url for file in files))
    for file, answer in zip(files, answers, strict=True):
        assert DEV_TAG.sub(b"", answer.body) == (root / "dist" / file.place).read_bytes(), file.url
    absent = asked_of_dev(root, "/de/nothing/", "/de/now/", "/en/about/", "/de/blog/b/")
    assert [answer.status for answer in absent] == [404, 302, 404, 404]


def test_a_plugin_adds_its_files_once_for_each_state_of_the_site(tmp_path: Path) -> None:
    files = {
        "site.toml": 'plugins = ["lists:Lists"]\n',
        "lists.py": PLUGIN,
        "pages/index.html": "<!doctype html><p>hi</p>",
        "public/hello.txt": "hello",
    }
    root = write_site(tmp_path / "site", files)
    urls = ("/list/all.txt", "/list/all.txt", "/list/", "/none.txt", "/")
    first = asked_of_dev(root, *urls, changed=("pages/index.html", "<!doctype html><p>hello</p>"))
    assert [answer.status for answer in first] == [200, 200, 200, 404, 200] * 2
    assert first[0].text == "1 [('/', 24)] hello"
    assert first[1].text == first[0].text
    assert DEV_TAG.sub(b"", first[2].body) == b"<!doctype html><p>list</p>"
    assert first[5].text == "2 [('/', 27)] hello"


def test_a_plugin_that_fails_is_told_where_its_file_would_stand_and_nowhere_else(tmp_path: Path) -> None:
    files = {"site.toml": 'plugins = ["lists:Fails"]\n', "lists.py": PLUGIN, "pages/index.html": "hi"}
    root = write_site(tmp_path / "site", files)
    failed, absent, page = asked_of_dev(root, "/never.txt", "/other.txt", "/")
    assert (failed.status, absent.status, page.status) == (500, 404, 200)
    assert "nothing.html" in failed.text


def test_a_guarded_page_is_read_by_no_plugin(tmp_path: Path) -> None:
    files = {
        "site.toml": 'plugins = ["lists:Lists"]\n',
        "lists.py": PLUGIN,
        "middleware.py": "async def on_request(context, call_next):\n    return await call_next(context)\n",
        "pages/index.html": "---\nguard: true\n---\nhi",
        "public/hello.txt": "hello",
    }
    answer = asked_of_dev(write_site(tmp_path / "site", files), "/list/all.txt")[0]
    assert answer.status == 500
    assert "there is no index.html in dist/client/" in answer.text


def test_what_failed_is_tried_again_when_it_is_asked_for_again(tmp_path: Path) -> None:
    plugin = PLUGIN.replace(
        'build.read("nothing.html")',
        """
        import pathlib
        mark = pathlib.Path(__file__).with_name(".mark")
        if not mark.exists():
            mark.write_text("")
            raise ValueError("not yet")
        build.add("never.txt", "now")""",
    )
    files = {"site.toml": 'plugins = ["lists:Fails"]\n', "lists.py": plugin, "pages/index.html": "hi"}
    root = write_site(tmp_path / "site", files)

    async def run() -> list[int]:
        app = DevApp(root, ENVIRON, say=lambda line: None, wrong=lambda line: None)
        await app.reload()
        found = [(await asked(app, scope_of("/never.txt"))).status for _ in range(3)]
        await app.close()
        return found

    assert asyncio.run(run()) == [500, 200, 200]


def test_the_search_index_without_its_package_tells_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pagefind.index", None)
    root = write_site(tmp_path / "site", {"site.toml": "[search]\n", "pages/index.html": "hi"})
    answer, page = asked_of_dev(root, "/pagefind/pagefind.js", "/")
    assert (answer.status, page.status) == (500, 200)
    assert "pip install" in answer.text
