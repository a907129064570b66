"""What is kept of the last build, and what makes it stale: sources, surroundings, and a cache that can't be trusted."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from hybridsite import dates, sources
from hybridsite.build import store as stores
from hybridsite.build.build import BuildOptions, Listener, build_site
from hybridsite.build.snapshot import is_same, snapshot
from hybridsite.errors import SiteError
from tests.e2e.support import built, page, tree, write_files, write_site
from tests.inprocess import ENVIRON, built_here

SITE: dict[str, str | bytes] = {
    "layouts/base.html": "<title><< site.title >></title>{% block main %}{% endblock %}",
    "pages/index.html": "{% extends 'layouts/base.html' %}{% block main %}home{% endblock %}",
    "pages/plain.html": "plain",
    "pages/list.html": "<< data.list | join(' ') >>",
    "pages/nav.html": "<< url_for('pages/plain.html') >>",
    "pages/code.html": "<< x >>",
    "pages/code.py": "def load(context):\n    return {'x': 1}\n",
    "data/list.json": '["a"]',
    "data/other.json": '["b"]',
    "public/a.txt": "a",
}
ALL = ("index.html", "plain/index.html", "list/index.html", "nav/index.html", "code/index.html")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = write_site(tmp_path / "site", SITE)
    built_here(root)
    return root


def inodes(root: Path) -> dict[str, int]:
    return {name: (root / "dist/client" / name).stat().st_ino for name in ALL}


def made_anew(root: Path, **options: object) -> set[str]:
    """Builds, and names the pages that were made anew, without their index.html."""
    before = inodes(root)
    built_here(root, **options)
    after = inodes(root)
    return {name.removesuffix("index.html").rstrip("/") for name in ALL if before[name] != after[name]}


def test_nothing_changed_keeps_everything(site: Path) -> None:
    assert made_anew(site) == set()


@pytest.mark.parametrize(
    ("file", "stale"),
    [
        ("pages/plain.html", {"plain", "code"}),
        ("layouts/base.html", {"", "code"}),
        ("data/list.json", {"list", "code"}),
        ("data/other.json", {"code"}),
        ("public/a.txt", {"code"}),
        ("pages/code.py", {"code"}),
        ("notes.txt", {"code"}),
    ],
)
def test_only_what_can_have_changed_is_rendered(site: Path, file: str, stale: set[str]) -> None:
    text = '["new"]' if file.endswith(".json") else (site / file).read_text() + "\n" if (site / file).exists() else "n"
    write_files(site, {file: text.encode()})
    assert made_anew(site) == stale


def test_a_route_that_changes_makes_those_stale_that_asked_for_it(site: Path) -> None:
    write_files(site, {"pages/plain.html": "---\nprerender: false\n---\n"})
    built_here(site)
    assert page(site, "nav/index.html") == "/plain/"


def test_settings_and_clean_make_everything_anew(site: Path) -> None:
    every = {name.removesuffix("index.html").rstrip("/") for name in ALL}
    write_files(site, {"site.toml": '[site]\ntitle = "T"\n'})
    assert made_anew(site) == every
    assert made_anew(site, clean=True) == every
    assert made_anew(site, drafts=True) == every


def test_a_file_of_dist_that_was_edited_by_hand_is_made_anew(site: Path) -> None:
    (site / "dist/client/plain/index.html").write_text("edited")
    (site / "dist/client/a.txt").write_text("edited")
    (site / "dist/client/extra.txt").write_text("extra")
    built_here(site)
    assert (page(site, "plain/index.html"), page(site, "a.txt")) == ("plain", "a")
    assert not (site / "dist/client/extra.txt").exists()


def test_the_old_site_is_not_touched_by_way_of_a_link(site: Path, tmp_path: Path) -> None:
    os.rename(site / "dist", tmp_path / "old")  # as a deploy would keep it
    (site / "dist").mkdir()
    before = tree(tmp_path / "old")
    write_files(site, {"pages/plain.html": "new"})
    built_here(site)
    assert tree(tmp_path / "old") == before


def test_another_dist_than_the_last_builds_is_not_built_upon(site: Path, tmp_path: Path) -> None:
    other = write_site(tmp_path / "other", SITE | {"pages/plain.html": "other"})
    built_here(other)
    os.rename(site / "dist", tmp_path / "gone")
    os.rename(other / "dist", site / "dist")
    built_here(site)
    assert page(site, "plain/index.html") == "plain"


def test_a_build_killed_between_the_exchange_and_its_notes_costs_time_alone(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # case D1, case D7
    write_files(site, {"pages/plain.html": "second"})
    with monkeypatch.context() as patched:
        patched.setattr(stores, "write", lambda *_: None)
        built_here(site)
    write_files(site, {"pages/plain.html": "plain"})  # as the notes of the first build had it
    assert built_here(site).kept == 0
    assert page(site, "plain/index.html") == "plain"


@pytest.mark.parametrize("damage", ["", "cut", "turned", "version", "noise", "empty"])
def test_a_cache_that_is_damaged_or_another_versions_is_thrown_away_and_said_once(site: Path, damage: str) -> None:
    # case D7
    path = site / ".hybridsite/cache/build"
    data = path.read_bytes()
    path.write_bytes(
        {
            "": data,
            "cut": data[:-20],
            "turned": data[:-20] + b"\0" * 20,
            "version": data.replace(b"hybridsite build 2", b"hybridsite build 1", 1),
            "noise": b"\xff\x00" * 100,
            "empty": b"",
        }[damage]
    )
    said = list[str]()
    before = tree(site / "dist")

    def build() -> None:
        build_site(site, site / ".hybridsite", environ=ENVIRON, listener=Listener(thrown_away=said.append))

    build()
    assert tree(site / "dist") == before
    assert len(said) == (1 if damage else 0)
    build()
    assert len(said) == (1 if damage else 0)


def test_the_command_says_it_in_one_line(site: Path) -> None:
    # case D7
    (site / ".hybridsite/cache/build").write_bytes(b"x")
    assert "the build cache is thrown away: it is damaged" in built(site).stdout.splitlines()


def test_another_package_or_version_makes_everything_anew(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hybridsite.build.beginning.tool", lambda: "another")
    assert built_here(site).kept == 0


def test_an_environment_variable_that_was_asked_for_makes_everything_anew(tmp_path: Path) -> None:
    code = "import os\ndef load(context):\n    return {'x': os.environ.get('SHOP_NAME', 'none')}\n"
    root = write_site(tmp_path / "site", SITE | {"pages/code.py": code})
    for name in ("oak", "oak", "gall"):
        built(root, env={"SHOP_NAME": name, "UNASKED": name})
        assert page(root, "code/index.html") == name
    text = built(root, env={"SHOP_NAME": "gall", "UNASKED": "other"}).stdout
    assert "kept 5" in text


def test_a_file_outside_that_a_page_names_is_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("first")
    code = f"def load(context):\n    return {{'x': context.depends_on({str(outside)!r}).read_text()}}\n"
    root = write_site(tmp_path / "site", SITE | {"pages/code.py": code})
    built_here(root)
    outside.write_text("other")
    built_here(root)
    assert page(root, "code/index.html") == "other"
    assert built_here(root).kept == 5


def test_a_module_outside_that_the_site_imports_is_followed(tmp_path: Path) -> None:
    write_files(tmp_path / "lib", {"shop_helper_outside.py": "VALUE = 1\n"})
    code = "import shop_helper_outside\ndef load(context):\n    return {'x': shop_helper_outside.VALUE}\n"
    root = write_site(tmp_path / "site", SITE | {"pages/code.py": code})
    path = os.pathsep.join([str(tmp_path / "lib"), os.environ.get("PYTHONPATH", "")])
    for value in (1, 2):
        write_files(tmp_path / "lib", {"shop_helper_outside.py": f"VALUE = {value}\n"})
        built(root, env={"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"})
        assert page(root, "code/index.html") == str(value)


@pytest.fixture
def old_files(tmp_path: Path) -> Path:
    write_files(tmp_path, {"pages/a.html": "a"})
    later = time.time_ns() + 10**9
    while time.time_ns() < later and "#" in snapshot(tmp_path)["pages/a.html"]:
        time.sleep(0.01)
    return tmp_path


def test_an_edit_of_the_same_size_and_times_is_seen(old_files: Path) -> None:
    path = old_files / "pages/a.html"
    then, status = snapshot(old_files)["pages/a.html"], path.stat()
    assert "#" not in then
    path.write_text("b")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert not is_same(then, snapshot(old_files)["pages/a.html"], path)


def test_an_edit_within_a_tick_of_the_clock_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, {"pages/a.html": "a"})
    path = tmp_path / "pages/a.html"
    then, status = snapshot(tmp_path)["pages/a.html"], path.stat()
    path.write_text("b")
    monkeypatch.setattr(os, "stat", lambda *_, **__: status)  # as if the clock had stood still
    assert not is_same(then, then, path)


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("notes.txt", True),
        ("pages/dist/a.html", True),
        ("pages/node_modules/a.html", True),
        ("public/.well-known/a", True),
        ("dist/a", False),
        ("node_modules/a.js", False),
        ("venv/lib/a.py", False),
        (".git/index", False),
        ("pages/__pycache__/a.pyc", False),
    ],
)
def test_what_counts_as_a_source(tmp_path: Path, file: str, counts: bool) -> None:
    write_files(tmp_path, {file: "a", "venv/pyvenv.cfg": ""})
    assert (file in snapshot(tmp_path)) == counts


def test_notices_of_kept_pages_are_told_again(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"pages/a.html": "x", "pages/a.py": "def load(context):\n    context.session\n"}
    root = write_site(tmp_path / "site", files)
    first = [str(notice) for notice in built_here(root).notices]
    report = built_here(root)
    assert report.kept == 1
    assert [str(notice) for notice in report.notices] == first != []


def test_strict_is_held_where_pages_are_kept(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", {"pages/a.html": "<< session >>"})
    build_site(root, root / ".hybridsite", environ=ENVIRON)
    with pytest.raises(Exception, match="`session` is undefined"):
        build_site(root, root / ".hybridsite", environ=ENVIRON, options=BuildOptions(strict=True))


BLOG: dict[str, str | bytes] = {
    "site.toml": '[site]\nurl = "https://example.com"\n',
    "pages/blog/[slug].html": "---\npaths: blog\n---\n<< seo() >><< entry.html >>"
    "{% if entry.next %}<< entry.next.data.title >>{% endif %}",
    "pages/titles.html": "{% for post in collection('blog') %}<< post.data.title >> << post.url >>\n{% endfor %}",
    "pages/slugs.html": "{% for post in site.collection('blog') %}<< post.slug >>\n{% endfor %}",
    "pages/oak.html": "{% for post in collection('blog').where(tags='oak') %}<< post.slug >>\n{% endfor %}",
    "pages/sorted.html": "{% for post in collection('blog').sorted('weight') %}<< post.slug >>\n{% endfor %}",
    "pages/bodies.html": "{% for post in collection('blog') %}<< post.body >>{% endfor %}",
    "pages/whole.html": "<< collection('blog') | map(attribute='data.title') | join >>",
    "pages/cards.html": "{% for post in collection('blog') %}{% include 'components/card.html' %}{% endfor %}",
    "pages/tags/[tags].html": "---\npaths: {collection: blog, by: tags}\n---\n<< entries | length >>",
    "pages/all/[...page].html": "---\npaths: blog\npaginate: 2\n---\n"
    "{% for post in pagination %}<< post.data.title >>{% endfor %}",
    "components/card.html": "<< post.data.weight >>",
    **{
        f"content/blog/{slug}.md": f"---\ntitle: {slug.upper()}\ntags: [{tag}]\nweight: {weight}\n---\nof {slug}\n"
        for slug, tag, weight in (("a", "oak", 1), ("b", "oak", 2), ("c", "gall", 3))
    },
}
POSTS = {f"/blog/{slug}/" for slug in "abc"}


@pytest.fixture
def blog(tmp_path: Path) -> Path:
    root = write_site(tmp_path / "site", BLOG)
    built_here(root)
    assert built_here(root).kept == len(pages_of(root))
    return root


def pages_of(root: Path) -> dict[str, int]:
    client = root / "dist/client"
    files = client.rglob("index.html")
    return {f"/{path.parent.relative_to(client)}/".replace("/./", "/"): path.stat().st_ino for path in files}


def made_of(root: Path) -> set[str]:
    """Builds, and names the pages that were made anew."""
    before = pages_of(root)
    built_here(root)
    return {url for url, inode in pages_of(root).items() if before.get(url) != inode}


def edit(root: Path, slug: str, old: str, new: str) -> None:
    path = root / f"content/blog/{slug}.md"
    assert old in path.read_text("utf-8")
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")


@pytest.mark.parametrize(
    ("old", "new", "stale"),
    [
        ("of b", "new", {"/blog/b/", "/bodies/"}),
        # `bodies` with it: of a Markdown file the body counts as changed when the file is.
        ("title: B", "title: N", {"/blog/b/", "/blog/a/", "/titles/", "/whole/", "/all/", "/bodies/"}),
        ("weight: 2", "weight: 9", {"/blog/b/", "/sorted/", "/cards/", "/whole/", "/bodies/"}),
        ("tags: [oak]", "tags: [gall]", {"/blog/b/", "/oak/", "/tags/oak/", "/tags/gall/", "/whole/", "/bodies/"}),
        ("title: B", "title: B\nother: 1", {"/blog/b/", "/bodies/", "/whole/"}),
    ],
)
def test_a_page_is_rendered_when_a_field_that_it_reads_has_changed(
    blog: Path, old: str, new: str, stale: set[str]
) -> None:
    edit(blog, "b", old, new)
    assert made_of(blog) == stale


def test_an_entry_that_comes_or_goes_makes_lists_and_neighbours_stale(blog: Path) -> None:
    lists = {"/titles/", "/slugs/", "/oak/", "/sorted/", "/bodies/", "/whole/", "/cards/"}
    write_files(blog, {"content/blog/bb.md": "---\ntitle: BB\ntags: [gall]\nweight: 1\n---\n"})
    assert made_of(blog) == lists | {"/blog/b/", "/blog/bb/", "/tags/gall/", "/blog/c/", "/all/", "/all/2/"}
    (blog / "content/blog/bb.md").unlink()
    assert made_of(blog) == lists | {"/blog/b/", "/blog/c/", "/tags/gall/", "/all/", "/all/2/"}


def test_a_route_of_entries_that_moves_makes_those_stale_that_link_to_them(blog: Path) -> None:
    (blog / "pages/blog").rename(blog / "pages/posts")
    built_here(blog)
    assert "/posts/a/" in page(blog, "titles/index.html")


def test_an_entry_whose_time_has_come_is_found_though_no_file_has_changed(
    blog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(blog, "c", "weight: 3", "weight: 3\ndate: 2124-01-01")
    built_here(blog)
    assert page(blog, "slugs/index.html").split() == ["a", "b"]
    assert built_here(blog).kept == len(pages_of(blog))
    real = dates.now
    monkeypatch.setattr(dates, "now", lambda environ: real(environ).replace(year=2125))
    built_here(blog)
    assert page(blog, "slugs/index.html").split() == ["c", "a", "b"]


def test_what_a_function_gives_is_compared_with_what_it_gave(tmp_path: Path) -> None:
    given = tmp_path / "given.txt"  # no build knows of it
    code = "from pathlib import Path\nfrom hybridsite import Collection\n"
    code += f"def read(): return [{{'slug': n, 'text': n}} for n in Path({str(given)!r}).read_text().split()]\n"
    code += "notes = Collection(read)\n"
    files: dict[str, str | bytes] = {
        "collections.py": code,
        "pages/notes.html": "{% for note in collection('notes') %}<< note.data.text >>{% endfor %}",
        "pages/other.html": "other",
    }
    root = write_site(tmp_path / "site", files)
    for notes, kept in (("a b", 0), ("a b", 2), ("a c", 1)):
        given.write_text(notes)
        text = built(root).stdout
        assert page(root, "notes/index.html") == notes.replace(" ", "")
        assert (f"kept {kept}" in text) == bool(kept)


def watch_reading(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Gives the list of the files whose front matter is read from now on."""
    read = list[str]()
    real = sources.load_head

    def load_head(path: Path, file: str) -> sources.Source:
        read.append(file)
        return real(path, file)

    monkeypatch.setattr(sources, "load_head", load_head)
    return read


