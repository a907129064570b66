"""The story of a build: all faults at once, the old site kept, the same bytes everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hybridsite.errors import SiteError, SiteErrors
from hybridsite.manifest import MANIFEST, read_manifest
from tests.e2e.support import environment, hybridsite, tree, write_files, write_site
from tests.inprocess import ON_DEMAND, built_here

SITE: dict[str, str | bytes] = {
    "site.toml": '[site]\ntitle = "Straße"\nurl = "https://shop.example"\n',
    "layouts/base.html": "<title><< page.title >></title>{% block main %}{% endblock %}",
    "pages/index.html": "---\ntitle: Ö\nwhen: 2026-02-03 04:05:06\nday: 2026-02-03\n---\n"
    "{% extends 'layouts/base.html' %}{% block main %}<< page.when >> << page.day >> << data.b >>"
    "{% for name in ['z', 'a', 'ä'] | sort %}<< name >>{% endfor %}{% endblock %}",
    "pages/post.md": "# Grün\n\n```python\nx = {1, 2}\n```\n",
    "pages/[name].html": "<< params.name >> << props >>",
    "pages/[name].py": "def paths(site):\n    for name in ('b', 'a', 'grün'):\n"
    "        yield {'params': {'name': name}, 'props': {'z': 1, 'a': name}}",
    "pages/stats.json.py": "prerender = True\ndef GET(context):\n    return {'z': 1, 'a': context.url.path}",
    "pages/now.html": ON_DEMAND + "now",
    "data/b.toml": "z = 1\na = 2\n",
    "data/a.json": '{"z": 1, "a": 2}',
    "public/img/a.svg": "<svg/>",
    "public/img/b b.txt": "b",
}


def refused(root: Path, **options: bool) -> str:
    """Gives the faults of a build that has to fail."""
    with pytest.raises((SiteError, SiteErrors)) as caught:
        built_here(root, **options)
    return str(caught.value)


def test_the_same_bytes_in_any_surroundings(tmp_path: Path) -> None:
    # case D6
    surroundings: list[tuple[int, dict[str, str], Path]] = [
        (0o022, {"TZ": "UTC", "PYTHONHASHSEED": "0"}, tmp_path),
        (
            0o077,
            {"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "1", "LC_ALL": "C"},
            tmp_path,
        ),
        (0o000, {"TZ": "America/St_Johns", "PYTHONHASHSEED": "42", "LC_ALL": "tr_TR.UTF-8"}, Path("/")),
    ]

    def build(number: int) -> dict[str, str]:
        umask, env, cwd = surroundings[number]
        files = dict(reversed(SITE.items())) if number % 2 else SITE
        root = write_site(tmp_path / f"site-{number}", files)
        code = f"import os; os.umask({umask}); from hybridsite.cli.main import main; main(['build', {str(root)!r}])"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=cwd, env=environment(env), capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return tree(root / "dist")

    with ThreadPoolExecutor(2) as pool:
        first, *others = pool.map(build, range(len(surroundings)))
    assert "client/grün/index.html" in first
    assert others == [first] * len(others)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"pages/bad.html": "<< none_such >>"}, "pages/bad.html:1:4:"),
        ({"pages/bad.html": "", "pages/bad.py": "def load(context):\n    return 1 // 0"}, "pages/bad.py:2: Zero"),
        ({"pages/bad.html": "{% include 'pages/bad.html' %}"}, "without end"),
        ({"pages/bad.json.py": "prerender = True\ndef GET(context):\n    return 'x' + context.request.body"},
         "give pages/bad.json.py prerender: false"),
        ({"pages/bad.json.py": "prerender = True\ndef GET(context):\n    return {1}"}, "the endpoint gave set"),
        ({"pages/bad.html": "", "pages/bad.py": "from hybridsite import NotFound\ndef load(c):\n    raise NotFound"},
         "pages/bad.py:3: NotFound was raised for /bad/"),
        ({"pages/bad.html": "<< redirect('/') >>"}, "/bad/ answers 302 at build"),
        ({"pages/bad.py": "prerender = True\ndef GET(context):\n    return '<html>'"}, "name says application/octet"),
        ({"pages/bad.txt.py": "prerender = True\ndef GET(context):\n    return {}"}, "/bad.txt is application/json"),
        ({"public/index.html": "x"}, "public/index.html and pages/index.html both write index.html"),
        ({"public/POST/index.html": "x"}, "both write POST/index.html"),
        ({"public/a.txt": "1", "public/A.txt": "2"}, "both write a.txt"),
        ({"public/gru\u0308n/index.html": "1"}, "both write"),
        ({"pages/bad.html": "---\nheaders: {X-A: \"a\\nb\"}\n---\n"}, "pages/bad.html:2"),
    ],
)  # fmt: skip
def test_a_fault_leaves_the_old_site(tmp_path: Path, files: dict[str, str | bytes], told: str) -> None:
    # case D1, case P7
    root = write_site(tmp_path / "site", SITE)
    built_here(root)
    before = tree(root / "dist")
    write_files(root, files)
    assert told in refused(root)
    assert tree(root / "dist") == before
    assert [name for name in os.listdir(root) if name.startswith(".dist")] == []


def test_the_faults_of_all_pages_are_told_at_once(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"pages/{name}.html": "\n<< none_such >>" for name in "abc"}
    text = refused(write_site(tmp_path / "site", {**files, "pages/d.html": "{% if %}", "pages/[e].html": ""}))
    assert [line.partition(":")[0] for line in text.splitlines()] == [
        "pages/[e].html", "pages/a.html", "pages/b.html", "pages/c.html", "pages/d.html",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "place",
    ["public/link.txt", "public/deep", "pages/link.html", "layouts/link.html", "data/link.toml", "components/deep"],
)
def test_a_link_out_of_the_site_is_refused(tmp_path: Path, place: str) -> None:
    # case P4
    outside = tmp_path / "outside"
    write_files(outside, {"private.txt": "a secret of mine"})
    root = write_site(tmp_path / "site", SITE)
    (root / place).parent.mkdir(exist_ok=True)
    (root / place).symlink_to(outside if place.endswith("deep") else outside / "private.txt")
    assert f"{place}: the link leads out of the site" in refused(root)
    assert not (root / "dist").exists()


def test_a_link_within_the_site_is_followed(tmp_path: Path) -> None:
    # case P4
    root = write_site(tmp_path / "site", SITE)
    (root / "public/link.svg").symlink_to("img/a.svg")
    built_here(root)
    assert (root / "dist/client/link.svg").read_text() == "<svg/>"
    assert not (root / "dist/client/link.svg").is_symlink()


@pytest.mark.parametrize(
    "name", ["a b", "it's", 'say "hi"', "50%", "C#", "what?", "🛒", "e\u0301", "x" * 200, "con", "a+b", "{x}"]
)
def test_a_public_file_of_any_name_has_its_url(tmp_path: Path, name: str) -> None:
    # case P5
    root = write_site(tmp_path / "site", {f"public/{name}.txt": name})
    built_here(root)
    (file,) = read_manifest(root / "dist").files
    assert file.file == f"{name}.txt"
    assert file.url.isascii()
    assert not set(file.url) & set(' "#?{}')


def test_private_files_are_not_in_the_manifest(tmp_path: Path) -> None:
    # case P3
    hidden = {"public/.env": "x", "public/.git/config": "x", "public/deep/.htaccess": "x"}
    root = write_site(tmp_path / "site", {**hidden, "public/.well-known/security.txt": "x", ".env": "x"})
    built_here(root)
    assert [file.url for file in read_manifest(root / "dist").files] == ["/.well-known/security.txt"]
    assert set(tree(root / "dist/server")) == {"site.toml", MANIFEST.removeprefix("server/")}


def test_drafts_and_their_modules_stay_out(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "pages/a.html": "a",
        "pages/draft.html": "---\ndraft: true\n---\ndraft",
        "pages/draft.py": "def load(context): ...",
    }
    root = write_site(tmp_path / "site", files)
    built_here(root)
    assert not [name for name in tree(root / "dist") if "draft" in name]
    built_here(root, drafts=True)
    assert {name for name in tree(root / "dist") if "draft" in name} == {
        "client/draft/index.html", "server/pages/draft.html", "server/pages/draft.py",
    }  # fmt: skip
    assert read_manifest(root / "dist").drafts


def test_strict_makes_an_undefined_session_a_fault(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", {"pages/a.html": "<< session.get('x') >>"})
    report = built_here(root)
    assert [str(notice.location) for notice in report.notices] == ["pages/a.html:1"]
    before = tree(root / "dist")
    assert "`session` is undefined" in refused(root, strict=True)
    assert tree(root / "dist") == before


def test_the_report_counts(tmp_path: Path) -> None:
    report = built_here(write_site(tmp_path / "site", SITE))
    rows = {row.pattern: row for row in report.rows}
    assert (rows["/[name]/"].pages, rows["/now/"].pages, rows["/now/"].kind) == (3, 0, "on demand")
    assert report.pages == 6
    assert rows["/stats.json"].size == len('{"z":1,"a":"/stats.json"}') or rows["/stats.json"].size > 0


def test_every_command_line_fault_is_one_line(tmp_path: Path) -> None:
    done = hybridsite("build", write_site(tmp_path / "site", {"pages/a.html": "<< a >>"}))
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)


def test_a_pipe_in_public_is_no_file(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", {"pages/index.html": "x", "public/a.txt": "a"})
    os.mkfifo(root / "public/pipe")
    with pytest.raises(SiteError, match="this is no file") as caught:
        built_here(root)
    assert str(caught.value.location) == "public/pipe"


def test_a_public_name_that_is_not_text(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", {"pages/index.html": "x", "public/a.txt": "a"})
    (root / "public" / os.fsdecode(b"caf\xe9.txt")).write_text("a")
    with pytest.raises(SiteError, match="isn't text in UTF-8"):
        built_here(root)


@pytest.mark.parametrize("name", ["a\\b.txt", "a\tb.txt"])
def test_a_public_name_that_no_request_has(tmp_path: Path, name: str) -> None:
    root = write_site(tmp_path / "site", {"pages/index.html": "x"})
    (root / "public").mkdir()
    (root / "public" / name).write_text("a")
    with pytest.raises(SiteError, match="no path"):
        built_here(root)
