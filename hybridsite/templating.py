"""The Jinja environment.

Templates by name from an index, true line numbers, strict names, and what analysis knows of each.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FunctionType, MappingProxyType, MethodType
from typing import Any

import jinja2
from jinja2.exceptions import TemplateNotFound
from jinja2.runtime import Context as JinjaContext
from jinja2.utils import internalcode

from hybridsite import sources
from hybridsite.analysis import IslandUse, TemplateFacts
from hybridsite.assets.markup import no_alt
from hybridsite.assets.table import unknown_asset
from hybridsite.catalogues import FUNCTIONS
from hybridsite.closures import Closure, Step, trace
from hybridsite.collections import EntryReference
from hybridsite.entries import Entry, note_read
from hybridsite.errors import Answer, Location, SiteError, SiteErrors, TemplateError, closest, did_you_mean, place_of
from hybridsite.formats import format_filters
from hybridsite.island_tag import IslandTag
from hybridsite.plugins import Setup
from hybridsite.printing import PrintingCodeGenerator, print_escaped, print_plain
from hybridsite.template_loader import SiteLoader
from hybridsite.undefined import MissingValue, SiteUndefined

_MOST_NAMES = 20
AUTOESCAPED = (".html", ".htm", ".xml", ".svg", ".md")
# Every name that a template gets from its context; a mapping from `load` may not hide one.
CONTEXT_NAMES = frozenset(
    {
        *("request", "params", "props", "url", "site", "page", "data", "session", "flashes", "locals"),
        *("action", "action_result", "collection"),
        *("prerendering", "redirect", "rewrite", "render", "cookies", "response", "csp_nonce"),
        *("client_address", "route", "locale", "seo", "url_for"),
        *("asset", "image", "alternates", *FUNCTIONS),
        *("content", "headings", "toc"),
    }
)
# What an island gets of the page that it stands on, where it is fetched by itself: nothing.
_PAGES_OWN = frozenset({"page", "params"})
COMPONENTS = "components/"
_FUNCTIONS = (FunctionType, MethodType)


class _SiteContext(JinjaContext):
    """Jinja's context, but a function or a method is called at once: it can't be an object that takes the context."""

    @internalcode
    def call(self, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Calls what a template calls."""
        if type(called) not in _FUNCTIONS or hasattr(called, "jinja_pass_arg"):
            return super().call(called, *args, **kwargs)
        kwargs.pop("_block_vars", None)
        kwargs.pop("_loop_vars", None)
        try:
            return called(*args, **kwargs)
        except StopIteration:
            return self.environment.undefined("a function of the template raised StopIteration")


