"""What hosts and web servers are told of a site: which paths lead elsewhere, which an origin answers, which headers
files have.

This is the one place that reads it off a site; `underscore.py`, `nginx.py` and `caddy.py` write it down in the words of
a host. Two things hold for all of them: a file goes before a rule, and an origin, which has the whole site, may be
asked for more than it has to be. So a pattern that a host can't express is widened, and never narrowed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from hybridsite.action_table import ACTIONS
from hybridsite.answers import SAFE_HEADERS
from hybridsite.errors import AdapterError, Location, SiteError
from hybridsite.manifest import BuiltFile
from hybridsite.prefetch import HEADER
from hybridsite.redirects import follow
from hybridsite.routes import ISLANDS, PREFETCH, Match, Part, Route, Segment
from hybridsite.site import Site

_SAFE = "-._~!$&'()+,;=@"  # of what a segment may hold as it is, less what hosts read as a placeholder
GROUP = r"([^/?\\]+?)"
REST_GROUP = r"((?:/[^/?\\]+)*)"
# What the server says of a file that says nothing itself.
CACHED = ("Cache-Control", "public, max-age=0, must-revalidate")
_PREFETCH = HEADER.title()
_REST: Segment = (Part("path", "rest"),)


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern of paths, without the site's base, and what it leads to.

    `target` is a URL in which `{0}`, `{1}` stand for the parameters, or None for the origin. `slash` tells whether the
    canonical form of the path ends with one, None where both are served. `source` names the rule in messages.
    """

    segments: tuple[Segment, ...]
    source: str
    target: str | None = None
    status: int = 200
    slash: bool | None = None
    location: Location | None = None

    @property
    def is_dynamic(self) -> bool:
        """Whether it has parameters."""
        return bool(self.kinds)

    @property
    def is_sayable(self) -> bool:
        """Whether placeholders can say it: its parameters are whole segments, a rest is the last, and no text is read
        as a placeholder."""
        rests = any(segment[0].kind == "rest" for segment in self.segments[:-1])
        return not rests and all(_is_whole(segment) for segment in self.segments)

    @property
    def kinds(self) -> list[str]:
        """What its parameters are, in order: `param` or `rest`."""
        return [part.kind for segment in self.segments for part in segment if part.kind != "text"]

    @property
    def has_rest(self) -> bool:
        """Whether it ends with a rest parameter."""
        return bool(self.segments) and self.segments[-1][0].kind == "rest"

    @property
    def weight(self) -> tuple[object, ...]:
        """Orders rules as the router matches: without parameters first, then the more specific."""
        return (self.is_dynamic, [_rank(segment) for segment in self.segments])

    def widened(self) -> Rule:
        """Gives a rule that placeholders can say, and that matches no less."""
        segments: list[Segment] = []
        for segment in self.segments:
            if any(part.kind == "rest" for part in segment):
                segments.append(_REST)
                break
            segments.append(segment if _is_whole(segment) else (Part(f"p{len(segments)}", "param"),))
        return replace(self, segments=tuple(segments))

    def pattern(self, base: str) -> str:
        """Gives the regular expression of its escaped paths, with the base and in either form; groups are parameters.

        It is one that Python, JavaScript, PCRE and RE2 read alike. A parameter holds no backslash, which browsers take
        for a slash in a Location, and a rest begins with its slash.
        """
        text = "".join(_expression(segment) for segment in self.segments)
        return f"^{re.escape(base)}{text}/?$"


def _is_whole(segment: Segment) -> bool:
    texts = "".join(part.text for part in segment if part.kind == "text")
    is_text = all(part.kind == "text" for part in segment)
    return (len(segment) == 1 or is_text) and not set(texts) & {":", "*"}


def _rank(segment: Segment) -> tuple[int, int, str]:
    text = "".join(part.text for part in segment if part.kind == "text")
    kinds = {part.kind for part in segment}
    rank = 0 if kinds <= {"text"} else 3 if "rest" in kinds else 1 if "text" in kinds else 2
    shape = "".join(part.text if part.kind == "text" else "[]" for part in segment)  # names decide nothing
    return rank, -len(text) if rank == 1 else 0, shape


