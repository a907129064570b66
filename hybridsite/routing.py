"""Files under pages/ become routes, and routes match paths: the most specific first, whatever their number."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import PurePosixPath
from typing import Literal

from hybridsite.errors import Faults, Location, RouteError, did_you_mean
from hybridsite.urls import CONTROL, Kind, UrlPolicy

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
            return f"/{self.status}"
        path = "/" + "/".join("".join(map(str, segment)) for segment in self.segments)
        return path + "/" if self.kind == "page" and self.segments else path

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters, in order."""
        return tuple(part.text for segment in self.segments for part in segment if part.kind != "text")

    @cached_property
    def shape(self) -> tuple[str, ...]:
        """The route with the names of its parameters left out: two routes of one shape match the same paths."""
        return tuple(
            "".join(part.text if part.kind == "text" else f"[{part.kind}]" for part in segment)
            for segment in self.segments
        )

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


def read_route(file: str) -> Route | None:
    """Turns the path of a file, `pages/…` below the site's root, into a route; None where its name makes none.

    The route of a `.py` file is that of an endpoint: whether it is a page's module instead is for `pair_modules` to
    say.
    Raises RouteError for names that no path can match.
    """
    parts = PurePosixPath(file).parts[1:]
    if any(part.startswith(("_", ".")) for part in parts) or not parts:
        return None
    *folders, name = parts
    is_module = name.endswith(".py")
    stem = name.removesuffix(".py") if is_module else name
    if len(parts) == 1 and not is_module:
        for status in ERROR_STATUSES:
            if stem in {f"{status}{suffix}" for suffix in PAGE_SUFFIXES}:
                return Route((), "error", template=file, status=status)
    is_page = not is_module and stem.endswith(PAGE_SUFFIXES)
    if is_page:
        stem = stem.rpartition(".")[0]
    names = [*folders] if stem == "index" else [*folders, stem]
    segments = tuple(read_segment(part, file) for part in names)
    check_parameters(segments, file)
    kind: Kind = "endpoint" if is_module else "page" if is_page else "file"
    return Route(segments, kind, template=None if is_module else file, module=file if is_module else None)


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


@dataclass(slots=True)
class _Node:
    fixed: dict[str, _Node] = field(default_factory=dict)
    mixed: list[tuple[tuple[int, str], re.Pattern[str], _Node]] = field(default_factory=list)
    param: _Node | None = None
    rest: _Node | None = None
    routes: list[Route] = field(default_factory=list)


class Router:
    """Finds the routes that answer a path, the most specific first.

    Its cost depends on the path, not on the number of routes.
    """

    def __init__(self, routes: Iterable[Route], policy: UrlPolicy) -> None:
        """Raises RouteError, or SiteErrors, where two files claim one route."""
        self.policy = policy
        self.routes = tuple(sorted(routes, key=lambda route: route.pattern))
        self._by_source = {route.source: route for route in self.routes}
        self._fixed: dict[tuple[str, ...], list[Route]] = {}
        self._root = _Node()
        errors: dict[int, Route] = {}
        self.errors: Mapping[int, Route] = errors
        faults = Faults()
        # Of two files of one shape the prerendered one comes first: it owns the paths that it gave.
        for route in sorted(self.routes, key=lambda route: not route.prerender):
            if route.kind != "error":
                with faults.collect():
                    self._insert(route)
            elif errors.setdefault(route.status, route) is not route:
                faults.add(_both(errors[route.status], route, mend="rename one of them"))
        faults.raise_any()

    def _insert(self, route: Route) -> None:
        if not route.parameters:
            routes = self._fixed.setdefault(tuple(part.text for segment in route.segments for part in segment), [])
        else:
            node = self._root
            for segment in route.segments:
                node = _child(node, segment)
            routes = node.routes
        for other in routes:
            if other.prerender == route.prerender:
                mend = "rename one of them, or give one prerender: true and the other prerender: false"
                raise _both(other, route, mend=mend)
        routes.append(route)

    def match(self, segments: tuple[str, ...]) -> Iterator[Match]:
        """Yields every route that answers the path, the most specific first."""
        for route in self._fixed.get(segments, ()):
            yield Match(route, {})
        for routes, values in _walk(self._root, segments, 0, ()):
            for route in routes:
                yield Match(route, dict(zip(route.parameters, values, strict=True)))

    def by_source(self, source: str) -> Route:
        """Finds a route by its file. Raises RouteError, with the nearest name, where there is none."""
        if route := self._by_source.get(source):
            return route
        raise RouteError(
            f'there is no route of the file "{source}"',
            mend=did_you_mean(source, self._by_source) or 'name it as it lies in the site: "pages/about.html"',
        )

    def url_for(self, source: str, /, **params: object) -> str:
        """Gives the URL of the route that `source` (a file under pages/) makes, its parameters escaped.

        Raises RouteError for a wrong name, a missing or unknown parameter, and a value that would lead elsewhere.
        """
        route = self.by_source(source)
        return self.policy.url(route.kind, self.fill(route, params))

    def fill(self, route: Route, params: Mapping[str, object]) -> tuple[str, ...]:
        """Puts values in place of a route's parameters, and gives the decoded segments of the path.

        Values are str or int; a rest parameter takes `a/b`, "" or None. Raises RouteError as `url_for` does.
        """
        for name in params:
            if name not in route.parameters:
                known = ", ".join(route.parameters) or "none"
                raise RouteError(
                    f'{route.source} has no parameter "{name}"',
                    why=f"its parameters: {known}",
                    mend=did_you_mean(name, route.parameters),
                )
        filled: list[str] = []
        for segment in route.segments:
            if segment[0].kind == "rest":
                text = _value(route, segment[0], params)
                filled.extend(text.split("/") if text else ())
            else:
                filled.append(
                    "".join(part.text if part.kind == "text" else _value(route, part, params) for part in segment)
                )
        for text in filled:
            if not text or text in (".", "..") or CONTROL.search(text) or "\\" in text:
                raise RouteError(
                    f'a parameter of {route.source} gives the path segment "{text}"', why="no URL can hold it"
                )
        self._check_round_trip(route, tuple(filled), params)
        return tuple(filled)

    @staticmethod
    def _check_round_trip(route: Route, filled: tuple[str, ...], params: Mapping[str, object]) -> None:
        # Only text with several parameters can be read in another way than it was written: "[a]-[b]" with a="1-2".
        if all(sum(part.kind != "text" for part in segment) < 2 for segment in route.segments):
            return
        node = _Node()
        end = node
        for segment in route.segments:
            end = _child(end, segment)
        end.routes.append(route)
        values = next(values for _, values in _walk(node, filled, 0, ()))
        parts = (part for segment in route.segments for part in segment if part.kind != "text")
        given = {part.text: _value(route, part, params) for part in parts}
        for name, value in zip(route.parameters, values, strict=True):
            if given[name] != value:
                raise RouteError(
                    f'{route.source} would read its parameter "{name}" as "{value}" and not as "{given[name]}"',
                    why="the fixed text between its parameters stands in a value too",
                )


