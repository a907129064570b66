from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field, field_validator

from hybridsite.collections import reference
from hybridsite.dates import zone
from hybridsite.dev.app import DevApp
from hybridsite.dev.loading import Loader
from hybridsite.inheritance import Inheritance, inherited, signature
from hybridsite.schemas import Schema
from hybridsite.site import Site
from tests.e2e.support import write_files
from tests.inprocess import ENVIRON, asked, scope_of

SITE = {
    "site.toml": "",
    "layouts/base.html": "<!doctype html><title><< page.title >></title>{% block main %}{% endblock %}",
    "components/macros.html": "{% macro badge(text) %}<b><< text >></b>{% endmacro %}",
    "pages/index.html": "---\ntitle: Home\n---\n{% extends 'layouts/base.html' %}{% block main %}"
    "{% from 'components/macros.html' import badge %}<< badge('x') >>"
    "{% for post in collection('blog') %}<< post.slug >>=<< post.data.title >> << post.html >>{% endfor %}"
    "<< data.words.one >> << names >>{% endblock %}",
    "pages/index.py": "import inherited_names\ndef load(context):\n    return {'names': inherited_names.NAMES}\n",
    "pages/about.md": "---\ntitle: About\nlayout: layouts/md.html\n---\nAbout us",
    "layouts/md.html": "<!doctype html><< content >>",
    "pages/blog/[slug].html": "---\npaths: blog\ntitle: Post\n---\n{% extends 'layouts/base.html' %}{% block main %}"
    "<< entry.data.title >> << entry.html >> {% if entry.next %}<< entry.next.slug >>{% endif %} "
    "<< entry.data.by.data.name >>{% endblock %}",
    "inherited_names.py": "from pathlib import Path\nNAMES = Path(__file__).with_name('names.txt').read_text()\n",
    "names.txt": "Ann",
    "data/words.toml": "one = 1\n",
    "collections.py": "from typing import Any\nfrom pydantic import BaseModel\n"
    "from hybridsite import Collection, reference\n"
    "class Post(BaseModel):\n    title: str\n    date: Any = None\n    by: reference('people')\n"
    "blog = Collection('content/blog', schema=Post)\n",
    "content/blog/a.md": "---\ntitle: A\nby: ann\n---\nfirst",
    "content/blog/b.md": "---\ntitle: B\nby: ann\n---\nsecond",
    "content/people/ann.md": "---\nname: Ann\n---\n",
    "content/people/bob.md": "---\nname: Bob\n---\n",
}
URLS = ("/", "/about/", "/blog/a/", "/blog/b/", "/blog/c/", "/nowhere/")
EDITS: tuple[tuple[str, str | None], ...] = (
    ("layouts/base.html", "<!doctype html><p><< page.title >>{% block main %}{% endblock %}"),
    ("layouts/base.html", SITE["layouts/base.html"]),
    ("components/macros.html", "{% macro badge(text) %}<i><< text >> << page.title >></i>{% endmacro %}"),
    ("components/macros.html", "{% macro badge(text) %}{% broken %}{% endmacro %}"),
    ("components/macros.html", None),
    ("components/macros.html", SITE["components/macros.html"]),
    ("pages/about.md", "---\ntitle: About\nlayout: layouts/md.html\n---\nchanged"),
    ("pages/about.md", "---\ntitle: [\n---\nbroken"),
    ("content/blog/a.md", "---\ntitle: A2\nby: bob\n---\nother"),
    ("content/blog/a.md", "---\ntitle: A\nby: ann\nslug: c\n---\nfirst"),
    ("content/blog/a.md", SITE["content/blog/a.md"]),
    ("content/blog/b.md", "---\ntitle: true\nby: ann\n---\nsecond"),
    ("content/blog/b.md", None),
    ("content/blog/b.md", "---\ntitle: B\nby: ann\ndate: 2026-01-01\n---\nsecond"),
    ("content/people/ann.md", "---\nname: Anna\n---\n"),
    ("content/people/ann.md", None),
    ("content/people/ann.md", SITE["content/people/ann.md"]),
    ("data/words.toml", "one = true\n"),
    ("data/words.toml", "one = 1\n"),
    ("names.txt", "Bob"),
    ("inherited_names.py", "NAMES = 'none'\n"),
    ("inherited_names.py", "1 / 0\n"),
    ("inherited_names.py", SITE["inherited_names.py"]),
    ("pages/index.py", "def load(context):\n    return {'names': 'own'}\n"),
    ("site.toml", "[templates]\nvariable = ['[[', ']]']\n"),
    ("site.toml", ""),
)