def _expression(segment: Segment) -> str:
    if segment[0].kind == "rest":
        return REST_GROUP
    parts = [_spelt(escaped(part.text)) if part.kind == "text" else GROUP for part in segment]
    return "/" + "".join(parts)


def _spelt(text: str) -> str:
    """Gives the regular expression of escaped text, whose escapes may be written in either case."""

    def either(found: re.Match[str]) -> str:
        return "%" + "".join(f"[{digit}{digit.lower()}]" if digit.isalpha() else digit for digit in found[1])

    return re.sub(r"%([0-9A-F]{2})", either, re.escape(text))


def filled(rule: Rule, parameter: Callable[[int], str], query: str) -> str:
    """Gives where a redirect leads, in the words of a server whose patterns are `Rule.pattern`.

    `parameter` gives the word for the value of a group, and `query` is the one for what was sent with its question
    mark, or nothing; it goes on unless the target has one.
    """
    assert rule.target is not None
    address = re.match(r"[^?#]*", rule.target)
    assert address is not None
    tail = rule.target[address.end() :]
    text = f"{address[0]}{'' if tail.startswith('?') else query}{tail}"
    for number, kind in enumerate(rule.kinds):
        if kind == "rest":
            text = text.replace(f"/{{{number}}}", parameter(number))
        text = text.replace(f"{{{number}}}", parameter(number))
    return text


def escaped(text: str) -> str:
    """Gives a piece of a path as browsers send it."""
    return quote(text, safe=_SAFE + ":*")


@dataclass(frozen=True, slots=True)
class Rules:
    """All that is to be told of a site, the most specific rule first.

    `unknown_to_origin` where the page for what isn't there is rendered on demand.
    """

    base: str
    rules: tuple[Rule, ...]
    unknown_to_origin: bool = False

    @property
    def redirects(self) -> tuple[Rule, ...]:
        """Those that lead elsewhere."""
        return tuple(rule for rule in self.rules if rule.target is not None)

    @property
    def at_origin(self) -> tuple[Rule, ...]:
        """Those that the origin answers: all that is rendered on demand, and redirects that placeholders can't say."""
        return tuple(rule for rule in self.rules if rule.target is None or not rule.is_sayable)


def rules_of(site: Site) -> Rules:
    """Reads off a site what is no file: redirects, to other languages too, and all that is answered on demand."""
    rules = [*_redirects(site), *_answered(site)]
    unknown = any(404 in own and not own[404].prerender for own in site.router.errors_in.values())
    return Rules(site.base, tuple(sorted(rules, key=lambda rule: rule.weight)), unknown)


def _redirects(site: Site) -> Iterator[Rule]:
    for route in site.router.routes:
        if route.redirect is None:
            continue
        # The parameters stand for themselves, so that the target is found as for any request.
        marks = {name: f"hybridsite{number}mark" for number, name in enumerate(route.parameters)}
        rule = Rule(route.segments, route.source, "", route.redirect.status or 301, location=route.location)
        yield replace(rule, target=_target(site, route, marks))
        if rule.has_rest:  # which may be nothing: a target of its own
            nothing = {**marks, route.parameters[-1]: ""}
            yield replace(rule, segments=rule.segments[:-1], target=_target(site, route, nothing))
    for wanted, found in site.languages.lacking(site.router, site.planned or ()):
        segments = tuple((Part(text, "text"),) for text in wanted)
        source = f"the page {site.policy.url('page', wanted)}, which another language stands in for"
        yield Rule(segments, source, site.policy.url("page", found), 302)


def _target(site: Site, route: Route, marks: Mapping[str, str]) -> str:
    target = follow(site.router, Match(route, marks)).replace("{", "%7B").replace("}", "%7D")
    for number, mark in enumerate(marks.values()):
        target = target.replace(mark, f"{{{number}}}") if mark else target
    return target


def _answered(site: Site) -> Iterator[Rule]:
    for route in site.router.routes:
        if route.redirect is not None or route.kind == "error":
            continue
        if not route.prerender or site.resources[route.source].guard:
            slash = site.policy.has_slash(route.kind, ("a",))
            yield Rule(route.segments, route.source, slash=slash, location=route.location)
    for folder, is_asked in ((ACTIONS, bool(site.actions)), (ISLANDS, bool(site.fetched))):
        if is_asked:
            yield Rule(((Part(folder, "text"),), _REST), f"/{folder}/", slash=False)