def _both(one: Route, other: Route, *, mend: str) -> RouteError:
    location = max(one.location, other.location)
    return RouteError(f"{one.source} and {other.source} both answer {other.pattern}", mend=mend, location=location)


def _value(route: Route, part: Part, params: Mapping[str, object]) -> str:
    if part.text not in params and part.kind == "param":
        raise RouteError(
            f'{route.source} needs the parameter "{part.text}"', mend=f'url_for("{route.source}", {part.text}=…)'
        )
    value = params.get(part.text)
    if value is None and part.kind == "rest":
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RouteError(
            f'the parameter "{part.text}" of {route.source} is {type(value).__name__}', mend="give a str or an int"
        )
    text = unicodedata.normalize("NFC", str(value))
    if part.kind == "rest":
        return text.strip("/")
    if not text or "/" in text:
        raise RouteError(
            f'the parameter "{part.text}" of {route.source} is "{text}"', why="it has to be one segment of a path"
        )
    return text


def _child(node: _Node, segment: Segment) -> _Node:
    if len(segment) == 1:
        part = segment[0]
        if part.kind == "text":
            return node.fixed.setdefault(part.text, _Node())
        if part.kind == "param":
            node.param = node.param or _Node()
            return node.param
        node.rest = node.rest or _Node()
        return node.rest
    source = "".join(re.escape(part.text) if part.kind == "text" else "(.+?)" for part in segment)
    # More fixed text first; the text itself decides between equals, so that the order is the same on every machine.
    rank = (-sum(len(part.text) for part in segment if part.kind == "text"), source)
    for known, _, child in node.mixed:
        if known == rank:
            return child
    child = _Node()
    node.mixed.append((rank, re.compile(source, re.DOTALL), child))
    node.mixed.sort(key=lambda entry: entry[0])
    return child


def _walk(
    node: _Node, segments: tuple[str, ...], at: int, values: tuple[str, ...]
) -> Iterator[tuple[list[Route], tuple[str, ...]]]:
    if at == len(segments):
        if node.routes:
            yield node.routes, values
    else:
        segment = segments[at]
        if segment in node.fixed:
            yield from _walk(node.fixed[segment], segments, at + 1, values)
        for _, pattern, child in node.mixed:
            if found := pattern.fullmatch(segment):
                yield from _walk(child, segments, at + 1, (*values, *found.groups()))
        if node.param is not None:
            yield from _walk(node.param, segments, at + 1, (*values, segment))
    if node.rest is not None:
        for end in range(len(segments), at - 1, -1):
            yield from _walk(node.rest, segments, end, (*values, "/".join(segments[at:end])))
