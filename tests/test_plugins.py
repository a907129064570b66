"""Plugins: a stranger's class may add to every part of a site, and its mistakes are told with their place."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hybridsite.config import load_settings
from hybridsite.errors import Location, PluginError, SiteError, SiteErrors
from hybridsite.plugins import Plugin, Plugins, load_plugins
from tests.e2e.support import write_site
from tests.inprocess import ON_DEMAND, app_of, ask, built_here, loaded

# A whole package of a stranger's, as pip would install it: nothing of hybridsite but the public interface.
STRANGER = """
import click

from hybridsite import Collection
from hybridsite.plugins import Plugin


class Everything(Plugin):
    def __init__(self, greeting="hello"):
        self.greeting = greeting

    def configure(self, settings):
        site = settings.site.model_copy(update={"title": settings.site.title + " of a stranger"})
        return settings.model_copy(update={"site": site})

    def load(self, setup):
        setup.filter("shout", lambda text: text.upper() + "!")
        setup.add_global("greeting", self.greeting)
        planets = [{"slug": "mars", "name": "Mars"}, {"slug": "io", "name": "Io"}]
        setup.collection("planets", Collection(lambda: planets))
        setup.route("/words.txt", lambda context: self.greeting, prerender=True)
        setup.route("/now.json", self.now)
        setup.route("/planets/[slug].json", self.planet, prerender=True, paths=lambda site: [
            {"params": {"slug": entry.slug}, "props": {"entry": entry}} for entry in site.collection("planets")
        ])

    async def now(self, context):
        return {"path": context.url.path, "title": context.site.title}

    def planet(self, context):
        return {"name": context.props["entry"].data["name"]}

    def page_rendered(self, context, html):
        return html.replace("</p>", f" ({context.url.path})</p>")

    def built(self, build):
        lines = [f"{page.kind} {page.url} {page.file} {page.page.get('title')}" for page in build.pages]
        size = len(build.read("index.html"))
        build.add("report/pages.txt", "\\n".join([*lines, str(size > 0)]))

    def commands(self):
        @click.command()
        @click.argument("word")
        def shout(word):
            "Shouts a word."
            click.echo(f"{word.upper()} {self.greeting}")

        return [shout]