def test_entries_whose_files_are_as_they_were_are_not_read(blog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = watch_reading(monkeypatch)
    edit(blog, "b", "title: B", "title: N")
    built_here(blog)
    assert read == ["content/blog/b.md"]
    assert page(blog, "titles/index.html").split() == ["A", "/blog/a/", "N", "/blog/b/", "C", "/blog/c/"]


@pytest.mark.parametrize("changed", ["site.toml", "helper.py"])
def test_settings_and_python_have_every_entry_read_anew(
    blog: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    read = watch_reading(monkeypatch)
    write_files(blog, {changed: str(BLOG.get(changed, "")) + "# new\n"})
    built_here(blog)
    assert len(read) == 3


def test_two_entries_of_one_slug_are_told_as_a_clean_build_tells_them(blog: Path) -> None:
    write_files(blog, {"content/blog/0.md": "---\ntitle: A\nslug: a\ntags: []\nweight: 1\n---\n"})
    with pytest.raises(SiteError) as told:
        built_here(blog)
    with pytest.raises(SiteError) as clean:
        built_here(blog, clean=True)
    assert str(told.value) == str(clean.value)


def test_a_reference_to_an_entry_that_is_gone_is_told(tmp_path: Path) -> None:
    code = (
        "from typing import Annotated\nfrom pydantic import BaseModel\nfrom hybridsite import Collection, reference\n"
    )
    code += "class Post(BaseModel):\n    author: Annotated[object, reference('authors')]\n"
    code += "blog = Collection('content/blog', schema=Post)\n"
    files: dict[str, str | bytes] = {
        "collections.py": code,
        "content/blog/a.md": "---\nauthor: ada\n---\n",
        "content/authors/ada.md": "---\nname: Ada\n---\n",
        "content/authors/eve.md": "---\nname: Eve\n---\n",
        "pages/names.html": "{% for post in collection('blog') %}<< post.data.author.data.name >>{% endfor %}",
    }
    root = write_site(tmp_path / "site", files)
    built_here(root)
    write_files(root, {"content/authors/ada.md": "---\nname: Lovelace\n---\n"})
    built_here(root)
    assert page(root, "names/index.html") == "Lovelace"
    (root / "content/authors/ada.md").unlink()
    with pytest.raises(SiteError, match='there is no "ada"'):
        built_here(root)


def test_a_validator_of_the_site_is_run_at_each_build(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom pydantic import BaseModel, field_validator\nfrom hybridsite import Collection\n"
    )
    code += "class Post(BaseModel):\n    title: str\n    @field_validator('title')\n    @classmethod\n"
    code += "    def more(cls, title): return title + Path(__file__).with_name('more.txt').read_text()\n"
    code += "blog = Collection('content/blog', schema=Post)\n"
    files: dict[str, str | bytes] = {
        "collections.py": code,
        "content/blog/a.md": "---\ntitle: A\n---\n",
        "more.txt": "1",
        "pages/titles.html": "<< collection('blog')[0].data.title >>",
    }
    root = write_site(tmp_path / "site", files)
    built_here(root)
    write_files(root, {"more.txt": "2"})
    built_here(root)
    assert page(root, "titles/index.html") == "A2"
