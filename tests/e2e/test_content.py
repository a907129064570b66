"""Collections by the real command: built, served from a copy, and from the folder that holds collections.py."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.e2e.support import Hybridsite, MakeSite, Server, built, page, tree
from tests.publishing import SITE, post

PAGES = {
    "pages/index.html": "{% for each in collection('blog') %}<< each.data.title >> {% endfor %}",
    "pages/blog/[slug].html": "---\npaths: blog\n---\n<< entry.html >>",
    "pages/now/[slug].html": "---\npaths: blog\nprerender: false\n---\n"
    "<< entry.data.author.data.name >>: << entry.html >>",
}


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Path:
    return make_site({**SITE, **PAGES})


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_site_is_served_from_its_own_folder(site: Path, tmp_path: Path, workers: str) -> None:
    script = tmp_path / "hybridsite"  # as pip writes one: Python looks beside it, and not where it is started
    script.write_text("from hybridsite.cli.main import main\nif __name__ == '__main__':\n    main()\n")
    command = [sys.executable, str(script), "serve", ".", "--workers", workers, "--port"]
    server = Server(site, command=lambda port: [*command, str(port)])
    server.cwd = site
    with server, server.client() as visitor:
        assert visitor.get("/now/first-post/").text == 'Ines: <h2 id="one">One</h2>\n<p>hi</p>\n'
        assert visitor.get("/blog/second/").text == "<p><em>two</em></p>\n"
        assert visitor.get("/now/nobody/").status_code == 404


def test_a_copied_dist_has_the_entries_that_are_asked_for(site: Path, tmp_path: Path) -> None:
    built(site)
    shutil.copytree(site / "dist", tmp_path / "dist")
    with Server(tmp_path / "dist") as server, server.client() as visitor:
        assert visitor.get("/now/third/").text == "Tobias: "


def test_drafts_are_shown_to_those_who_ask(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    files = {**SITE, **PAGES, "content/blog/new.md": post("Draft", "2026-04-01", more="draft: true")}
    folder = make_site(files)
    built(folder)
    assert page(folder, "index.html") == "Third Second First "
    built(folder, "--drafts")
    assert page(folder, "index.html") == "Draft Third Second First "


def test_two_builds_at_one_time_are_the_same_bytes(make_site: MakeSite) -> None:
    # case D6
    one, other = make_site({**SITE, **PAGES}), make_site(dict(reversed({**SITE, **PAGES}.items())))
    built(one, env={"SOURCE_DATE_EPOCH": "1780000000", "PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo"})
    built(other, env={"SOURCE_DATE_EPOCH": "1780000000", "PYTHONHASHSEED": "2", "TZ": "America/New_York"})
    assert tree(one / "dist") == tree(other / "dist")


def test_all_faults_of_all_entries_are_told_in_one_run(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    bad = {f"content/blog/{n}.md": "---\ntitle: A\ndate: soon\n---\n" for n in range(5)}
    done = hybridsite("build", make_site({**SITE, **PAGES, **bad}))
    assert done.returncode == 1
    assert [line.partition(" ")[0] for line in done.stderr.splitlines()] == [
        f"content/blog/{n}.md:3:1:" for n in range(5)
    ]
    assert "Traceback" not in done.stderr
