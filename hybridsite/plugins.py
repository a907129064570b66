"""Plugins: what a stranger's class may add to a site, how it is found, and the order in which it is asked.

The names without an underscore are the public interface. The features of hybridsite's own (feeds, the sitemap, the
search) are plugins on it, which proves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, TypeVar

from hybridsite.adapters.adapter import fitted
from hybridsite.collections import Collection
from hybridsite.config import load_settings, setting_locations
from hybridsite.errors import Answer, Location, PluginError, RouteError, SiteError, SiteErrors, place_of
from hybridsite.extensions import Kind, found
from hybridsite.modules import Handler, SiteModule, make_importable
from hybridsite.routes import Route, check_parameters, read_segment
from hybridsite.settings import Settings

T = TypeVar("T")

Progress = Callable[[str, str, int, int], None]
"""Is told how far some work is: what is done to what ("indexed", "page"), how many of how many."""

ENTRY_POINTS = "hybridsite.plugins"
# The features of hybridsite's own, each of which the table of its name in site.toml turns on.
_FEATURES = {
    "feeds": "hybridsite.features.feeds:Feeds",
    "sitemap": "hybridsite.features.sitemap:Sitemap",
    "search": "hybridsite.features.search:Search",
}


class Plugin:
    """The base class of plugins. Each of its five methods may be left out; they are called in the order of site.toml.

    The class is made once for each site that is loaded, with the `options` of its line in site.toml. It has to
    keep nothing of a request: many are answered at once. `adds` has patterns of the files that built() adds, for
    `dev`, which builds nothing: it calls the method when a path is asked for that fits one of them and is nothing else.
    """

    adds: ClassVar[tuple[str, ...]] = ("*",)

    def configure(self, settings: Settings) -> Settings:
        """Gives the settings that the site is loaded with: these, or `settings.model_copy(update=…)`."""
        return settings

    def load(self, setup: Setup) -> None:
        """Adds routes, collections, filters and globals, before templates and pages are read."""

    def page_rendered(self, context: Any, html: str) -> str:
        """Sees the HTML of each page, at build and on demand alike, and gives it back, changed or not.

        `context` is that of the request. The answer's headers are made after it.
        """
        return html

    def built(self, build: FinishedBuild) -> None:
        """Sees the finished build before it takes the place of dist/, and may add files to it."""

    def commands(self) -> Iterable[Any]:
        """Gives commands for `hybridsite`: `click.Command` each."""
        return ()


class Setup:
    """What a plugin adds while a site is loaded. `settings` are the site's, as all plugins left them."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self.root = root
        self.settings = settings
        self.filters: dict[str, Callable[..., Any]] = {}
        self.globals: dict[str, Any] = {}
        self.collections: dict[str, Collection] = {}
        self.routes: dict[str, tuple[Route, SiteModule]] = {}
        self._name = ""

    def route(
        self, path: str, handler: Handler, *, prerender: bool = False, paths: Callable[..., Any] | None = None
    ) -> None:
        """Adds an endpoint: `handler(context)` answers GET as a `GET` in pages/ does.

        `path` is without [site] base, and may have parameters (`/tags/[tag].json`); a prerendered one with parameters
        needs `paths(site)`. Raises RouteError for a path that is none.
        """
        names = path.split("/")[1:]
        if not path.startswith("/") or "" in names:
            raise RouteError(f'"{path}" is no path of a route', mend="begin with a slash, and end without one")
        source = f"{self._name}: {path}"
        if source in self.routes:
            raise RouteError(f"the plugin {self._name} adds the route {path} twice", location=Location("site.toml"))
        segments = tuple(read_segment(name, source) for name in names)
        check_parameters(segments, source)
        module = ModuleType(source)
        vars(module).update(GET=handler, prerender=prerender, **({} if paths is None else {"paths": paths}))
        self.routes[source] = (
            Route(segments, "endpoint", module=source),
            SiteModule(source, module, names_session=True),
        )

    def collection(self, name: str, collection: Collection) -> None:
        """Adds a collection, as a line of collections.py does."""
        self.collections[name] = collection

    def filter(self, name: str, function: Callable[..., Any]) -> None:
        """Adds a filter for templates: `<< value | name >>`."""
        self.filters[name] = function

    def add_global(self, name: str, value: Any) -> None:
        """Adds a name that all templates know. A page's own variable of that name goes before it."""
        self.globals[name] = value

    def location(self, *keys: str) -> Location:
        """Gives the place of a setting in site.toml, or of the nearest table around it, for faults."""
        places = setting_locations(self.root)
        return next((places[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in places), Location("site.toml"))


@dataclass(frozen=True, slots=True)
class BuiltPage:
    """A page of a finished build.

    `url` is its path, escaped and with the base; `file` lies below dist/client/, unless the page is guarded. `kind` is
    "page", "file", "endpoint" or "error". `page` is its front matter, and `props` what `paths` gave it: the `entry` of
    a collection, for example. `stands_in` where it is there for a page that the language of its path lacks.
    """

    url: str
    file: str
    kind: str
    source: str
    params: Mapping[str, str] = field(default_factory=dict)
    props: Mapping[str, object] = field(default_factory=dict)
    page: Mapping[str, object] = field(default_factory=dict)
    guarded: bool = False
    stands_in: bool = False


class FinishedBuild:
    """A build whose files stand, before it takes the place of dist/."""

    def __init__(
        self,
        site: Any,
        pages: Sequence[BuiltPage],
        *,
        read: Callable[[str], bytes],
        add: Callable[[str, bytes], None],
        progress: Progress = lambda did, noun, done, all: None,
    ) -> None:
        self.site = site
        self.pages = tuple(pages)
        self._read = read
        self._add = add
        self._progress = progress

    def progress(self, did: str, noun: str, done: int, all: int) -> None:
        """Tells how far work is that may take its time: `build.progress("indexed", "page", 3, 40)`."""
        self._progress(did, noun, done, all)

    def read(self, file: str) -> bytes:
        """Gives a file by its path below dist/client/. Raises PluginError where there is none."""
        return self._read(file)

    def add(self, file: str, body: bytes | str) -> None:
        """Adds a file below dist/client/, which the server gives out as any other. Raises PluginError.

        Another file of that name is a fault.
        """
        self._add(file, body.encode() if isinstance(body, str) else body)


class Plugins:
    """The plugins of one site, in their order."""

    def __init__(self, root: Path, plugins: Sequence[tuple[str, Plugin]] = ()) -> None:
        self._root = str(root)
        self._plugins = tuple(plugins)
        self._seeing = tuple((name, plugin) for name, plugin in plugins if _has(plugin, "page_rendered"))

    def configure(self, settings: Settings) -> Settings:
        """Gives the settings as the plugins leave them. Raises PluginError."""
        for name, plugin in self._plugins:
            given: object = self._call(name, "configure", plugin.configure, settings)
            if not isinstance(given, Settings):
                what = f"configure() of the plugin {name} gave {type(given).__name__}"
                mend, place = "return the settings: settings.model_copy(update=…)", Location("site.toml")
                raise PluginError(what, mend=mend, location=place)
            settings = given
        return settings

    def load(self, setup: Setup) -> None:
        """Lets the plugins add what they have. Raises PluginError, and SiteErrors of theirs."""
        for name, plugin in self._plugins:
            setup._name = name
            self._call(name, "load", plugin.load, setup)

    @property
    def see_pages(self) -> bool:
        """Whether one of them wants the HTML of pages."""
        return bool(self._seeing)

    def page_rendered(self, context: Any, html: str) -> str:
        """Gives the HTML of a page as the plugins leave it. Raises PluginError."""
        for name, plugin in self._seeing:
            html = self._call(name, "page_rendered", plugin.page_rendered, context, html)
            if not isinstance(html, str):
                raise PluginError(
                    f"page_rendered() of the plugin {name} gave {type(html).__name__}", mend="return text"
                )
        return html

    @property
    def see_builds(self) -> bool:
        """Whether one of them wants to see finished builds."""
        return any(_has(plugin, "built") for _, plugin in self._plugins)

    @property
    def additions(self) -> Iterator[tuple[str, str]]:
        """Yields the patterns of the files that they may add to a finished build, each behind the plugin's name."""
        for name, plugin in self._plugins:
            if _has(plugin, "built"):
                yield from ((name, pattern) for pattern in plugin.adds)

    def adding(self, file: str) -> Iterator[str]:
        """Yields the names of those that may add a file to a finished build."""
        yield from dict.fromkeys(name for name, pattern in self.additions if fnmatchcase(file, pattern))

    def built(
        self, build: FinishedBuild, turn: Callable[[str], None] = lambda name: None, *, only: str | None = None
    ) -> None:
        """Shows the plugins a finished build, or one of them; `turn` is told the name of each before.

        Raises PluginError.
        """
        for name, plugin in self._plugins:
            if _has(plugin, "built") and only in (None, name):
                turn(name)
                self._call(name, "built", plugin.built, build)

    def commands(self) -> Mapping[str, Any]:
        """Gives the commands of all plugins by their names. Raises PluginError."""
        found: dict[str, Any] = {}
        for name, plugin in self._plugins:
            found.update((command.name, command) for command in self._call(name, "commands", plugin.commands))
        return found

    def _call(self, name: str, method: str, function: Callable[..., T], *arguments: object) -> T:
        try:
            return function(*arguments)
        except (Answer, SiteErrors):
            raise
        except SiteError as error:
            raise error.at(error.location or place_of(error, self._root) or Location("site.toml")) from error
        except Exception as error:
            what = f"{method}() of the plugin {name} raised {type(error).__name__}"
            place = place_of(error, self._root) or Location("site.toml")
            raise PluginError(what, why=str(error), location=place) from error


def _has(plugin: Plugin, method: str) -> bool:
    return getattr(type(plugin), method) is not getattr(Plugin, method)


def load_plugins(root: Path, settings: Settings) -> Plugins:
    """Makes the plugins that site.toml names, then the features that it turns on. Raises PluginError with its line."""
    made: list[tuple[str, Plugin]] = []
    for number, wanted in enumerate(settings.plugins):
        try:
            made.append((wanted.use, _made(wanted.use, wanted.options)))
        except PluginError as error:
            places = setting_locations(root)
            raise error.at(places.get(("plugins", number)) or places["plugins",]) from error
    made += [(name, _made(place, {})) for name, place in _FEATURES.items() if name in settings.model_fields_set]
    return Plugins(root, made)


_KIND = Kind("plugin", ENTRY_POINTS, PluginError, "install its package, or write package.module:Class")


def _made(name: str, options: Mapping[str, Any]) -> Plugin:
    """Makes a plugin of `package.module:Class`, or of the name of an entry point. Raises PluginError."""
    kind = found(_KIND, name)
    if not (isinstance(kind, type) and issubclass(kind, Plugin)):
        what = f'the plugin "{name}" is no subclass of hybridsite.plugins.Plugin'
        raise PluginError(what, mend="derive the class from it")
    try:
        return kind(**options)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise PluginError(f'the plugin "{name}" can\'t be made with its options', why=why) from error


def plug_in(root: Path, settings: Settings) -> tuple[Settings, Plugins, Setup]:
    """Makes a site's plugins, and gives the settings as they and the host leave them, and what they add.

    Raises SiteErrors.
    """
    plugins = load_plugins(root, settings)
    settings = fitted(root, plugins.configure(settings))
    setup = Setup(root, settings)
    plugins.load(setup)
    return settings, plugins, setup


def plugin_commands(root: Path, environ: Mapping[str, str]) -> Mapping[str, Any]:
    """Gives the commands that the plugins of a site add, without loading it. Raises SiteErrors."""
    make_importable(root)
    return load_plugins(root, load_settings(root, environ)).commands()