class _SiteEnvironment(jinja2.Environment):
    """Jinja's environment, but a key of a mapping goes before a method of dict: `data.items` is the file items.toml."""

    code_generator_class = PrintingCodeGenerator
    context_class = _SiteContext
    print_escaped = staticmethod(print_escaped)
    print_plain = staticmethod(print_plain)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._loaded: dict[Any, jinja2.Template] = {}

    def get_template(self, name: Any, parent: str | None = None, globals: Any = None) -> jinja2.Template:
        """Gives a template, once loaded by one look into a dict: its name is the same from everywhere."""
        template = self._loaded.get(name)
        if template is None:
            template = self._loaded[name] = super().get_template(name, parent, globals)
        return template

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Gives `obj.attribute` in a template."""
        if isinstance(obj, dict | MappingProxyType) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def data_attribute(self, owner: Any, name: str) -> Any:
        """Gives `owner.data.name`, and notes for the build which field of an entry that is."""
        return self.getattr(self._data_of(owner, name), name)

    def data_item(self, owner: Any, key: Any) -> Any:
        """Gives `owner.data[key]` in the same way."""
        return self.getitem(self._data_of(owner, key), key)

    def _data_of(self, owner: Any, name: Any) -> Any:
        if type(owner) is EntryReference and type(name) is str:
            owner = owner.entry
        if type(owner) is not Entry or type(name) is not str:
            return self.getattr(owner, "data")
        note_read(owner, name)
        return owner._data


class Templates:
    """All templates of a site, by their paths below its root. Each is loaded when it is first needed, once."""

    def __init__(
        self,
        root: Path,
        index: Mapping[str, Path],
        variable: tuple[str, str] = ("<<", ">>"),
        actions: Collection[str] | None = None,
        with_nonces: bool = False,
        assets: Collection[str] | None = None,
    ) -> None:
        self._root = str(root)
        self._actions = actions
        self._assets = assets
        self._loader = SiteLoader(index, variable, with_nonces, CONTEXT_NAMES)
        self._islands_checked: set[str] = set()
        self._closures: dict[tuple[str, bool], Closure] = {}
        self.environment = _SiteEnvironment(
            loader=self._loader,
            variable_start_string=variable[0],
            variable_end_string=variable[1],
            autoescape=lambda name: name is None or name.endswith(AUTOESCAPED),
            undefined=SiteUndefined,
            extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols", "jinja2.ext.i18n", IslandTag],
            keep_trailing_newline=True,
            auto_reload=False,
            cache_size=-1,
        )
        self.environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]

    def keep_no_code(self) -> None:
        """Has every build compile the templates: Jinja runs filters on constants while it does, a plugin's own too."""
        self._loader.is_foreseeable = False

    def names(self) -> Iterable[str]:
        """The names of all templates there are."""
        return self._loader.index.keys()

    def get(self, name: str, asked_at: Location | None = None) -> jinja2.Template:
        """Gives a compiled template. Raises TemplateError where there is none, or it doesn't parse."""
        try:
            return self.environment.get_template(name)
        except TemplateNotFound as error:
            raise self._not_found(error, asked_at) from None

    def prepare(self, names: Iterable[str]) -> None:
        """Compiles templates before they are needed, by several processes maybe. Their faults are told by `get`."""
        for name in names:
            with suppress(SiteError):
                self.get(name)

    def facts(self, name: str) -> TemplateFacts | None:
        """What is known of one template; None where there is none. Raises TemplateError where it doesn't parse."""
        if name not in self._loader.index:
            return None
        if name not in self._loader.facts:
            self.get(name)
        return self._loader.facts[name]

    def closure(self, name: str, *, in_place: bool = False) -> Closure:
        """What is known of a template and of all that it leads to: its islands too, if they are rendered in place."""
        found = self._closures.get((name, in_place))
        if found is None:
            found = self._closures[name, in_place] = trace(name, self.facts, in_place=in_place)
        return found

    def has_islands(self) -> bool:
        """Tells whether one of the templates that were loaded has an island."""
        return any(facts.islands for facts in self._loader.facts.values())

    def only_asks_for_result(self, place: Step) -> bool:
        """Tells whether a place that uses the session does so by `action_result` alone."""
        found = self.facts(place.template)
        uses = {use.name for use in found.uses if use.line == place.line and not use.asks} if found else set()
        return uses == {"action_result"}

    def check(self, name: str) -> None:
        """Raises TemplateError, or AssetError, for a template, an action, a component or an asset that isn't there.

        A template may be said to be optional. All that an island leads to is checked with it.
        """
        found = self.facts(name)
        for reference in found.references if found else ():
            if not reference.optional and reference.template not in self._loader.index:
                raise self._not_found(TemplateNotFound(reference.template), Location(name, reference.line))
        for action, line in found.actions if found else ():
            if self._actions is not None and action not in self._actions:
                raise unknown_action(action, self._actions).at(Location(name, line))
        for call in found.assets if found else ():
            if self._assets is not None and call.exact and call.name not in self._assets:
                raise unknown_asset(call.name, self._assets).at(Location(name, call.line))
            if call.function == "image" and not call.alt:
                raise no_alt(call.name).at(Location(name, call.line))
        for use in found.islands if found else ():
            self._check_island(use, Location(name, use.line))

    def _check_island(self, use: IslandUse, place: Location) -> None:
        if use.component not in self._loader.index or not use.component.startswith(COMPONENTS):
            known = [name for name in self.names() if name.startswith(COMPONENTS)]
            mend = _nearest_template(use.component, known) or f"the component of an island lies in {COMPONENTS}"
            raise TemplateError(f'there is no component "{use.component}"', mend=mend, location=place)
        for prop in use.props:
            if prop in CONTEXT_NAMES or prop.startswith("_"):
                what = f'the prop "{prop}" of an island has a name that is reserved'
                raise TemplateError(what, mend="rename it", location=place)
        if use.component in self._islands_checked:
            return
        self._islands_checked.add(use.component)
        for name in self.closure(use.component, in_place=True).templates:
            facts = self.facts(name)
            for owned in sorted(facts.names & _PAGES_OWN) if facts else ():
                raise TemplateError(
                    f'the island "{use.component}" asks for `{owned}`, which is the page\'s',
                    why="an island is fetched by itself, and knows nothing of the page that it stands on",
                    mend="give it as a prop what it has to know",
                    location=Location(name, 1),
                )
            self.check(name)

    def render(self, template: jinja2.Template, values: Mapping[str, object]) -> str:
        """Renders a template. Raises TemplateError, and SiteErrors of what it called, each with the template's line."""
        # What Template.render() does, without laying the values over the globals one by one. No template has others.
        names = {**self.environment.globals, **values}
        context = _SiteContext(self.environment, names, template.name, template.blocks)
        try:
            try:
                return "".join(template.root_render_func(context))
            except Exception:
                self.environment.handle_exception()
        except (Answer, SiteErrors):
            raise
        except Exception as error:
            fault = self._fault(error, values)
            if fault is error:
                raise
            raise fault from error

    def _fault(self, error: Exception, values: Mapping[str, object]) -> SiteError:
        place = place_of(error, self._root) or Location(self._root)
        if isinstance(error, SiteError):
            return error.at(place)
        if isinstance(error, TemplateNotFound):
            return self._not_found(error, place)
        if isinstance(error, MissingValue):
            return self._missing(error, place, values)
        if isinstance(error, RecursionError):
            way = " → ".join(self._circle(error))
            return TemplateError("the templates include or extend each other without end", why=way, location=place)
        mend = "the line of the template asks for what its value can't do"
        return TemplateError(f"{type(error).__name__}: {error}", mend=mend, location=place)

    def _not_found(self, error: TemplateNotFound, place: Location | None) -> TemplateError:
        names = getattr(error, "templates", None) or [error.name or ""]
        mend = _nearest_template(str(names[-1]), self.names()) or "names count from the site's root: layouts/base.html"
        return TemplateError(f'there is no template "{names[-1]}"', mend=mend, location=place)

    def _missing(self, error: MissingValue, place: Location, values: Mapping[str, object]) -> TemplateError:
        place = self._with_column(place, error.name)
        if error.owner is None:
            known = {*values, *self.environment.globals, *CONTEXT_NAMES, *_names_in_scope(error)}
            near = closest(error.name, known - {error.name})
            mend = f'did you mean "{near}"?' if near else "define it in `load`, in front matter (page.…) or in data/"
            if not near and place.file in self._loader.index:
                opening = self._loader.variable[0]
                mend += f"; where {opening} is meant as text, put it between {{% raw %}} and {{% endraw %}}"
            return TemplateError(f'"{error.name}" is not defined', mend=mend, location=place)
        owner = error.owner
        keys = (
            [str(key) for key in owner] if isinstance(owner, Mapping) else [key for key in dir(owner) if key[0] != "_"]
        )
        mend = did_you_mean(error.name, keys) or _names_of(owner)
        mend = mend or f"test it first: {{% if ….{error.name} %}}, or use default()"
        kind = "key" if isinstance(owner, Mapping) else f"attribute of {type(owner).__name__}"
        holder = next((f" in {name}" for name, value in values.items() if value is owner), "")
        if holder == " in page" and mend.startswith("test it"):
            mend = f"give the page its {error.name} in front matter, or {mend}"
        return TemplateError(f'there is no {kind} "{error.name}"{holder}', mend=mend, location=place)

    def _circle(self, error: RecursionError) -> list[str]:
        """Gives the templates that lead to each other, with the lines that do, once around."""
        way: list[str] = []
        frames = error.__traceback__
        while frames is not None:
            # Jinja gives its frames the file and the line of the template.
            name = frames.tb_frame.f_code.co_filename.removeprefix(f"{self._root}/")
            if name in self._loader.index:
                step = f"{name}:{frames.tb_lineno}"
                if step in way:
                    return [*way[way.index(step) :], step]
                way.append(step)
            frames = frames.tb_next
        return way

    def _with_column(self, place: Location, name: str) -> Location:
        path = self._loader.index.get(place.file)
        lines = sources.read_text(path, place.file).split("\n") if path else []
        line = lines[place.line - 1] if 0 < place.line <= len(lines) else ""
        found = re.search(rf"\b{re.escape(name)}\b", line)
        return Location(place.file, place.line, found.start() + 1) if found else place


