"""A build that keeps what holds writes what a clean one writes, byte for byte, after any series of edits."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from hybridsite.build import traces
from hybridsite.build.store import Store
from hybridsite.entry_memory import EntryMemory
from hybridsite.errors import SiteError, SiteErrors
from hybridsite.reads import WHOLE as WHOLE_NAME
from hybridsite.used import BODY, EVERYTHING, HOME, LIST, NEAR, URL, WHOLE
from tests.e2e.support import tree, write_site
from tests.inprocess import built_here

NAMES = ("a", "b", "c")
WORD = st.sampled_from(["oak", "gall", "walnut", "husk"])


def page(word: str, *, layout: str, reads: str, draft: bool = False, prerender: bool = True) -> str:
    front = f"---\ntitle: {word}\n{'draft: true' if draft else ''}\n{'' if prerender else 'prerender: false'}\n---\n"
    extends = f"{{% extends 'layouts/{layout}.html' %}}{{% block main %}}" if layout else ""
    return f"{front}{extends}<p>{word} {reads}</p>{'{% endblock %}' if layout else ''}\n"


def entry(
    title: str, *, tags: tuple[str, ...] = ("oak",), author: str = "ada", more: str = "", body: str = "body"
) -> str:
    front = f"title: {title}\ntags: [{', '.join(tags)}]\nauthor: {author}\n{more}"
    return f"---\n{front}\n---\n# {title}\n\n{body}\n"


READS = st.sampled_from(
    [
        "",
        "<< page.title >>",
        "<< data.a | default('none') >>",
        "<< data['b'] | default('none') >>",
        "{% for name in data | sort %}<< name >> {% endfor %}",
        "{% set all = data %}<< all.a | default('none') >>",
        "<< site.title >> << site.base >>",
        "{% set s = site %}<< s.router.routes | length >>",
        "{% for route in site.router.routes %}<< route.pattern >> {% endfor %}",
        "{% include 'components/a.html' ignore missing %}",
        "{% include ['components/b.html', 'components/c.html'] ignore missing %}",
        "{% include data.which.name | default('components/a.html') ignore missing %}",
        "{% set name = 'components/b.html' %}{% include name ignore missing %}",
        "{% if 'pages/a.html' in site.resources %}<< url_for('pages/a.html') >>{% endif %}",
        "<< url_for('pages/fixed.html') >>",
        "{% set f = url_for %}<< f('pages/fixed.html') >>",
        "<< session >>",
        "<< url.path >> << route >> << locale >>",
        "<< asset('site.css') >>",
        "{% island 'components/a.html', word=page.title %}wait{% endisland %}",
        "{% for entry in collection('blog') %}<< entry.data.title >> {% endfor %}",
        "{% if site.collection %}<< site.collection('blog') | length >>{% endif %}",
    ]
)
# What the page of an entry reads of it, what lists read of many, and what those that `paths` makes read of theirs.
ENTRY_READS = st.sampled_from(
    [
        "<< entry.data.title >>",
        "<< entry.html >>",
        "<< entry.body | length >>",
        "<< entry.data['title'] >> << entry.file >> << entry.draft >>",
        "<< (entry.previous or entry).data.title >> << (entry.next or entry).slug >>",
        "{% if entry.next %}<< entry.next.url >>{% endif %}",
        "<< seo() >>",
        "{% set d = entry.data %}<< d.title >> << d.tags | join(' ') >>",
        "<< entry.data >>",
        "<< entry.data.author >>",
        "<< entry.data.shout | default('') >>",
        "{% set post = entry %}{% include 'components/card.html' %}",
        "<< props.entry.toc >>",
        "<< entry.url >> << collection('blog').get('x', entry).data.title >>",
    ]
)
LIST_READS = st.sampled_from(
    [
        "{% for e in collection('blog') %}<< e.slug >> {% endfor %}",
        "{% for e in collection('blog') %}<< e.data.title >> << e.url >> {% endfor %}",
        "{% for e in collection('blog')[:2] %}<< e.html >>{% endfor %}",
        "{% for e in collection('blog').where(tags='oak') %}<< e.slug >> {% endfor %}",
        "{% for e in collection('blog').sorted('title', reverse=true) %}<< e.slug >> {% endfor %}",
        "{% for tag, some in collection('blog').by('tags').items() %}<< tag >>: << some | length >> {% endfor %}",
        "<< collection('blog') | map(attribute='data.title') | join(' ') >>",
        "<< collection('blog') | map(attribute='slug') | join(' ') >>",
        "{% for e in site.collection('blog') | sort(attribute='data.title') %}<< e.slug >>{% endfor %}",
        "{% set c = collection %}<< c('blog') | length >>",
        "{% for e in collection('blog').where(draft=true) %}<< e.data.title >>{% endfor %}",
        "{% for post in collection('blog') %}{% include 'components/card.html' %}{% endfor %}",
        "{% from 'components/macro.html' import card %}{% for e in collection('blog') %}<< card(e) >>{% endfor %}",
        "{% for e in collection('blog') %}<< e.data.author.data.name | default('') >>{% endfor %}",
        "{% for a in collection('authors') %}<< a.data.name >> << a.html >>{% endfor %}",
        "{% for n in collection('notes') %}<< n.data.text >> {% endfor %}",
        "<< collection('notes') | length >>",
        "<< (collection('blog') | first).data.title | default('') >>",
        "{% for e in collection('blog') %}<< e.file >> << e.previous.slug | default('') >>{% endfor %}",
        "<< collection('blog').where(title='oak') | length >>",
    ]
)
GROUP_READS = st.sampled_from(
    [
        "<< entries | length >>",
        "{% for e in entries %}<< e.data.title >> {% endfor %}",
        "<< params.tags >>",
        "{% for e in props.entries %}<< e.url >> {% endfor %}",
        "{% for e in entries.sorted('title') %}<< e.slug >> {% endfor %}",
    ]
)
PAGE_READS = st.sampled_from(
    [
        "{% for e in pagination %}<< e.data.title >> {% endfor %}",
        "<< pagination.number >> << pagination.total >> << pagination.count >>",
        "<< pagination.next >> << pagination.prev >>",
        "{% for e in entries %}<< e.slug >> {% endfor %}",
        "{% for e in pagination.items %}<< e.html >>{% endfor %}",
        "fixed",
    ]
)
NOTES = """    words = Path(__file__).with_name('notes.txt').read_text().split()
    return [{'slug': line, 'text': line} for line in sorted(set(words))]"""
PLAIN = f"""from pathlib import Path
from hybridsite import Collection


