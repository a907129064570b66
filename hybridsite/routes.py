"""Files under pages/ become routes: patterns of fixed text and parameters, with the page and the module that answer."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import PurePosixPath
from typing import Literal

from hybridsite.errors import Faults, Location, RouteError
from hybridsite.media import is_binary
from hybridsite.urls import CONTROL, Kind

# The first name of every island's path, and of the script that fetches them. No file below pages/ makes such a route.
ISLANDS = "_islands"
# The first name of the path of the rules by which browsers fetch pages ahead.
PREFETCH = "_prefetch"
ERROR_STATUSES = (404, 500, 503)
PAGE_SUFFIXES = (".html", ".md")

PARAMETER = re.compile(r"\[(\.\.\.)?([A-Za-z_][A-Za-z0-9_]*)\]")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a segment: fixed text, a parameter, or a rest parameter."""

    text: str
    kind: Literal["text", "param", "rest"]

    def __str__(self) -> str:
        return {"text": self.text, "param": f"[{self.text}]", "rest": f"[...{self.text}]"}[self.kind]


Segment = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where an old address leads: a path, or a whole address, either with the route's parameters in it.

    `status` is None for 301, or 308 where the method is to be kept.
    """

    to: str
    status: int | None
    location: Location


@dataclass(frozen=True)
class Route:
    """One file under pages/ (a template, a module, or both), or a redirect, and the paths that it answers."""

    segments: tuple[Segment, ...]
    kind: Kind
    template: str | None = None
    module: str | None = None
    prerender: bool = True
    status: int = 200
    redirect: Redirect | None = None

    @cached_property
    def source(self) -> str:
        """What names the route: its template, or the module of an endpoint. A redirect is named by its path."""
        if self.redirect is not None:
            return f'the redirect "{self.pattern}"'
        source = self.template or self.module
        assert source
        return source

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Its files: the page and its module."""
        return tuple(name for name in (self.template, self.module) if name)

    @cached_property
    def pattern(self) -> str:
        """The route as people write it: `/blog/[slug]/`, without the site's base."""
        if self.kind == "error":
            return "/".join(["", *(part.text for segment in self.segments for part in segment), str(self.status)])
        path = "/" + "/".join("".join(map(str, segment)) for segment in self.segments)
        return path + "/" if self.kind == "page" and self.segments else path

    @property
    def locale(self) -> str:
        """The language that an error page is for; "" where it is for all."""
        return self.segments[0][0].text if self.segments else ""

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters, in order."""
        return tuple(part.text for segment in self.segments for part in segment if part.kind != "text")

    @cached_property
    def has_whole_segments(self) -> bool:
        """Whether each segment is one piece, and none a rest parameter: the path can be read in one way alone."""
        return all(len(segment) == 1 and segment[0].kind != "rest" for segment in self.segments)

    @property
    def location(self) -> Location:
        """The file that names the route, or the line of a redirect."""
        return self.redirect.location if self.redirect else Location(self.source)


@dataclass(frozen=True, slots=True)
class Match:
    """A route that answers a path, the values of its parameters, and its props.

    The value of a rest parameter that took nothing is "".
    """

    route: Route
    params: Mapping[str, str]
    props: Mapping[str, object] = field(default_factory=dict)


def read_route(file: str, locales: Collection[str] = ()) -> Route | None:
    """Turns the path of a file, `pages/…` below the site's root, into a route; None where its name makes none.

    An image makes none, nor what else is no text: it is copied.

    The route of a `.py` file is that of an endpoint: whether it is a page's module instead is for `pair_modules` to
    say. One of `locales` may have error pages of its own, in its folder.
    Raises RouteError for names that no path can match.
    """
    parts = PurePosixPath(file).parts[1:]
    if not parts or any(part.startswith(("_", ".")) for part in parts) or is_binary(parts[-1]):
        return None
    *folders, name = parts
    is_module = name.endswith(".py")
    stem = name.removesuffix(".py") if is_module else name
    if not is_module and (not folders or (len(folders) == 1 and folders[0] in locales)):
        for status in ERROR_STATUSES:
            if stem in {f"{status}{suffix}" for suffix in PAGE_SUFFIXES}:
                folder = tuple(read_segment(locale, file) for locale in folders)
                return Route(folder, "error", template=file, status=status)
    is_page = not is_module and stem.endswith(PAGE_SUFFIXES)
    if is_page:
        stem = stem.rpartition(".")[0]
    names = [*folders] if stem == "index" else [*folders, stem]
    segments = tuple(read_segment(part, file) for part in names)
    check_parameters(segments, file)
    kind: Kind = "endpoint" if is_module else "page" if is_page else "file"
    return Route(segments, kind, template=None if is_module else file, module=file if is_module else None)


def read_routes(files: Iterable[str], faults: Faults, locales: Collection[str] = ()) -> list[Route]:
    """Turns the files below pages/ into routes, pages joined with their modules. Adds to `faults` what is no name."""
    routes: list[Route] = []
    for file in files:
        with faults.collect():
            route = read_route(file, locales)
            if route is not None:
                routes.append(route)
    return pair_modules(routes)


def read_segment(name: str, file: str) -> Segment:
    """Reads one part of a path, parameters and text. Raises RouteError."""
    parts: list[Part] = []
    end = 0
    for found in PARAMETER.finditer(name):
        if found.start() > end:
            parts.append(Part(name[end : found.start()], "text"))
        elif parts and found.start() == end:
            raise RouteError(
                f'the parameters of "{name}" follow each other without text between them',
                why="no path says where one ends and the next begins",
                mend="put a fixed character between them",
                location=Location(file),
            )
        parts.append(Part(found[2], "rest" if found[1] else "param"))
        end = found.end()
    if end < len(name):
        parts.append(Part(name[end:], "text"))
    fixed = [
        Part(unicodedata.normalize("NFC", part.text), part.kind) if part.kind == "text" else part for part in parts
    ]
    for part in fixed:
        if part.kind == "text" and (re.search(r"[\[\]\\]", part.text) or CONTROL.search(part.text)):
            raise RouteError(
                f'"{name}" is no name for a route',
                why="brackets stand around a parameter's name, and a URL holds no control character and no backslash",
                mend="write [name] or [...name], or rename the file",
                location=Location(file),
            )
    return tuple(fixed)


def check_parameters(segments: tuple[Segment, ...], file: str) -> None:
    """Raises RouteError for parameters that no path could be read into."""
    names = [part.text for segment in segments for part in segment if part.kind != "text"]
    rests = [segment for segment in segments if any(part.kind == "rest" for part in segment)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise RouteError(f'the parameter "{twice}" stands twice in the route', location=Location(file))
    if len(rests) > 1 or any(len(segment) > 1 for segment in rests):
        raise RouteError(
            "a rest parameter is not alone in its segment, or not the only one of its route",
            mend="write it as a whole name: docs/[...path].html",
            location=Location(file),
        )


def pair_modules(routes: Iterable[Route]) -> list[Route]:
    """Joins each page with the module beside it: `cart.html` with `cart.py`, `robots.txt` with `robots.txt.py`."""
    every = list(routes)
    modules = {route.module: route for route in every if route.kind == "endpoint" and route.module}
    joined: list[Route] = []
    taken: set[str] = set()
    for route in every:
        if route.template is None:
            continue
        stem = route.template.rpartition(".")[0] if route.kind in ("page", "error") else route.template
        module = f"{stem}.py"
        if module in modules:
            taken.add(module)
            route = replace(route, module=module)
        joined.append(route)
    joined.extend(route for name, route in modules.items() if name not in taken)
    return joined
