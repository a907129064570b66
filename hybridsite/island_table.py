"""The islands of a site: pieces that are each visitor's own, found by digests of what they are made from.

A digest is an HMAC of component and props: nobody can make one for other props, and nobody can read the props from it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import NamedTuple

from jinja2 import Undefined

from hybridsite.errors import Faults, Location, ModuleError, TemplateError
from hybridsite.modules import SiteModule, check_definitions, load_module
from hybridsite.resources import Resource, joined
from hybridsite.routes import ISLANDS, Match, Part, Route
from hybridsite.templating import COMPONENTS, Templates
from hybridsite.urls import RequestPath
from hybridsite.used import note_island

# 144 bits, in 24 characters that need no escape in a URL.
_DIGEST_BYTES = 18
_MOST_DEPTH = 50
# Pages ask for the same few sets of components; a stranger could ask for any.
_MOST_RESOURCES = 1000
# So many pieces one request may ask for: the script asks for the rest by another one.
MOST_PIECES = 50
_JSON = ".json"
_ROUTE = Route(((Part(ISLANDS, "text"),), (Part("islands", "param"),)), "island", template="(islands)", prerender=False)


class Island(NamedTuple):
    """What a piece is made from: a component, and props of JSON's types."""

    component: str
    props: Mapping[str, object]

    def digest(self, key: bytes) -> str:
        """Gives the name by which pages refer to it: the same for the same component, props and key."""
        text = json.dumps([self.component, self.props], sort_keys=True, separators=(",", ":"), allow_nan=False)
        code = hmac.digest(key, text.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(code[:_DIGEST_BYTES]).decode()


@dataclass(frozen=True, slots=True)
class IslandMatch(Match):
    """A request for the pieces of some islands, by their digests: in JSON, or the HTML of a single one."""

    islands: Mapping[str, Island] = field(default_factory=dict)
    as_json: bool = False


@dataclass(frozen=True, eq=False)
class IslandTable:
    """The modules of a site's components; and the islands by digest: `known` to a server, `placed` by a build.

    `key` gives the key of the digests, when the first island is placed.
    """

    modules: Mapping[str, SiteModule] = field(default_factory=dict)
    known: Mapping[str, Island] = field(default_factory=dict)
    placed: dict[str, Island] = field(default_factory=dict)
    key: Callable[[], bytes] | None = None
    _resources: dict[tuple[str, ...], Resource] = field(default_factory=dict, repr=False)

    def place(self, island: Island) -> str:
        """Gives the digest of an island that a page refers to, and notes the island under it."""
        assert self.key is not None, "a page that is given out as a file is rendered by a build, which has the key"
        digest = island.digest(self.key())
        self.placed[digest] = island
        note_island(digest, island.component, island.props)
        return digest

    def find(self, path: RequestPath) -> IslandMatch | None:
        """Finds what a path below `/_islands/` asks for: `DIGEST`, or `DIGEST,DIGEST.json`. None where none is known.

        Each is looked up in a table, so a path of another kind costs no more than one of an island.
        """
        if len(path.segments) != 2 or path.slash:
            return None
        asked = path.segments[1]
        as_json = asked.endswith(_JSON)
        digests = asked.removesuffix(_JSON).split(",", MOST_PIECES)
        if len(digests) > (MOST_PIECES if as_json else 1):
            return None
        found = {digest: self.known[digest] for digest in digests if digest in self.known}
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


def read_island(component: str, props: Mapping[str, object]) -> Island:
    """Makes an island of what a template gives. Raises TemplateError for a prop that is not of JSON's types.

    A component gets the same whether it is rendered in place or fetched later, so all is made into plain values.
    """
    return Island(component, {name: _plain(value, name, 0) for name, value in props.items()})


def _plain(value: object, place: str, depth: int) -> object:
    if depth > _MOST_DEPTH:
        raise TemplateError(f'the prop "{place[:80]}" of an island is nested too deep', mend="give what it needs alone")
    match value:
        case None | bool():
            return value
        case str():
            return str.__str__(value)
        case int():
            return int(value)
        case float() if math.isfinite(value):
            return float(value)
        case list() | tuple():
            return [_plain(item, f"{place}[{number}]", depth + 1) for number, item in enumerate(value)]
        case Mapping():
            for key in value:
                if not isinstance(key, str):
                    raise _no_prop(f"{place}, in the key {key!r},", key)
            return {str.__str__(key): _plain(item, f"{place}.{key}", depth + 1) for key, item in value.items()}
        case Undefined():
            return str(value) or None  # a name or a key that isn't there is told as anywhere else
        case _:
            raise _no_prop(place, value)


def _no_prop(place: str, value: object) -> TemplateError:
    return TemplateError(
        f'the prop "{place}" of an island is of the type {type(value).__name__}',
        why="props are kept as JSON: text, numbers, true, false, none, lists and dicts",
        mend="give it as text, or let the component look it up",
    )
