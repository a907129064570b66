"""The search's index: which pages it has, below which paths, and that its bytes are the same each time."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest

from hybridsite.errors import SiteError
from tests.e2e.support import write_site
from tests.inprocess import MEMORY, ON_DEMAND, app_of, ask, built_here

HTML = '<html lang="<< locale >>"><head>{}</head><body><main><h1>{}</h1>ink</main></body></html>'
TOML = '[search]\nexclude = ["/thanks/", "/old/*"]\n' + MEMORY


def page(name: str, front: str = "", head: str = "") -> str:
    """Gives a page that has its name as its heading."""
    return f"---\n{front}\n---\n{HTML.format(head, name)}"


FILES = {
    "site.toml": TOML,
    "pages/index.html": page("Home"),
    "pages/hidden.html": page("Hidden", "noindex: true"),
    "pages/robots.html": page("Robots", head='<meta content="noindex, nofollow" name=robots>'),
    "pages/draft.html": page("Draft", "draft: true"),
    "pages/members.html": page("Members", "guard: true"),
    "pages/live.html": ON_DEMAND + HTML.format("", "Live"),
    "pages/thanks.html": page("Thanks"),
    "pages/old/a.html": page("Old"),
    "pages/404.html": page("Nothing"),
    "pages/robots.txt": "ink",
    "pages/blog/[slug].html": "---\npaths: blog\n---\n" + HTML.format("", "<< entry.slug >>"),
    "content/blog/seen.md": "ink",
    "content/blog/unseen.md": "---\nnoindex: true\n---\nink",
    "middleware.py": "async def on_request(context, call_next): return await call_next()",
}


def fragments(root: Path) -> set[tuple[str, str]]:
    """Gives the address and the title of each page that the index knows."""
    found = set()
    for path in (root / "dist/client/pagefind/fragment").iterdir():
        told = json.loads(gzip.decompress(path.read_bytes()).removeprefix(b"pagefind_dcd"))
        found.add((told["url"], told["meta"]["title"]))
    return found


def test_the_index_has_the_pages_that_are_meant_to_be_found(tmp_path: Path) -> None:
    built_here(root := write_site(tmp_path, FILES))
    assert fragments(root) == {("/", "Home"), ("/blog/seen/", "seen")}


def test_addresses_have_the_base_and_languages_an_index_each(tmp_path: Path) -> None:
    toml = (
        '[site]\nbase = "/docs"\n[i18n]\nlocales = ["en", "de"]\nfallback = { de = "en" }\nfallback_type = "render"\n'
    )
    files = {
        "site.toml": toml + TOML,
        "pages/a.html": page("A"),
        "pages/de/a.html": page("Ah"),
        "pages/b.html": page("B"),
    }
    app = app_of(root := write_site(tmp_path, files))
    assert fragments(root) == {("/docs/a/", "A"), ("/docs/de/a/", "Ah"), ("/docs/b/", "B")}
    answer = ask(app, "/docs/pagefind/pagefind-entry.json")
    assert set(json.loads(answer.text)["languages"]) == {"en", "de"}
    assert ask(app, "/docs/pagefind/pagefind.js").header["content-type"].startswith("text/javascript")
    assert ask(app, "/docs/pagefind/pagefind-ui.js").status == 404


def test_the_same_site_gives_the_same_bytes(tmp_path: Path) -> None:
    def bytes_of(folder: str) -> dict[str, bytes]:
        built_here(root := write_site(tmp_path / folder, FILES))
        found = root / "dist/client/pagefind"
        return {str(path.relative_to(found)): path.read_bytes() for path in found.rglob("*") if path.is_file()}

    assert bytes_of("one") == bytes_of("two") != {}


def test_a_policy_allows_compiled_code_where_there_is_a_search(tmp_path: Path) -> None:
    for number, toml in enumerate(("[security]\ncsp = true\n", "[security.csp]\nimg-src = ['data:']\n")):
        files = {"pages/a.html": page("A"), "pages/live.html": ON_DEMAND + "x"}
        for name, table in (("with", "[search]\n"), ("without", "")):
            app = app_of(write_site(tmp_path / f"{name}{number}", {**files, "site.toml": toml + table + MEMORY}))
            for path in ("/a/", "/live/"):
                policy = ask(app, path).header["content-security-policy"]
                assert ("'wasm-unsafe-eval'" in policy) == (name == "with")


def test_without_the_table_there_is_no_index(tmp_path: Path) -> None:
    built_here(root := write_site(tmp_path, {"pages/a.html": page("A")}))
    assert not (root / "dist/client/pagefind").exists()


def test_a_missing_pagefind_is_told_with_what_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pagefind.index", None)
    with pytest.raises(SiteError, match=r'needs Pagefind.*pip install "hybridsite\[search\]"'):
        built_here(write_site(tmp_path, {"site.toml": TOML, "pages/a.html": page("A")}))


def test_languages_of_the_index_are_in_their_order(tmp_path: Path) -> None:
    names = [f"x-{letter}" for letter in "qwertzuiop"]  # by chance in order once in 3,628,800 times
    files = {f"pages/{name}.html": f'<html lang="{name}"><body><main>ink</main></body></html>' for name in names}
    root = write_site(tmp_path / "site", {"site.toml": "[search]\n", **files})
    built_here(root)
    entry = (root / "dist/client/pagefind/pagefind-entry.json").read_text("utf-8")
    assert list(json.loads(entry)["languages"]) == sorted(names)
    assert ": " not in entry  # as short as Pagefind writes it
