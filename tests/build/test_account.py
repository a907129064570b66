"""build.json: what a build did, for machines; it tells of the dist/ that stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hybridsite import __version__
from hybridsite.errors import SiteError
from tests.e2e.support import built, hybridsite, write_files, write_site
from tests.inprocess import built_here

SITE: dict[str, str | bytes] = {
    "site.toml": '[security]\ncsp = true\n[redirects]\n"/old/" = "/"\n',
    "layouts/base.html": "<title><< page.title >></title>{% block main %}{% endblock %}<< session >>",
    "pages/index.html": "---\ntitle: Home\n---\n{% extends 'layouts/base.html' %}{% block main %}x{% endblock %}",
    "pages/styled.html": '<p style="color: red">x</p>',
    "pages/now.html": "---\nprerender: false\n---\nx",
    "pages/[n].html": "<< params.n >>",
    "pages/[n].py": "def paths(site):\n    return [{'params': {'n': n}} for n in (1, 2)]\n",
}


def account(root: Path) -> dict[str, Any]:
    """Gives what the last build told."""
    found: dict[str, Any] = json.loads((root / ".hybridsite/build.json").read_text())
    return found


def reasons(root: Path) -> dict[str, str]:
    """Gives why each page was rendered, by its URL."""
    return {page["url"]: page["why"] for page in account(root)["pages"]}


def test_it_has_the_tool_the_phases_the_routes_and_the_pages(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", SITE)
    report = built_here(root)
    told = account(root)
    assert (told["format"], told["hybridsite"], told["drafts"], told["unchanged"]) == (1, __version__, False, False)
    assert list(told["phases"]) == ["load", "render", "write", "assets"]
    assert 0 < sum(told["phases"].values()) <= told["seconds"] + 0.001
    assert (told["rendered"], told["kept"]) == (4, 0)
    routes = {row["route"]: row for row in told["routes"]}
    assert routes.keys() == {"/", "/styled/", "/now/", "/[n]/", "/old"}
    assert (routes["/[n]/"]["pages"], routes["/[n]/"]["kind"], routes["/now/"]["kind"]) == (
        2,
        "prerendered",
        "on demand",
    )
    pages = {page["url"]: page for page in told["pages"]}
    assert pages["/"]["file"] == "client/index.html"
    for page in pages.values():
        assert page["bytes"] == (root / "dist" / page["file"]).stat().st_size
        assert page["ms"] > 0
        assert page["rendered"]
        assert "isn't there" in page["why"]
    assert routes["/[n]/"]["bytes"] == pages["/1/"]["bytes"] + pages["/2/"]["bytes"]
    assert [(w["file"], "style" in w["what"]) for w in told["warnings"]] == [("pages/styled.html", True)]
    assert [(n["file"], n["line"]) for n in told["notices"]] == [("layouts/base.html", 1)]
    assert len(report.told) == 4


def test_a_page_says_why_it_was_rendered_and_what_is_kept_says_nothing(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", SITE)
    built_here(root)
    write_files(root, {"layouts/base.html": "<b>{% block main %}{% endblock %}", "pages/new.html": "new"})
    built_here(root)
    files = "layouts/base.html, pages/new.html changed"
    python = f"{files}, and pages/[n].html runs Python of the site, or reads what no build can follow"
    assert reasons(root) == {
        "/": "layouts/base.html changed",
        "/styled/": "",
        "/new/": "the last build had no such page",
        "/1/": python,
        "/2/": python,
    }
    told = account(root)
    assert (told["rendered"], told["kept"]) == (4, 1)
    (root / "dist/client/styled/index.html").write_text("by hand")
    built_here(root)
    assert {url: why for url, why in reasons(root).items() if why} == {
        "/styled/": "its file in dist/ isn't the one that was built"
    }


def test_a_page_says_which_field_of_an_entry_has_changed(tmp_path: Path) -> None:
    files = {"content/blog/one.md": "---\ntitle: One\n---\ntext", "site.toml": ""}
    files["pages/index.html"] = "{% for post in collection('blog') %}<< post.data.title >>{% endfor %}"
    root = write_site(tmp_path / "site", files)
    built_here(root)
    write_files(root, {"content/blog/one.md": "---\ntitle: Two\n---\ntext"})
    built_here(root)
    assert reasons(root) == {"/": "title of blog/one changed, by content/blog/one.md"}


def test_a_build_that_finds_nothing_to_do_says_so_in_it(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", SITE)
    built(root)
    before = account(root)
    assert "built 0 pages, kept 4" in built(root).stdout
    after = account(root)
    assert (after["unchanged"], after["rendered"], after["kept"]) == (True, 0, 4)
    assert list(after["phases"]) == ["load"]
    assert not any(page["rendered"] or page["why"] for page in after["pages"])
    assert after["routes"] == before["routes"]
    assert [page["bytes"] for page in after["pages"]] == [page["bytes"] for page in before["pages"]]
    for broken in (None, "{", "[]", '{"format": 1, "hybridsite": "0.0.1", "pages": []}'):
        (root / ".hybridsite/build.json").unlink()
        if broken is not None:
            (root / ".hybridsite/build.json").write_text(broken)
        assert "built 0 pages, kept 4" in built(root).stdout
        assert [page["url"] for page in account(root)["pages"]] == [page["url"] for page in before["pages"]]


def test_a_build_that_is_killed_as_it_ends_leaves_no_account_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_site(tmp_path / "site", SITE)
    built_here(root)
    write_files(root, {"pages/new.html": "new"})

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hybridsite.build.build.write_account", killed)
    with pytest.raises(KeyboardInterrupt):
        built_here(root)
    monkeypatch.undo()
    assert (root / "dist/client/new/index.html").exists()
    assert not (root / ".hybridsite/build.json").exists()
    built_here(root)
    assert "/new/" in reasons(root)


def test_one_that_fails_leaves_it_as_it_leaves_dist(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", SITE)
    built_here(root)
    before = account(root)
    write_files(root, {"pages/bad.html": "<< nothing >>"})
    with pytest.raises(SiteError):
        built_here(root)
    assert account(root) == before
    assert hybridsite("check", root).returncode == 1  # which builds, and leaves all as it is
    assert account(root) == before