def warnings(rules: Rules, files: Iterable[BuiltFile], *, has_origin: bool) -> Iterator[SiteError]:
    """Yields what the author is told of redirects: those that a file hides, and those that no rule can say."""
    taken = {file.url.rstrip("/"): file.file for file in files}
    for rule in rules.redirects:
        if not rule.is_dynamic:
            path = rules.base + "".join(f"/{escaped(part.text)}" for segment in rule.segments for part in segment)
            if path in taken:
                what = f"{rule.source} is never taken, since there is {taken[path]}"
                yield AdapterError(what, mend="remove the one or the other", location=rule.location)
        if not has_origin and not rule.is_sayable:
            what, why = f"{rule.source} is left out", "no rule of the host matches its path"
            mend = "let its parameters be whole segments, and a rest parameter the last, without : and * around them"
            yield AdapterError(what, why=why, mend=mend, location=rule.location)


Pairs = tuple[tuple[str, str], ...]


def headers_of(file: BuiltFile) -> Pairs:
    """Gives the headers with which the server sends a file, less those that tell of its bytes."""
    own: dict[str, str] = {}
    for name, value in file.headers:
        name = name.title()  # one spelling, whoever wrote it
        own[name] = f"{own[name]}, {value}" if name in own else value  # RFC 9110, 5.3
    safe = {name.decode().title(): value.decode() for name, value in SAFE_HEADERS}
    return tuple({**own, **{name: value for name, value in safe.items() if name not in own}}.items())


def _type(file: BuiltFile) -> Pairs:
    return (("Content-Type", file.type),) if file.file.startswith(f"{PREFETCH}/") else ()


def _with(headers: Pairs, more: Pairs) -> Pairs:
    return (*headers, *(pair for pair in more if pair not in headers))


def header_rules(
    files: Sequence[BuiltFile], key: Callable[[BuiltFile], str], *, types: bool = True
) -> Mapping[str, Pairs]:
    """Gives headers by path: `/*` for those that all files have, then the fewest paths that say the rest exactly.

    `key` gives the path of a file. A path that ends with `/*` is for all files below it. No two that match one file
    have a header in common, since hosts differ in what that means. With `types` they name the type of what no host
    knows by its name. What all pages say of [prefetch] is said of every file, for which it means nothing: hosts
    count rules.
    """
    given = [file for file in files if file.guard is None]
    told = {dict(headers_of(file)).get(_PREFETCH) for file in given if file.type.startswith("text/html")}
    ahead = ((_PREFETCH, value),) if len(told) == 1 and (value := told.pop()) is not None else ()
    every = {key(file): _with(headers_of(file), (*ahead, *(_type(file) if types else ()))) for file in given}
    common = frozenset[tuple[str, str]].intersection(*map(frozenset, every.values())) if every else frozenset()
    shared = tuple(pair for pair in next(iter(every.values()), ()) if pair in common)
    found: dict[str, Pairs] = {"/*": shared} if shared else {}
    rests = {path: tuple(pair for pair in pairs if pair not in common) for path, pairs in every.items()}
    found.update(_grouped(sorted(rests.items()), "/"))
    return found


def _grouped(rests: list[tuple[str, Pairs]], folder: str) -> Iterator[tuple[str, Pairs]]:
    """Yields the rules of the files below a folder: one for all of it, where they agree."""
    kinds = {frozenset(pairs) for _, pairs in rests}
    if len(kinds) == 1 and (len(rests) > 1 or not rests[0][1]):
        if rests[0][1]:
            yield f"{folder}*", rests[0][1]
        return
    below: dict[str, list[tuple[str, Pairs]]] = {}
    folders = Counter(path[len(folder) :].partition("/")[:2] for path, _ in rests)
    for path, pairs in rests:
        name, slash, rest = path[len(folder) :].partition("/")
        if slash and name and (rest or folders[name, slash] > 1):
            below.setdefault(f"{folder}{name}/", []).append((path, pairs))
        elif pairs:
            yield path, pairs
    for inner, found in below.items():
        yield from _grouped(found, inner)
