"""The islands of a site: pieces that are each visitor's own, found by digests of what they are made from.

A digest is an HMAC of component and props: nobody can make one for other props, and nobody can read the props from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path

from hybridsite.analysis import IslandUse
from hybridsite.errors import Faults, Location, ModuleError, TemplateError
from hybridsite.island_memory import IslandMemory
from hybridsite.island_props import Island, read_island
from hybridsite.languages import Languages
from hybridsite.modules import SiteModule, check_definitions, load_module
from hybridsite.resources import Resource, joined
from hybridsite.routes import ISLANDS, Match, Part, Route
from hybridsite.templating import COMPONENTS, Templates
from hybridsite.undefined import MissingValue
from hybridsite.urls import RequestPath
from hybridsite.used import note_island

# Pages ask for the same few sets of components; a stranger could ask for any.
_MOST_RESOURCES = 1000
# So many pieces one request may ask for: the script asks for the rest by another one.
MOST_PIECES = 50
_JSON = ".json"
_ROUTE = Route(((Part(ISLANDS, "text"),), (Part("islands", "param"),)), "island", template="(islands)", prerender=False)


@dataclass(frozen=True, slots=True)
class IslandMatch(Match):
    """A request for the pieces of some islands, by their digests: in JSON, or the HTML of a single one."""

    islands: Mapping[str, Island] = field(default_factory=dict)
    as_json: bool = False


@dataclass(frozen=True, eq=False)
class IslandTable:
    """The modules of a site's components; and the islands by digest: `known` to a server, `placed` by a build.

    `key` gives the key of the digests, when the first island is placed. A server has in `memory` those of kept pages
    whose props came with a request.
    """

    modules: Mapping[str, SiteModule] = field(default_factory=dict)
    known: Mapping[str, Island] = field(default_factory=dict)
    placed: dict[str, Island] = field(default_factory=dict)
    key: Callable[[], bytes] | None = None
    memory: IslandMemory | None = None
    _resources: dict[tuple[str, ...], Resource] = field(default_factory=dict, repr=False)

    def place(self, island: Island) -> str:
        """Gives the digest of an island that a page of this build refers to, and notes the island under it."""
        digest = self.digest(island)
        self.placed[digest] = island
        note_island(digest, island.component, island.props)
        return digest

    def digest(self, island: Island) -> str:
        """Gives the digest of an island that a page refers to."""
        assert self.key is not None, "a build has the key, and so has a server that keeps pages"
        return island.digest(self.key())

    def place_ahead(self, templates: Templates, resources: Iterable[Resource], languages: Languages) -> None:
        """Places the islands of kept pages whose props are constants: every server of the build is to know them."""
        for use in kept_uses(templates, resources):
            if use.constants is not None:
                with suppress(TemplateError, MissingValue):  # told where the page is rendered
                    for locale in languages.locales or (languages.default,):
                        self.place(languages.piece(read_island(use.component, use.constants), locale))

    async def find(self, path: RequestPath) -> IslandMatch | None:
        """Finds what a path below `/_islands/` asks for: `DIGEST`, or `DIGEST,DIGEST.json`. None where none is known.

        Each is looked up in a table, so a path of another kind costs no more than one of an island. What isn't there
        may be remembered of a kept page.
        """
        if len(path.segments) != 2 or path.slash:
            return None
        asked = path.segments[1]
        as_json = asked.endswith(_JSON)
        digests = asked.removesuffix(_JSON).split(",", MOST_PIECES)
        if len(digests) > (MOST_PIECES if as_json else 1):
            return None
        found = {digest: self.known[digest] for digest in digests if digest in self.known}
        if self.memory is not None and len(found) < len(digests):
            found |= await self.memory.recall([digest for digest in digests if digest not in found])
        return IslandMatch(_ROUTE, {}, islands=found, as_json=as_json) if found else None

    def resource(self, templates: Templates, components: Iterable[str]) -> Resource:
        """Gives what answers a request for islands of these components: as private as the most private of them."""
        names = tuple(dict.fromkeys(components))
        resource = self._resources.get(names)
        if resource is None:
            resource = self._resource(templates, names)
            if len(self._resources) < _MOST_RESOURCES:
                self._resources[names] = resource
        return resource

    def _resource(self, templates: Templates, names: tuple[str, ...]) -> Resource:
        closure = reduce(joined, (templates.closure(name, in_place=True) for name in names))
        modules = [self.modules[name] for name in closure.islands + names if name in self.modules]
        return Resource(replace(_ROUTE, template=names[0]), names[0], closure=closure, pieces=tuple(modules))


def kept_uses(templates: Templates, resources: Iterable[Resource]) -> Iterator[IslandUse]:
    """Yields the places of islands on pages that the cache keeps."""
    closures = [resource.closure for resource in resources if resource.is_kept and resource.closure is not None]
    for name in dict.fromkeys(name for closure in closures for name in closure.templates):
        facts = templates.facts(name)
        yield from facts.islands if facts else ()


def load_components(root: Path, files: Iterable[str], faults: Faults) -> Mapping[str, SiteModule]:
    """Loads the modules that lie beside components, and gives them by the names of their components."""
    names = set(files)
    modules: dict[str, SiteModule] = {}
    for name in sorted(names):
        file = f"{name.rpartition('.')[0]}.py"
        if not name.startswith(COMPONENTS) or name == file or file not in names:
            continue
        with faults.collect():
            module = load_module(root, file)
            check_definitions(module, ("load",))
            if module.function("load") is None:
                raise ModuleError(
                    f"the module of {name} has no function `load`",
                    mend="define load(context), or keep helpers at the site's root",
                    location=Location(file),
                )
            modules[name] = module
    return modules