def edit(root: Path, file: str, text: str | None, tick: int) -> None:
    """Writes a file, or deletes it, as if that had been done a while ago: only then may its parts be taken over."""
    if text is None:
        (root / file).unlink(missing_ok=True)
    else:
        (root / file).write_text(text)
        os.utime(root / file, ns=(tick, tick))


async def shown(app: DevApp) -> dict[str, tuple[int, bytes]]:
    """Gives what a browser is shown under each address, less the name of the state."""
    state = app.channel.state.encode()
    answers = {url: await asked(app, scope_of(url)) for url in URLS}
    return {url: (answer.status, answer.body.replace(state, b"")) for url, answer in answers.items()}


async def compare(root: Path, series: list[list[tuple[str, str | None]]]) -> int:
    """Compares what is shown after each edit with what a first load shows. Gives how often there was no fault."""
    write_files(root, {file: text.encode() for file, text in SITE.items()})
    tick = 1_700_000_000_000_000_000
    for file in SITE:
        os.utime(root / file, ns=(tick, tick))
    lasting = DevApp(root, ENVIRON, say=lambda line: None, wrong=lambda line: None)
    await lasting.reload()
    compared = 0
    try:
        for edits in series:
            for file, text in edits:
                tick += 1_000_000_000
                edit(root, file, text, tick)
            await lasting.reload([file for file, _ in edits])
            seen = await shown(lasting)
            fresh = DevApp(root, ENVIRON, say=lambda line: None, wrong=lambda line: None)
            await fresh.reload(["inherited_names.py"])  # which forgets what was imported
            expected = await shown(fresh)
            await fresh.close()
            # The last good site is kept where a fault concerns other pages: a first load has none.
            if all(status < 500 for status, _ in expected.values()):
                assert seen == expected, edits
                compared += 1
    finally:
        await lasting.close()
    return compared


def test_after_each_edit_the_site_is_what_a_first_load_gives(tmp_path: Path) -> None:
    mend: list[tuple[str, str | None]] = list(SITE.items())
    series = [step for one in EDITS for step in ([one], mend)]
    assert asyncio.run(compare(tmp_path, series)) > len(EDITS) * 1.5


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from(EDITS), min_size=1, max_size=2), min_size=1, max_size=6))
def test_after_any_edits_the_site_is_what_a_first_load_gives(
    tmp_path_factory: pytest.TempPathFactory, series: list[list[tuple[str, str | None]]]
) -> None:
    asyncio.run(compare(tmp_path_factory.mktemp("inherited"), series))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_files(tmp_path, {file: text.encode() for file, text in SITE.items()})
    (tmp_path / "collections.py").unlink()
    for file in tmp_path.rglob("*.*"):
        os.utime(file, ns=(1_700_000_000_000_000_000,) * 2)
    return tmp_path


def loads(root: Path, *changes: tuple[str, str]) -> list[Site]:
    """Loads a site once, and again after each change."""

    async def run() -> list[Site]:
        loader = Loader(root, root / ".hybridsite", ENVIRON, lambda site, request, error: pytest.fail(str(error)))
        found = [(await loader.load()).site]
        for tick, (file, text) in enumerate(changes, 1_800_000_000):
            edit(root, file, text, tick * 1_000_000_000)
            found.append((await loader.load([file])).site)
        await loader.close()
        return found

    return asyncio.run(run())


def test_an_edited_entry_is_read_and_the_others_are_taken_over(root: Path) -> None:
    before, after = loads(root, ("content/blog/a.md", "---\ntitle: New\n---\n"))
    olds, news = before.collection("blog"), after.collection("blog")
    assert news.get("a").data["title"] == "New"
    assert news.get("b").data is olds.get("b").data
    assert news.get("b") is not olds.get("b")  # its neighbours and its URL are those of its own site
    assert news.get("a").next is news.get("b")
    assert after.data["words"] is before.data["words"]
    assert after.resources["pages/index.html"].module is before.resources["pages/index.html"].module


def test_an_edited_template_is_compiled_and_the_others_are_taken_over(root: Path) -> None:
    before, after = loads(root, ("layouts/base.html", "<p>{% block main %}{% endblock %}"))

    def code(site: Site, name: str) -> object:
        return site.templates.get(name).root_render_func.__code__

    assert code(before, "pages/blog/[slug].html") is code(after, "pages/blog/[slug].html")
    assert code(before, "layouts/base.html") is not code(after, "layouts/base.html")
    assert after.templates.environment is not before.templates.environment