def read():
{NOTES}


notes = Collection(read)
"""
MODEL = """from typing import Annotated

from pydantic import BaseModel, field_validator
from hybridsite import Entry, reference


class Post(BaseModel):
    title: str
    tags: list[str]
    author: Annotated[Entry, reference("authors")]
    category: str = "none"
    date: str = ""
%s

blog = Collection("content/blog", schema=Post)
"""
COLLECTIONS = st.sampled_from(
    [
        PLAIN,
        PLAIN + MODEL % "",
        PLAIN + MODEL % "    @property\n    def shout(self): return self.title.upper()\n",
        "import helper\n" + PLAIN + MODEL % "    @field_validator('title')\n    @classmethod\n"
        "    def check(cls, title): return f'{title} {helper.VALUE}'\n",
        PLAIN + "blog = Collection('content/blog', trusted=False)\n",
    ]
)
SLUGS = ("x", "y", "z", "w")
LINKS = st.sampled_from(["", "[a](a.html)", "[fixed](fixed.html)", "[entry](../content/blog/x.md)", "[away](/x/)"])
MORE = st.sampled_from(
    ["", "draft: true", "date: 2024-05-01", "date: 2019-01-01", "date: 2199-01-01", "category: ink", "category: pens",
     "slug: own", "summary: short", "image: /a.png\ncategory: ink"]
)  # fmt: skip
FRAGMENT = st.sampled_from(
    [
        "plain",
        "<< data.a | default('none') >>",
        "<< page.title | default('') >>",
        "{% include 'components/c.html' ignore missing %}",
        "<< url_for('pages/fixed.html') >>",
        "{% macro m() %}<< site.title >>{% endmacro %}<< m() >>",
    ]
)
MODULES = st.sampled_from(
    [
        "def load(context):\n    return {'x': 1}\n",
        "import helper\ndef load(context):\n    return {'x': helper.VALUE}\n",
        "def load(context):\n    return {'x': (context.site.root / 'notes.txt').read_text()}\n",
        "def load(context):\n    return {'x': sorted(context.data)}\n",
        "def load(context):\n    return {'x': sorted(context.site.resources)}\n",
    ]
)


class Edits(RuleBasedStateMachine):
    """A site, edited at random; after each edit it is built as it is, and compared with what a clean build writes."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="hybridsite-edits-"))
        self.root = self.folder / "site"
        self.kept = 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    @initialize()
    def begin(self) -> None:
        write_site(
            self.root,
            {
                "layouts/one.html": "<title><< page.title >></title>{% block main %}{% endblock %}",
                "layouts/two.html": "{% extends 'layouts/one.html' %}{% block main %}{% endblock %}",
                "layouts/text.html": "<main><< content >></main>",
                "components/a.html": "component",
                "assets/site.css": "body { color: red }",
                "assets/_part.css": "p { color: red }",
                "components/card.html": "<< post.data.title >> << post.url >>",
                "components/macro.html": "{% macro card(e) %}<< e.data.title >>{% endmacro %}",
                "content/blog/x.md": entry("X"),
                "content/blog/y.md": entry("Y", tags=("oak", "husk")),
                "content/authors/ada.json": '{"name": "Ada", "body": "of *ink*"}',
                "content/authors/eve.json": '{"name": "Eve"}',
                "collections.py": PLAIN,
                "pages/blog/[slug].html": "---\npaths: blog\n---\n<< entry.data.title >> << entry.html >>",
                "pages/tags/[tags].html": "---\npaths: {collection: blog, by: tags}\n---\n<< entries | length >>",
                "pages/all/[...page].html": "---\npaths: blog\npaginate: 1\n---\n<< pagination.number >>",
                "pages/list.html": "",
                "pages/fixed.html": "fixed",
                "pages/post.md": "---\nlayout: layouts/text.html\ntitle: Post\n---\n# Post\n",
                "data/a.json": '"first"',
                "public/a.txt": "a",
                "helper.py": "VALUE = 1\n",
                "notes.txt": "notes",
            },
        )

    @rule(name=st.sampled_from(NAMES), word=WORD, layout=st.sampled_from(["", "one", "two"]), reads=READS,
          draft=st.booleans(), prerender=st.sampled_from([True, True, False]))  # fmt: skip
    def change_page(self, name: str, word: str, layout: str, reads: str, draft: bool, prerender: bool) -> None:
        self.write(f"pages/{name}.html", page(word, layout=layout, reads=reads, draft=draft, prerender=prerender))

    @rule(name=st.sampled_from(NAMES), word=WORD, module=MODULES)
    def change_page_with_module(self, name: str, word: str, module: str) -> None:
        self.write(f"pages/m{name}.html", page(word, layout="one", reads="<< x >>"))
        self.write(f"pages/m{name}.py", module)

    @rule(name=st.sampled_from(["a", "b", "fixed", "post"]), word=WORD)
    def give_page_a_module(self, name: str, word: str) -> None:
        self.write(f"pages/{name}.py", f"def load(context):\n    context.response.headers['x-load'] = '{word}'\n")

    @rule(colour=st.sampled_from(["red", "blue"]), part=st.booleans())
    def change_assets(self, colour: str, part: bool) -> None:
        name, start = ("_part.css", "") if part else ("site.css", '@import "_part.css";\n')
        self.write(f"assets/{name}", f"{start}body {{ color: {colour} }}\n")

    @rule(name=st.sampled_from(SLUGS), word=WORD, tags=st.lists(WORD, min_size=1, max_size=3, unique=True),
          author=st.sampled_from(["ada", "eve"]), more=MORE, links=LINKS)  # fmt: skip
    def change_entry(self, name: str, word: str, tags: list[str], author: str, more: str, links: str) -> None:
        text = entry(word, tags=tuple(tags), author=author, more=more, body=links.replace("](", "](../../pages/"))
        self.write(f"content/blog/{name}.md", text)

    @rule(name=st.sampled_from(SLUGS), word=WORD)
    def change_one_field(self, name: str, word: str) -> None:
        path = self.root / f"content/blog/{name}.md"
        if path.exists():
            first, _, rest = path.read_text("utf-8").split("\n", 2)
            path.write_text("\n".join([first, f"title: {word}", rest]), "utf-8")

    @rule(name=st.sampled_from(SLUGS), word=WORD)
    def change_body(self, name: str, word: str) -> None:
        path = self.root / f"content/blog/{name}.md"
        if path.exists():
            path.write_text(f"{path.read_text('utf-8')}\n## {word}\n", "utf-8")

    @rule(name=st.sampled_from(SLUGS), other=st.sampled_from(SLUGS))
    def rename_entry(self, name: str, other: str) -> None:
        path = self.root / f"content/blog/{name}.md"
        if path.exists():
            path.rename(path.with_name(f"{other}.md"))

    @rule(name=st.sampled_from(["ada", "eve"]), word=WORD, there=st.booleans())
    def change_author(self, name: str, word: str, there: bool) -> None:
        path = self.root / f"content/authors/{name}.json"
        if there or name == "ada":
            self.write(f"content/authors/{name}.json", f'{{"name": "{word}", "body": "*{word}*"}}')
        else:
            path.unlink(missing_ok=True)

    @rule(text=COLLECTIONS)
    def change_collections(self, text: str) -> None:
        self.write("collections.py", text)

    @rule(reads=ENTRY_READS, more=st.sampled_from(["", "<< entry.data.title >>"]))
    def change_page_of_entries(self, reads: str, more: str) -> None:
        self.write("pages/blog/[slug].html", f"---\npaths: blog\n---\n{reads} {more}")

    @rule(reads=LIST_READS, name=st.sampled_from(["list", "lists"]))
    def change_list(self, reads: str, name: str) -> None:
        self.write(f"pages/{name}.html", reads)

    @rule(reads=GROUP_READS, limit=st.sampled_from(["", "paginate: 1\n"]))
    def change_groups(self, reads: str, limit: str) -> None:
        name = "pages/tags/[tags]/[...page].html" if limit else "pages/tags/[tags].html"
        for path in (self.root / "pages/tags").rglob("*.html"):
            path.unlink()
        self.write(name, f"---\npaths: {{collection: blog, by: tags}}\n{limit}---\n{reads}")

    @rule(reads=PAGE_READS, size=st.integers(1, 2))
    def change_pagination(self, reads: str, size: int) -> None:
        self.write("pages/all/[...page].html", f"---\npaths: blog\npaginate: {size}\n---\n{reads}")

    @rule(there=st.booleans())
    def change_where_entries_lie(self, there: bool) -> None:
        """Gives each entry a page below its category, in place of the one by its slug."""
        by_slug, by_category = self.root / "pages/blog/[slug].html", self.root / "pages/kinds/[category]/[slug].html"
        old, new = (by_category, by_slug) if there else (by_slug, by_category)
        if old.exists():
            new.parent.mkdir(parents=True, exist_ok=True)
            old.rename(new)

    @rule(word=WORD, jinja=st.booleans(), reads=READS, links=LINKS)
    def change_post(self, word: str, jinja: bool, reads: str, links: str) -> None:
        front = f"layout: layouts/text.html\ntitle: {word}\njinja: {str(jinja).lower()}"
        self.write("pages/post.md", f"---\n{front}\n---\n# {word}\n\n{links} {reads if jinja else ''}\n")

    @rule(layout=st.sampled_from(["one", "two", "text"]), fragment=FRAGMENT, word=WORD)
    def change_layout(self, layout: str, fragment: str, word: str) -> None:
        extends = "{% extends 'layouts/one.html' %}" if layout == "two" else ""
        inner = f"{word} {fragment} {'<< content >>' if layout == 'text' else ''}"
        self.write(
            f"layouts/{layout}.html", f"{extends}{'' if extends else inner}{{% block main %}}{inner}{{% endblock %}}"
        )

    @rule(name=st.sampled_from(NAMES), fragment=FRAGMENT, word=WORD)
    def change_component(self, name: str, fragment: str, word: str) -> None:
        self.write(f"components/{name}.html", f"{word} {fragment if name != 'c' else ''}")
        card = "<< post.data.title >> << post.slug >>" if name == "a" else "<< post.data.title >>"
        self.write("components/card.html", f"{word} {card}")

    @rule(name=st.sampled_from([*NAMES, "which"]), word=WORD, name_of=st.sampled_from(NAMES))
    def change_data(self, name: str, word: str, name_of: str) -> None:
        text = f'{{"name": "components/{name_of}.html"}}' if name == "which" else f'"{word}"'
        self.write(f"data/{name}.json", text)

    @rule(name=st.sampled_from(NAMES), word=WORD)
    def change_public(self, name: str, word: str) -> None:
        self.write(f"public/{name}.txt", word)

    @rule(value=st.integers(0, 9), word=WORD)
    def change_what_modules_read(self, value: int, word: str) -> None:
        self.write("helper.py", f"VALUE = {value}\n")
        self.write("notes.txt", word)

    @rule(title=WORD, slash=st.sampled_from(["always", "never"]), base=st.sampled_from(["", "/docs"]))
    def change_settings(self, title: str, slash: str, base: str) -> None:
        self.write("site.toml", f'[site]\ntitle = "{title}"\nbase = "{base}"\n[routing]\ntrailing_slash = "{slash}"\n')

    @rule(word=WORD, there=st.booleans())
    def change_middleware(self, word: str, there: bool) -> None:
        path = self.root / "middleware.py"
        if there:
            text = f"    answer.headers['x-word'] = '{word}'\n"
            body = f"async def on_request(context, call_next):\n    answer = await call_next(context)\n{text}"
            path.write_text(f"{body}    return answer\n")
        else:
            path.unlink(missing_ok=True)

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        keep = {"site.toml", "helper.py", "notes.txt", "fixed.html", "one.html", "two.html", "text.html", "ada.json"}
        keep |= {"[slug].html", "[tags].html", "[...page].html", "card.html", "macro.html", "collections.py"}
        files = [path for path in self.files() if path.name not in keep]
        if files:
            data.draw(st.sampled_from(files)).unlink()

    @rule(data=st.data(), name=st.sampled_from(NAMES))
    def rename(self, data: st.DataObject, name: str) -> None:
        files = [path for path in self.files() if path.parent.name in ("components", "data", "public")]
        if files:
            path = data.draw(st.sampled_from(files))
            path.rename(path.with_name(f"{name}{path.suffix}"))

    def files(self) -> list[Path]:
        folders = ("pages", "layouts", "components", "data", "public", "content")
        return sorted(path for folder in folders for path in (self.root / folder).rglob("*") if path.is_file())

    @invariant()
    def is_what_a_clean_build_writes(self) -> None:
        if not self.root.exists():
            return
        fault = told(lambda: self.build(self.root))
        clean = self.folder / "clean"
        shutil.copytree(self.root, clean, ignore=shutil.ignore_patterns("dist", ".hybridsite"))
        try:
            again = told(lambda: built_here(clean))
            assert again == fault
            if not fault:
                assert tree(self.root / "dist") == tree(clean / "dist")
        finally:
            shutil.rmtree(clean)

    def build(self, root: Path) -> None:
        self.kept += built_here(root).kept


