"""A build that keeps what holds writes what a clean one writes, byte for byte, after any series of edits."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from hybridsite.build import traces
from hybridsite.errors import SiteError, SiteErrors
from hybridsite.reads import WHOLE
from hybridsite.used import EVERYTHING
from tests.e2e.support import tree, write_site
from tests.inprocess import built_here

NAMES = ("a", "b", "c")
WORD = st.sampled_from(["oak", "gall", "walnut", "husk"])


def page(word: str, *, layout: str, reads: str, draft: bool = False, prerender: bool = True) -> str:
    front = f"---\ntitle: {word}\n{'draft: true' if draft else ''}\n{'' if prerender else 'prerender: false'}\n---\n"
    extends = f"{{% extends 'layouts/{layout}.html' %}}{{% block main %}}" if layout else ""
    return f"{front}{extends}<p>{word} {reads}</p>{'{% endblock %}' if layout else ''}\n"


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
LINKS = st.sampled_from(["", "[a](a.html)", "[fixed](fixed.html)", "[entry](../content/blog/x.md)", "[away](/x/)"])
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
                "content/blog/x.md": "---\ntitle: X\n---\nbody",
                "pages/blog/[slug].html": "---\npaths: blog\n---\n<< entry.data.title >> << entry.html >>",
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

    @rule(name=st.sampled_from(["x", "y"]), word=WORD, draft=st.booleans())
    def change_entry(self, name: str, word: str, draft: bool) -> None:
        self.write(f"content/blog/{name}.md", f"---\ntitle: {word}\ndraft: {str(draft).lower()}\n---\n{word}\n")

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
        keep = {"site.toml", "helper.py", "notes.txt", "fixed.html", "one.html", "two.html", "text.html", "[slug].html"}
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


def examples(number: int, steps: int = 8) -> settings:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=number, stateful_step_count=steps, suppress_health_check=checks, deadline=None)


def test_any_series_of_edits_gives_what_a_clean_build_writes() -> None:
    run_state_machine_as_test(Edits, settings=examples(30))


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
        run_state_machine_as_test(Edits, settings=examples(300, 12))


def test_whole_is_no_key_of_a_mapping() -> None:
    assert not WHOLE.isidentifier()