def make_templates(
    setup: Setup, sources: Mapping[str, Path], actions: Collection[str] | None, assets: Collection[str]
) -> Templates:
    """Makes the templates of a site, with what its plugins add."""
    settings = setup.settings
    with_nonces = settings.security.csp is not False
    templates = Templates(setup.root, sources, settings.templates.variable, actions, with_nonces, assets)
    templates.environment.filters.update({**format_filters(settings.site.timezone), **setup.filters})
    templates.environment.globals.update(setup.globals)
    if setup.filters:
        templates.keep_no_code()
    return templates


def unknown_action(name: str, actions: Collection[str]) -> TemplateError:
    """Gives the fault of an `action()` that names none of them."""
    mend = did_you_mean(name, actions) or "define it in actions.py, with @action above it"
    return TemplateError(f'there is no action "{name}"', mend=mend)


def _names_of(owner: object) -> str:
    """Says what an object has that a template may ask for, if that is little enough; of a mapping nothing."""
    if isinstance(owner, Mapping):
        return ""
    names = [name for name in dir(owner) if name[0] != "_" and not callable(getattr(type(owner), name, None))]
    return f"it has {', '.join(names)}" if 0 < len(names) <= _MOST_NAMES else ""


def _nearest_template(name: str, names: Iterable[str]) -> str:
    """Gives the clause that names what `name` was meant to be: the same file elsewhere, or a near one in its folder."""
    folder, _, file = name.rpartition("/")
    known = sorted(names)
    same = [other for other in known if other.rpartition("/")[2] == file]
    beside = [other for other in known if other.rpartition("/")[0] == folder]
    return f'did you mean "{same[0]}"?' if same else did_you_mean(name, beside or known)


def _names_in_scope(error: MissingValue) -> set[str]:
    # Jinja's rewritten frames hold the template's variables as their locals.
    names: set[str] = set()
    frames = error.__traceback__
    while frames is not None:
        if "__jinja_exception__" in frames.tb_frame.f_globals:
            names = {name for name in frames.tb_frame.f_locals if not name.startswith("__")}
        frames = frames.tb_next
    return names
