"""The parts of a site that need no site: each is read from its files, and what is wrong is added to the faults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from hybridsite import dates
from hybridsite.action_table import Action, load_actions
from hybridsite.adapters.adapter import host_of
from hybridsite.assets.images import without_pillow
from hybridsite.assets.workshop import Workshop
from hybridsite.capabilities import EVERY
from hybridsite.config import Settings, setting_locations
from hybridsite.content import Content, load_content
from hybridsite.content_home import Policy
from hybridsite.data import load_data
from hybridsite.declarations import CONTENT_FOLDER
from hybridsite.entry_memory import EntryMemory
from hybridsite.errors import ConfigError, DriverError, Faults, Location, PluginError
from hybridsite.extras import install, is_missing
from hybridsite.inheritance import inherited, signatures
from hybridsite.modules import Handler, load_module, middleware_functions
from hybridsite.plugins import Setup
from hybridsite.resources import Resource
from hybridsite.sessions.drivers import drivers_for, find_store
from hybridsite.templating import Templates
from hybridsite.tree import below

TEMPLATE_FOLDERS = ("components", "layouts", "pages")
DATA_FOLDER = "data"
MIDDLEWARE = "middleware.py"


def template_sources(files: Mapping[str, Path]) -> dict[str, Path]:
    """Gives the files that are templates: all but Python in their folders."""
    plain = {name: path for name, path in files.items() if not name.endswith(".py")}
    return {name: path for name, path in plain.items() if name.partition("/")[0] in TEMPLATE_FOLDERS}


def load_all_data(files: Mapping[str, Path], faults: Faults) -> Mapping[str, object]:
    """Gives `data`: the files of data/ by their stems."""
    data: Mapping[str, object] = MappingProxyType({})
    with faults.collect():
        data = load_data(below(files, DATA_FOLDER))
    return data


def load_assets(files: Mapping[str, Path], cache: Path | None) -> Workshop:
    """Gives what makes the files of assets/."""
    return inherited("workshop", "", (signatures(files), cache), lambda: Workshop(files, cache))


def load_collections(
    setup: Setup,
    serving: bool,
    drafts: bool,
    environ: Mapping[str, str],
    files: Mapping[str, Path],
    faults: Faults,
    memory: EntryMemory | None,
) -> Content:
    """Gives the collections of a site."""
    root, settings = setup.root, setup.settings
    own = {**below(files, CONTENT_FOLDER), **below(files, DATA_FOLDER)}
    try:
        now = dates.now({} if serving else environ)
    except ValueError as error:
        faults.add(ConfigError(str(error)))
        now = dates.now({})
    policy = Policy(dates.zone(settings.site.timezone), now, drafts=drafts, future=settings.content.future)
    return load_content(root, own, policy, faults, serving=serving, added=setup.collections, memory=memory)


def load_middleware(root: Path, faults: Faults) -> tuple[Handler, ...]:
    """Gives the functions of middleware.py, in their order."""
    with faults.collect():
        if (root / MIDDLEWARE).exists():
            return middleware_functions(load_module(root, MIDDLEWARE))
    return ()


def load_all_actions(root: Path, faults: Faults) -> Mapping[str, Action] | None:
    """Gives the actions, or None where they are at fault: nobody is told then that a form asks for one in vain."""
    actions: Mapping[str, Action] | None = None
    with faults.collect():
        actions = load_actions(root)
    return actions


def drivers_of(settings: Settings) -> list[str] | None:
    """Names the session drivers that work on the site's host; None where all do."""
    host = host_of(settings)
    return None if host.answers and host.offers == EVERY else drivers_for(host.offers) if host.answers else []


def check_driver(root: Path, settings: Settings, faults: Faults) -> None:
    """Adds a fault for a name that is no driver. A stranger's class is imported when a server starts."""
    driver = settings.session.driver
    if driver is not False and ":" not in driver:
        try:
            find_store(driver)
        except DriverError as error:
            places = setting_locations(root)  # the driver may be the host's default
            faults.add(error.at(places.get(("session", "driver")) or Location("site.toml")))


def check_packages(
    root: Path, settings: Settings, templates: Templates, resources: Iterable[Resource] | None, faults: Faults
) -> None:
    """Adds a fault for each package that a build of `resources` lacks: all are told at once, and not one a build.

    Nobody else needs these packages: where nothing is built, `resources` is None.
    """
    if resources is None:
        return
    if "search" in settings.model_fields_set and is_missing("pagefind"):
        place = setting_locations(root).get(("search",)) or Location("site.toml")
        what = "[search] needs Pagefind, which is not installed"
        faults.add(PluginError(what, mend=install("search"), location=place))
    if not is_missing("PIL"):
        return
    closures = [resource.closure for resource in resources if resource.closure is not None]
    for name in sorted({name for closure in closures for name in (*closure.templates, *closure.islands)}):
        facts = templates.facts(name)
        for call in facts.assets if facts else ():
            if call.function == "image" and call.exact and not call.name.endswith(".svg"):
                faults.add(without_pillow(call.name).at(Location(name, call.line)))
