"""Languages: which one a path is in, and where the same page stands in another one ([i18n])."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from hybridsite.config import Settings
from hybridsite.errors import Faults, RouteError, did_you_mean
from hybridsite.island_props import Island
from hybridsite.routes import Match, Route, Segment
from hybridsite.routing import Router
from hybridsite.used import EVERYTHING, ROUTES, note

T = TypeVar("T")

LOCALE = "locale"
PIECE_LOCALE = "_locale"
"""The prop by which an island that is fetched knows the language of its page, where that isn't the default one."""

Path = tuple[str, ...]
"""The decoded segments of a path, without the site's base."""
IsThere = Callable[[Match, Path], bool]
"""Tells whether a route that answers a path by its pattern has a page there."""


class Alternate(NamedTuple):
    """A page in one of its languages: `url` is its path, `href` the whole address, "" without [site] url."""

    locale: str
    url: str
    href: str


@dataclass(frozen=True)
class Languages:
    """The languages of a site: one alone, where [i18n] names none.

    The first segment of a path says which one it is in; without a segment of that kind it is the default one.
    """

    default: str = "en"
    locales: tuple[str, ...] = ()
    fallback: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    renders: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Languages:
        """Reads [i18n]."""
        said = settings.i18n
        own = settings.site.language
        default = said.default or (own if own in said.locales or not said.locales else said.locales[0])
        return cls(default, said.locales, MappingProxyType(dict(said.fallback)), said.fallback_type == "render")

    def locale(self, path: Path) -> str:
        """Gives the language of a path."""
        return path[0] if path and path[0] in self.locales else self.default

    def piece(self, island: Island, locale: str) -> Island:
        """Gives an island of a page in a language, which it knows where it is fetched by itself, too."""
        return island if locale == self.default else Island(island.component, {**island.props, PIECE_LOCALE: locale})

    def chain(self, locale: str) -> Iterator[str]:
        """Yields the languages that stand in for one, the nearest first."""
        while locale in self.fallback:
            locale = self.fallback[locale]
            yield locale

    def error(self, by_locale: Mapping[str, Mapping[int, T]], status: int, path: Path) -> T | None:
        """Gives what there is for a status in the language of a path, in one that stands in for it, or in all."""
        locale = self.locale(path)
        found = (by_locale.get(one, {}).get(status) for one in (locale, *self.chain(locale), ""))
        return next((one for one in found if one is not None), None)

    def _stem(self, path: Path) -> Path:
        return path[1:] if path and path[0] in self.locales else path

    def _paths(self, locale: str, stem: Path) -> Iterator[Path]:
        """Yields the paths that a page may have in a language: the default one has no segment of its own, mostly."""
        if locale == self.default:
            yield stem
        yield (locale, *stem)

    def stand_ins(self, path: Path) -> Iterator[Path]:
        """Yields the paths of the same page in the languages that stand in for the path's own."""
        for locale in self.chain(self.locale(path)):
            yield from self._paths(locale, self._stem(path))

    def lacking(self, router: Router, paths: Collection[Path]) -> Iterator[tuple[Path, Path]]:
        """Yields each path at which a language lacks a page, and nothing answers, with the path that stands in for it.

        `paths` are those of what a build writes.
        """
        stems = list(dict.fromkeys(map(self._stem, paths)))
        for locale in self.fallback:
            for stem in stems:
                wanted = (locale, *stem)
                found = next((path for path in self.stand_ins(wanted) if path in paths), None)
                if found is None or next(router.match(wanted), None) is not None:
                    continue
                built = next((match for match in router.match(found) if match.route.prerender), None)
                if built is not None and built.route.kind == "page":
                    yield wanted, found

    def counterpart(
        self, router: Router, route: Route, path: Path, locale: str, is_there: IsThere
    ) -> tuple[Match, Path] | None:
        """Finds the page in a language that `route` has at `path`: their routes differ in the language alone."""
        if locale == self.locale(path):
            return Match(route, {}), path
        for other in self._paths(locale, self._stem(path)):
            for match in router.match(other):
                same = match.route.kind == route.kind and self._shape(match.route, other) == self._shape(route, path)
                if same and is_there(match, other):
                    return match, other
        return None

    def _shape(self, route: Route, path: Path) -> tuple[Segment, ...]:
        """Gives a route's segments without that of the language."""
        has_segment = bool(path) and path[0] in self.locales and route.segments[0][0].kind != "rest"
        return route.segments[1:] if has_segment else route.segments

    def alternates(self, router: Router, route: Route, path: Path, origin: str, is_there: IsThere) -> list[Alternate]:
        """Gives a page in all of its languages, its own among them, in the order of [i18n]; none where it has one."""
        _note(route)
        found = []
        for locale in self.locales:
            other = self.counterpart(router, route, path, locale, is_there)
            if other is not None:
                url = router.policy.url(route.kind, other[1])
                found.append(Alternate(locale, url, origin and origin + url))
        return found if len(found) > 1 else []

    def url_for(
        self,
        router: Router,
        source: str,
        params: Mapping[str, object],
        is_there: IsThere,
        is_rendered: Callable[[Route], bool],
    ) -> str:
        """Gives the URL of a file's page in the language `locale`, which is among `params`.

        `is_rendered` tells of a route whether its pages are rendered for languages that lack them.
        Raises RouteError for a language that there is none of, and for a page that it lacks while nothing stands in.
        """
        route = router.by_source(source)
        _note(route)
        locale = str(params[LOCALE])
        if locale not in (self.default, *self.locales):
            mend = did_you_mean(locale, self.locales) or "name it in [i18n] locales"
            raise RouteError(f'there is no language "{locale}"', mend=mend)
        others = {name: value for name, value in params.items() if name != LOCALE}
        if (name := self._parameter(route)) and name not in others:
            others[name] = locale
        path = router.fill(route, others)
        for one in (locale, *self.chain(locale)):
            found = self.counterpart(router, route, path, one, is_there)
            if found is not None:
                as_lacking = one != locale and is_rendered(found[0].route)
                return router.policy.url(route.kind, (locale, *self._stem(path)) if as_lacking else found[1])
        folder, _, rest = source.partition("/")
        own = rest.partition("/")
        rest = own[2] if own[0] in self.locales else rest
        wanted = f"{folder}/{rest}" if locale == self.default else f"{folder}/{locale}/{rest}"
        raise RouteError(
            f'{source} has no page in the language "{locale}"',
            why=f"{wanted} gives none"
            if wanted in {each.source for each in router.routes}
            else f"there is no {wanted}",
            mend=f'write it, or say which language stands in: [i18n] fallback = {{ {locale} = "…" }}',
        )

    @staticmethod
    def _parameter(route: Route) -> str | None:
        """Names the parameter that is the whole first segment of a route."""
        first = route.segments[0] if route.segments else ()
        return first[0].text if len(first) == 1 and first[0].kind == "param" else None

    def stand_in(self, router: Router, path: Path, is_there: IsThere) -> str | None:
        """Gives the URL of the page that stands in for a path at which there is none, or None."""
        for other in self.stand_ins(path):
            for match in router.match(other):
                if match.route.kind == "page" and is_there(match, other):
                    return router.policy.url("page", other)
        return None

    def check(self, router: Router, faults: Faults) -> None:
        """Adds a fault for each page that stands in the default language twice: with its segment, and without."""
        for route in router.routes:
            if self.locales and route.redirect is None and not route.parameters and len(route.segments) > 0:
                path = router.fill(route, {})
                twice = (match.route for match in router.match(path[1:])) if path[0] == self.default else ()
                for other in twice:
                    if other.kind == route.kind and not other.parameters and other.redirect is None:
                        what = f'{other.source} and {route.source} are both the page in the language "{self.default}"'
                        faults.add(RouteError(what, mend="keep one of them", location=route.location))


def _note(route: Route) -> None:
    """Notes for the build that a page depends on what other languages have: the pages of a pattern come by content."""
    note(EVERYTHING if route.parameters else ROUTES)