def told(build: Callable[[], object]) -> str:
    """Gives the faults of a build, or nothing."""
    try:
        build()
    except (SiteError, SiteErrors) as error:
        return str(error)
    return ""


def examples(number: int, steps: int = 8, *, phases: Collection[Phase] = tuple(Phase)) -> settings:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(
        max_examples=number, stateful_step_count=steps, suppress_health_check=checks, deadline=None, phases=phases
    )


@pytest.mark.timeout(600)
def test_any_series_of_edits_gives_what_a_clean_build_writes() -> None:
    run_state_machine_as_test(Edits, settings=examples(20))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_many_series_of_edits_give_what_a_clean_build_writes() -> None:
    run_state_machine_as_test(Edits, settings=examples(500, 12))


FORGOTTEN: Mapping[str, Callable[[str], bool]] = {
    "layouts": lambda key: key.startswith("layouts/"),
    "components": lambda key: key.startswith("components/"),
    "data": lambda key: key.startswith("data:"),
    "pages": lambda key: key.startswith("pages/"),
    "settings": lambda key: key == "site.toml",
    "everything": lambda key: key == EVERYTHING,
    "lists": lambda key: key.startswith(LIST),
    "homes": lambda key: key.startswith(HOME),
    "links": lambda key: key.startswith("content/"),
}
# The same for the fields of entries: of their data, and what they have themselves.
FORGOTTEN_FIELDS: Mapping[str, Callable[[str], bool]] = {
    "data": lambda key: "." in key,
    "whole": lambda key: key.endswith(WHOLE),
    "bodies": lambda key: key.endswith(BODY),
    "urls": lambda key: key.endswith(URL),
    "neighbours": lambda key: key.endswith(NEAR),
}


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", sorted(FORGOTTEN))
def test_a_kind_of_dependency_that_is_forgotten_is_found(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    real = traces.trace

    def forgetful(*arguments: object) -> tuple[str, ...]:
        return tuple(key for key in real(*arguments) if not FORGOTTEN[kind](key))  # type: ignore[arg-type]

    monkeypatch.setattr("hybridsite.build.making.trace", forgetful)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Edits, settings=examples(300, 12, phases=[Phase.generate]))


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", sorted(FORGOTTEN_FIELDS))
def test_a_kind_of_field_that_is_forgotten_is_found(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    real = traces.reads

    def forgetful(fields: Mapping[str, Collection[str]]) -> dict[str, str]:
        return {key: slugs for key, slugs in real(fields).items() if not FORGOTTEN_FIELDS[kind](key)}

    monkeypatch.setattr("hybridsite.build.making.reads", forgetful)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Edits, settings=examples(300, 12, phases=[Phase.generate]))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_entries_of_a_page_that_are_forgotten_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hybridsite.build.making._listed", lambda site, page: "")
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Edits, settings=examples(300, 12, phases=[Phase.generate]))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_entries_that_are_remembered_though_python_has_changed_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def credulous(last: Store | None, changed: Collection[str], variables: object) -> EntryMemory:
        return EntryMemory() if last is None else EntryMemory(last.entries, last.heads, frozenset(changed), True)

    monkeypatch.setattr("hybridsite.build.build.remembered", credulous)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Edits, settings=examples(300, 12, phases=[Phase.generate]))


def test_whole_is_no_key_of_a_mapping() -> None:
    assert not WHOLE_NAME.isidentifier()
