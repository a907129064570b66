"""What of content goes into dist/server/: what is rendered on demand decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridsite.manifest import read_manifest
from tests.inprocess import ON_DEMAND, app_of, ask, built_here
from tests.publishing import SITE, Files, site_of

CONTENT = {"collections.py", *(name for name in SITE if name.startswith("content/"))}


def server_files(root: Path, files: Files, **options: bool) -> set[str]:
    site_of(root, {**SITE, **files})
    built_here(root, **options)
    names = set(read_manifest(root / "dist").sources)
    below = {
        str(path.relative_to(root / "dist/server")) for path in (root / "dist/server").rglob("*") if path.is_file()
    }
    assert below == names | {"manifest.json"}
    return names


@pytest.mark.parametrize(
    "files",
    [
        {"pages/[slug].html": "---\npaths: blog\n---\n<< entry.html >>"},
        {"pages/index.html": "<< collection('blog') | length >>", "pages/a.html": ON_DEMAND + "<< site.title >>"},
        {"pages/a.html": ON_DEMAND, "pages/a.py": "def load(context):\n    pass"},
        {"pages/[s].html": "", "pages/[s].py": "def paths(site):\n    site.collection('blog')\n    return []"},
    ],
)
def test_nothing_where_nothing_on_demand_asks_for_it(tmp_path: Path, files: Files) -> None:
    assert server_files(tmp_path / "site", files) & CONTENT == set()
    ask(app_of(tmp_path / "site"), "/a/")


@pytest.mark.parametrize(
    "files",
    [
        {"pages/[slug].html": "---\npaths: blog\nprerender: false\n---\n<< entry.html >>"},
        {"pages/a.html": ON_DEMAND + "<< collection('blog') | length >>"},
        {"pages/a.html": ON_DEMAND + "<< site.collection('blog') | length >>"},
        {"pages/a.html": ON_DEMAND + "{% set s = site %}<< s.collection('blog') | length >>"},
        {"pages/a.html": ON_DEMAND + "{% extends 'layouts/b.html' %}", "layouts/b.html": "<< collection('blog') >>"},
        {"pages/a.html": ON_DEMAND + "{% include name %}"},
        {
            "pages/a.html": "{% island 'components/c.html' %}{% endisland %}",
            "components/c.html": "<< collection('blog') | length >>",
        },
        {"pages/a.py": "def GET(context):\n    return str(len(context.site.collection('blog')))"},
        {"pages/a.py": "def GET(context):\n    return open('content/people.toml').read()"},
        {"pages/a.py": "import own\ndef GET(context):\n    return own.x", "own.py": "x = 'collection'"},
        {
            "pages/a.py": "def GET(context):\n    return context.render('components/c.html')",
            "components/c.html": "<< collection('blog') | length >>",
        },
        {
            "site.toml": 'plugins = ["own:Own"]',
            "own.py": "from hybridsite.plugins import Plugin\nclass Own(Plugin):\n    def load(self, setup):\n"
            "        setup.route('/a', lambda context: 'a')\n",
        },
        {
            "middleware.py": "async def on_request(context, call_next):\n"
            "    context.site.collection\n    return await call_next()"
        },
    ],
)
def test_all_of_it_where_something_on_demand_may_ask(tmp_path: Path, files: Files) -> None:
    assert server_files(tmp_path / "site", files) & CONTENT == CONTENT


def test_a_file_of_several_entries_goes_along_whole(tmp_path: Path) -> None:
    declared = "from hybridsite import Collection\nteam = Collection('content/team.csv')"
    files: Files = {
        "collections.py": declared,
        "content/team.csv": "slug,draft\na,false\nb,true\n",
        "pages/a.html": ON_DEMAND + "<< collection('team') | length >>",
    }
    assert "content/team.csv" in server_files(tmp_path / "site", files)
    assert ask(app_of(tmp_path / "site"), "/a/").text == "1"


def test_drafts_and_what_is_to_come_and_pictures_stay_at_home(tmp_path: Path) -> None:
    files: Files = {
        "pages/a.html": ON_DEMAND + "<< collection('blog') | length >>",
        "content/blog/draft.md": "---\ntitle: secret\ndraft: true\n---\n",
        "content/blog/later.md": "---\ntitle: later\ndate: 3026-01-01\n---\n",
        "content/blog/photo.png": b"\x89PNG",
    }
    names = server_files(tmp_path / "site", files)
    assert {name for name in names if name.startswith("content/")} == CONTENT - {"collections.py"}
    assert ask(app_of(tmp_path / "site"), "/a/").text == "3"
    with_drafts = server_files(tmp_path / "drafts", files, drafts=True)
    assert {"content/blog/draft.md", "content/blog/later.md"} <= with_drafts