def test_a_macro_that_asks_for_the_page_now_compiles_what_imports_it_anew(root: Path) -> None:
    macro = "{% macro badge(text) %}<< page.title >>{% endmacro %}"
    before, after = loads(root, ("components/macros.html", macro))
    one, other = (site.templates.get("pages/index.html").root_render_func.__code__ for site in (before, after))
    assert one is not other


@pytest.mark.parametrize("file", ["inherited_names.py", "names.txt", "data/words.toml", "site.toml"])
def test_code_runs_again_when_what_it_may_have_read_has_changed(root: Path, file: str) -> None:
    text = {"data/words.toml": "one = 2\n", "site.toml": "[site]\ntitle = 'T'\n"}.get(file, "NAMES = 'x'\n")
    before, after = loads(root, (file, text))
    assert after.resources["pages/index.html"].module is not before.resources["pages/index.html"].module


def test_what_a_helper_read_as_it_was_imported_is_read_again(root: Path) -> None:
    async def run() -> bytes:
        app = DevApp(root, ENVIRON, say=lambda line: None, wrong=lambda line: None)
        await app.reload()
        (root / "names.txt").write_text("Zoe")
        await app.reload(["names.txt"])
        answer = await asked(app, scope_of("/"))
        await app.close()
        return answer.body

    assert b"Zoe" in asyncio.run(run())


def test_without_a_load_before_it_everything_is_made() -> None:
    assert inherited("kind", "key", (), lambda: 1) == 1
    assert inherited("kind", "key", (), lambda: 2) == 2


def test_a_part_is_made_where_it_rests_on_something_else() -> None:
    left = Inheritance()
    for rests_on, expected in (((1, "a"), 0), ((1, "a"), 0), ((1, "b"), 1), ((True, "b"), 2), ((True, "b"), 2)):
        with left.passed_on():
            assert inherited("kind", "key", rests_on, partial(int, expected)) == expected


def test_what_a_good_load_did_not_ask_for_is_forgotten_and_a_failed_one_forgets_nothing() -> None:
    left = Inheritance()
    with left.passed_on():
        inherited("kind", "key", (), lambda: 1)
    with pytest.raises(LookupError), left.passed_on():
        raise LookupError
    with left.passed_on():
        assert inherited("kind", "key", (), lambda: 2) == 1
    with left.passed_on():
        pass
    with left.passed_on():
        assert inherited("kind", "key", (), lambda: 3) == 3


def test_a_file_written_a_moment_ago_is_never_the_same(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("x")
    with Inheritance().passed_on():
        assert signature(file) != signature(file)
        os.utime(file, ns=(1_700_000_000_000_000_000,) * 2)
        assert signature(file) == signature(file)
        (tmp_path / "b").write_text("y")
        os.utime(tmp_path / "b", ns=(1_700_000_000_000_000_000,) * 2)
        assert signature(tmp_path / "b") != signature(file)  # the same time and size, and another file
        assert signature(tmp_path / "c") != signature(tmp_path / "c")


class Plain(BaseModel):
    title: str
    kind: Literal["a", "b"] = "a"
    tags: list[str] = Field(default_factory=list)


class Validated(BaseModel):
    title: str

    @field_validator("title")
    @classmethod
    def checked(cls, value: str) -> str:
        """Any code may stand here."""
        return value


class Inner(BaseModel):
    deep: list[Annotated[str, AfterValidator(str.strip)]]


class Refers(BaseModel):
    by: Annotated[Any, reference("people")]


class Factory(BaseModel):
    title: str = Field(default_factory=lambda: "now")


class After(BaseModel):
    title: str

    def model_post_init(self, context: Any) -> None:
        """Any code may stand here."""


@dataclass
class Data:
    title: str
    number: int = 0


@pytest.mark.parametrize(
    ("kind", "pure"),
    [
        (Plain, True),
        (Data, True),
        (Validated, False),
        (Inner, False),
        (Refers, False),
        (Factory, False),
        (After, False),
    ],
)
def test_a_schema_that_calls_functions_or_refers_is_asked_again(kind: type[Any], pure: bool) -> None:
    schema = Schema(kind, zone("UTC"))
    assert (schema.is_pure and not schema.refers) is pure
