"""Routes match paths: the most specific first, whatever their number."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from hybridsite.errors import Faults, RouteError, did_you_mean
from hybridsite.routes import Match, Part, Route, Segment
from hybridsite.urls import CONTROL, UrlPolicy


@dataclass(slots=True)
class _Mixed:
    """A segment of text with parameters: its rank among others, its expression, and what comes behind it."""

    rank: tuple[int, str]
    pattern: re.Pattern[str]
    node: _Node


@dataclass(slots=True)
class _Node:
    """What may come next. Text with parameters is found by the text at its two ends; `sizes` are their lengths."""

    fixed: dict[str, _Node] = field(default_factory=dict)
    mixed: dict[tuple[str, str], list[_Mixed]] = field(default_factory=dict)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    param: _Node | None = None
    rest: _Node | None = None
    routes: list[Route] = field(default_factory=list)


class Router:
    """Finds the routes that answer a path, the most specific first.

    Its cost depends on the path, and not on the number of routes: each step is a look into a table. Only patterns that
    begin and end alike (`[a]-[b].html` and `[a]_[b].html`) are tried one by one.
    """

    def __init__(self, routes: Iterable[Route], policy: UrlPolicy) -> None:
        """Raises RouteError, or SiteErrors, where two files claim one route."""
        self.policy = policy
        self.routes = tuple(sorted(routes, key=lambda route: route.pattern))
        self._by_source = {route.source: route for route in self.routes}
        self._fixed: dict[tuple[str, ...], list[Route]] = {}
        self._root = _Node()
        by_locale: dict[str, dict[int, Route]] = {"": {}}
        self.errors: Mapping[int, Route] = by_locale[""]
        self.errors_in: Mapping[str, Mapping[int, Route]] = by_locale
        faults = Faults()
        # Of two files of one shape the prerendered one comes first: it owns the paths that it gave.
        for route in sorted(self.routes, key=lambda route: not route.prerender):
            if route.kind != "error":
                with faults.collect():
                    self._insert(route)
                continue
            errors = by_locale.setdefault(route.locale, {})
            if errors.setdefault(route.status, route) is not route:
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

    def match_own(self, route: Route, segments: tuple[str, ...], props: Mapping[str, object]) -> Match:
        """Gives the match of a route with a path that `fill` has made for it: the values are those of the path."""
        if route.has_whole_segments:
            pairs = zip(route.segments, segments, strict=True)
            values = {segment[0].text: text for segment, text in pairs if segment[0].kind == "param"}
            return Match(route, values, props)
        return replace(next(match for match in self.match(segments) if match.route is route), props=props)

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
        if not route.has_whole_segments:
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
            f'the parameter "{part.text}" of {route.source} is "{text}"',
            why="it has to be one segment of a path",
            mend=f"name the file or the folder [...{part.text}], which takes several" if text else "",
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
    source = _pattern(segment)
    # More fixed text first; the text itself decides between equals, so that the order is the same on every machine.
    rank = (-sum(len(part.text) for part in segment if part.kind == "text"), source)
    ends = _ends(segment)
    alike = node.mixed.setdefault(ends, [])
    for known in alike:
        if known.rank == rank:
            return known.node
    found = _Mixed(rank, re.compile(source, re.DOTALL), _Node())
    alike.append(found)
    if (sizes := (len(ends[0]), len(ends[1]))) not in node.sizes:
        node.sizes.append(sizes)
    return found.node


def _ends(segment: Segment) -> tuple[str, str]:
    """Gives the text with which a segment begins, and that with which it ends."""
    first, last = segment[0], segment[-1]
    return first.text if first.kind == "text" else "", last.text if last.kind == "text" else ""


def _alike(node: _Node, segment: str) -> list[_Mixed]:
    """Gives what a segment may be by its two ends, the most specific first."""
    found: list[_Mixed] = []
    for before, behind in node.sizes:
        if before + behind < len(segment):
            found += node.mixed.get((segment[:before], segment[len(segment) - behind :]), ())
    return sorted(found, key=_rank) if len(found) > 1 else found


def _rank(mixed: _Mixed) -> tuple[int, str]:
    return mixed.rank


def _pattern(segment: Segment) -> str:
    """Gives the regular expression of a segment with text and parameters; its time grows with the segment's length.

    A parameter ends where the text behind it first comes, the last one at the end of the segment.
    """
    last = max(number for number, part in enumerate(segment) if part.kind != "text")
    parts = []
    for number, part in enumerate(segment):
        if part.kind == "text":
            parts.append(re.escape(part.text))
        elif number == last:
            parts.append("(.+)")
        else:
            parts.append(f"(.(?:(?!{re.escape(segment[number + 1].text)}).)*)")
    return "".join(parts)


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
        for mixed in _alike(node, segment) if node.sizes else ():
            if found := mixed.pattern.fullmatch(segment):
                yield from _walk(mixed.node, segments, at + 1, (*values, *found.groups()))
        if node.param is not None:
            yield from _walk(node.param, segments, at + 1, (*values, segment))
    if node.rest is not None:
        for end in range(len(segments), at - 1, -1):
            yield from _walk(node.rest, segments, end, (*values, "/".join(segments[at:end])))