"""
FILES = {
    "site.toml": """
        plugins = [{ use = "stranger_package.plugin:Everything", options = { greeting = "good day" } }]
        [site]
        title = "A site"
        base = "/b"
        """,
    "pages/index.html": """
        ---
        title: Home
        ---
        <p><< site.title | shout >> << greeting >> << collection('planets') | length >></p>
        """,
    "pages/live.html": f"{ON_DEMAND}<p>live</p>",
    "pages/robots.txt": "<p>text</p>",
    "stranger_package/__init__.py": "",
    "stranger_package/plugin.py": STRANGER,
}


@pytest.fixture(autouse=True)
def forget_strangers() -> Iterator[None]:
    """Lets each test import its own stranger."""
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in ("stranger_package", "own")]:
        del sys.modules[name]


def test_a_strangers_plugin_adds_to_every_part_of_a_site(tmp_path: Path) -> None:
    app = app_of(write_site(tmp_path, FILES))
    client = tmp_path / "dist/client"
    assert (client / "index.html").read_text() == "<p>A SITE OF A STRANGER! good day 2 (/b/)</p>\n"
    assert (client / "words.txt").read_text() == "good day"
    assert (client / "planets/mars.json").read_text() == '{"name":"Mars"}'
    assert (client / "robots.txt").read_text() == "<p>text</p>"
    assert (client / "report/pages.txt").read_text().splitlines() == [
        "page /b/ index.html Home",
        "endpoint /b/planets/io.json planets/io.json None",
        "endpoint /b/planets/mars.json planets/mars.json None",
        "file /b/robots.txt robots.txt None",
        "endpoint /b/words.txt words.txt None",
        "True",
    ]
    assert ask(app, "/b/").text == (client / "index.html").read_text()
    assert ask(app, "/b/live/").text == "<p>live (/b/live/)</p>"
    assert ask(app, "/b/now.json").text == '{"path":"/b/now.json","title":"A site of a stranger"}'
    assert ask(app, "/b/report/pages.txt").header["content-type"] == "text/plain; charset=utf-8"
    assert ask(app, "/b/words.txt", "POST").status == 405


def test_a_plugins_mistake_in_a_page_stands_at_its_line(tmp_path: Path) -> None:
    own = """
        from hybridsite.plugins import Plugin

        class Own(Plugin):
            def page_rendered(self, context, html):
                1 / 0
        """
    write_site(tmp_path, {"site.toml": 'plugins = ["own:Own"]', "own.py": own, "pages/index.html": "x"})
    with pytest.raises(PluginError) as raised:
        built_here(tmp_path)
    told = "page_rendered() of the plugin own:Own raised ZeroDivisionError; division by zero"
    assert str(raised.value).startswith(f"own.py:5: {told}")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("def configure(self, settings): return None", "site.toml: configure() of the plugin own:Own gave NoneType"),
        ("def page_rendered(self, context, html): return 1", "page_rendered() of the plugin own:Own gave int"),
        ("def load(self, setup): setup.route('x', print)", '"x" is no path of a route'),
        ("def load(self, setup): setup.route('/x/', print)", '"/x/" is no path of a route'),
        ("def load(self, setup): setup.route('/index', lambda c: 'x', prerender=True)", "/index is text/plain"),
        ("def load(self, setup): setup.route('/a.txt', print, prerender=True)", "both answer /a.txt"),
        ("def load(self, setup): setup.route('/[x].txt', print, prerender=True)", "nothing says which paths there are"),
        ("def built(self, build): build.add('a.txt', 'x')", "a.txt is written twice"),
        ("def built(self, build): build.add('A.TXT', 'x')", "A.TXT is written twice"),
        ("def built(self, build): build.add('b.txt', 'x'); build.add('b.txt', 'x')", "b.txt is written twice"),
        ("def built(self, build): build.add('../server/x.py', 'x')", '"../server/x.py" is no path below dist/client/'),
        ("def built(self, build): build.add('/etc/x', 'x')", '"/etc/x" is no path below dist/client/'),
        ("def built(self, build): build.add('a/../../x', 'x')", '"a/../../x" is no path below dist/client/'),
        (
            "def built(self, build): build.read('../server/manifest.json')",
            "there is no ../server/manifest.json",
        ),
        ("def built(self, build): raise OSError('full')", "built() of the plugin own:Own raised OSError; full"),
        ("def __init__(self, size): pass", 'the plugin "own:Own" can\'t be made with its options'),
    ],
)
def test_what_a_plugin_cannot_do_is_told(tmp_path: Path, body: str, told: str) -> None:  # case P1
    own = f"from hybridsite.plugins import Plugin\n\n\nclass Own(Plugin):\n    {body}\n"
    files = {"site.toml": 'plugins = ["own:Own"]', "own.py": own, "pages/index.html": "x", "pages/a.txt": "a"}
    write_site(tmp_path, files)
    with pytest.raises((SiteError, SiteErrors)) as raised:
        built_here(tmp_path)
    assert told in str(raised.value)
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize(
    ("plugins", "told"),
    [
        ('["nowhere:X"]', "site.toml:1:12: the plugin \"nowhere:X\" can't be loaded; No module named 'nowhere'"),
        ('["json:X"]', "the plugin \"json:X\" can't be loaded; module 'json' has no attribute 'X'"),
        ('["json:JSONDecoder"]', 'the plugin "json:JSONDecoder" is no subclass of hybridsite.plugins.Plugin'),
        ('["missing"]', 'there is no plugin "missing"; install its package, or write package.module:Class'),
        ('[{ use = "json:X", options = { a = 1 }, more = 2 }]', 'there is no key "more"'),
        ("[1]", "site.toml:1:12: plugins[0] must be a table"),
        ('"json:X"', "plugins must be a list"),
    ],
)
def test_a_plugin_that_is_none_is_told_at_its_line(tmp_path: Path, plugins: str, told: str) -> None:
    write_site(tmp_path, {"site.toml": f"plugins = {plugins}"})
    with pytest.raises(SiteError) as raised:
        loaded(tmp_path, {"site.toml": f"plugins = {plugins}"})
    assert told in str(raised.value)


def test_an_installed_plugin_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What pip writes: a distribution with an entry point, on the path.
    info = tmp_path / "installed/stranger-1.0.dist-info"
    files = {
        "METADATA": "Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n",
        "entry_points.txt": "[hybridsite.plugins]\nstranger = stranger_package.plugin:Everything\n",
    }
    info.mkdir(parents=True)
    for name, text in files.items():
        (info / name).write_text(text)
    package = tmp_path / "installed/stranger_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "plugin.py").write_text(STRANGER)
    monkeypatch.syspath_prepend(str(tmp_path / "installed"))
    site = loaded(
        tmp_path / "site", {"site.toml": 'plugins = ["stranger"]', "pages/index.html": "x"}, prerendering=True
    )
    assert site.title == " of a stranger"
    with pytest.raises(
        PluginError, match=r'there is no plugin "strangr"; known are stranger; did you mean "stranger"\?'
    ):
        loaded(tmp_path / "site", {"site.toml": 'plugins = ["strangr"]'})


def test_plugins_are_asked_in_the_order_of_site_toml() -> None:
    asked: list[str] = []

    class One(Plugin):
        def page_rendered(self, context: object, html: str) -> str:
            asked.append("one")
            return html + "1"

    class Two(Plugin):
        def page_rendered(self, context: object, html: str) -> str:
            asked.append("two")
            return html + "2"

    plugins = Plugins(Path("/nowhere"), [("one", One()), ("two", Two())])
    assert plugins.page_rendered(None, "0") == "012"
    assert asked == ["one", "two"]


def test_a_site_without_plugins_asks_nobody(tmp_path: Path) -> None:
    write_site(tmp_path, {})
    plugins = load_plugins(tmp_path, load_settings(tmp_path, {}))
    assert (plugins.see_pages, plugins.see_builds, dict(plugins.commands())) == (False, False, {})


def test_the_place_of_a_setting_is_the_nearest_that_is_written(tmp_path: Path) -> None:
    from hybridsite.plugins import Setup

    write_site(tmp_path, {"site.toml": "[site]\nurl = 'https://a.example'\n[feeds.blog]\nlimit = 3\n"})
    setup = Setup(tmp_path, load_settings(tmp_path, {}))
    assert setup.location("feeds", "blog", "limit") == Location("site.toml", 4, 1)
    assert setup.location("feeds", "blog", "title") == Location("site.toml", 3, 8)
    assert setup.location("sitemap") == Location("site.toml")
