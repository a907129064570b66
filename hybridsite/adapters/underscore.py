"""`_redirects`, `_headers` and `_routes.json`, as Netlify and Cloudflare read them, with the limits of each.

The site's own lines stand first, as they are: the first rule that matches a path is taken. Sources have the base;
parameters are placeholders (`:slug`), a rest is `*` and, in the target, `:splat`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from hybridsite.adapters.adapter import HostedBuild
from hybridsite.adapters.rules import Pairs, Rule, Rules, escaped
from hybridsite.errors import AdapterError, Location
from hybridsite.site import Site

REDIRECTS = "_redirects"
HEADERS = "_headers"
ROUTES = "_routes.json"
_HEAD = "# Written by hybridsite build"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_DYNAMIC = re.compile(r"\*|:[A-Za-z]")
# https://developers.cloudflare.com/pages/functions/routing/#limits
_MOST_ROUTES = 100
_LONGEST_ROUTE = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """What a host refuses to read, or would pass over in silence: numbers of rules, and characters of a line."""

    static: int | None = None
    dynamic: int | None = None
    redirect_line: int | None = None
    headers: int | None = None
    header_line: int | None = None


NETLIFY = Limits()
# https://developers.cloudflare.com/pages/configuration/redirects/#per-file and …/headers/
CLOUDFLARE = Limits(static=2000, dynamic=100, redirect_line=1000, headers=100, header_line=2000)


def source(rule: Rule, base: str, *, slash: bool = False) -> str:
    """Gives the path of a rule that placeholders can say; with `slash`, in the form that ends with one."""
    names = iter(_names(rule))
    path = base
    for segment in rule.segments:
        kind = segment[0].kind
        if kind == "text":
            path += "/" + escaped("".join(part.text for part in segment))
        else:
            path += "/*" if kind == "rest" else f"/:{next(names)}"
    return path + "/" if not path or (slash and not path.endswith("*")) else path


def _names(rule: Rule) -> list[str]:
    """Gives the names of placeholders: the parameters' own, unless a host could take one for another's beginning."""
    own = [segment[0].text for segment in rule.segments if segment[0].kind == "param"]
    others = [*own, "splat"]
    clear = len(set(own)) == len(own) and all(_NAME.fullmatch(name) for name in own)
    if clear and not any(one != other and other.startswith(one) for one in others for other in others):
        return own
    return [f"p{chr(97 + number)}" for number in range(len(own))]


def target(rule: Rule) -> str:
    """Gives where a redirect leads, with placeholders for its parameters."""
    assert rule.target is not None
    names = iter(_names(rule))
    kinds = [segment[0].kind for segment in rule.segments if segment[0].kind != "text"]
    scheme, colon, rest = rule.target.partition("://") if "://" in rule.target[:8] else ("", "", rule.target)
    text = scheme + colon + re.sub(r":(?=[A-Za-z])", "%3A", rest)
    for number, kind in enumerate(kinds):
        name = "splat" if kind == "rest" else next(names)
        text = text.replace(f"{{{number}}}", f":{name}")
    return text.removesuffix("/") if text.endswith(":splat/") else text


def redirect_lines(rules: Rules, *, forms: bool) -> Iterator[str]:
    """Yields the lines of redirects, those without parameters first.

    `forms` has a line for either form of a path, for a host that takes them for two.
    """
    for rule in rules.redirects:
        if rule.is_sayable:
            yield from lines(rule, source_forms(rule, rules.base, forms=forms), target(rule))


def lines(rule: Rule, sources: Iterable[str], to: str) -> Iterator[str]:
    """Yields a rule's lines, one for each of its paths."""
    return (f"{path} {to} {rule.status}" for path in sources)


def source_forms(rule: Rule, base: str, *, forms: bool) -> list[str]:
    """Gives the paths of a rule that placeholders can say, in either form where `forms` says so."""
    path = source(rule, base)
    if not forms or path == "/":
        return [path]
    return [path] if path.endswith(("/", "*")) else [path, f"{path}/"]


def ordered(found: Iterable[str]) -> list[str]:
    """Gives lines with those first that have no placeholder, else as they are."""
    return sorted(dict.fromkeys(found), key=lambda line: bool(_DYNAMIC.search(line.partition(" ")[0])))


def published(site: Site) -> str:
    """Gives the folder below dist/ that goes online: with a base another than client, where files lie below it."""
    return "cdn" if site.base else "client"


def write_files(build: HostedBuild) -> None:
    """Writes the files anew where the site has a base, and pages in a second form where no address ends with a slash.

    Hosts answer /about with about.html, and lead it to /about/ where there is only about/index.html.
    """
    site: Site = build.site
    flat = site.settings.routing.trailing_slash == "never"
    if not site.base and not flat:
        return
    place = f"{published(site)}{site.base}"
    taken = {file.file for file in build.files}
    for file in build.files:
        if file.guard is not None:
            continue
        body = build.read(f"client/{file.file}")
        if site.base:
            build.write(f"{place}/{file.file}", body)
        name = f"{file.file.removesuffix('/index.html')}.html"
        if flat and file.file.endswith("/index.html") and name not in taken:
            build.write(f"{place}/{name}", body)
        elif flat and site.base and file.file == "index.html":
            build.write(f"{place}.html", body)


def write_redirects(build: HostedBuild, found: Iterable[str], limits: Limits) -> None:
    """Writes `_redirects`: the site's own lines, then these. Raises AdapterError for what the host refuses."""
    text = _after(build.own(REDIRECTS), [_HEAD, *ordered(found)])
    _check_redirects(text, limits)
    build.write(f"{published(build.site)}/{REDIRECTS}", text)


def write_headers(build: HostedBuild, headers: Mapping[str, Pairs], limits: Limits) -> None:
    """Writes `_headers`: the site's own rules, then these, less what the site says itself of all paths.

    Raises AdapterError for what the host refuses.
    """
    own = build.own(HEADERS)
    said = _said_of_all(own)
    found = [_HEAD]
    for path, pairs in headers.items():
        if told := [f"  {name}: {value}" for name, value in pairs if name.casefold() not in said]:
            found += [path, *told]
    text = _after(own, found)
    _check_headers(text, limits)
    build.write(f"{published(build.site)}/{HEADERS}", text)


def _after(own: str, found: list[str]) -> str:
    return (own if not own or own.endswith("\n") else f"{own}\n") + "\n".join(found) + "\n"


def _said_of_all(own: str) -> set[str]:
    """Names the headers that the site's own file gives every path: two values of one would be joined."""
    names: set[str] = set()
    path = ""
    for line in own.splitlines():
        if line.startswith("/"):
            path = line.strip()
        elif path == "/*" and not line.strip().startswith("#"):
            names.add(line.strip().removeprefix("! ").partition(":")[0].casefold())
    return names


def _rule_lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.strip().startswith("#"):
            yield number, line


def _check_redirects(text: str, limits: Limits) -> None:
    static = dynamic = 0
    for number, line in _rule_lines(text):
        # After the first rule with a placeholder, the host counts every other as one of them.
        if dynamic or _DYNAMIC.search(line.split()[0]):
            dynamic += 1
        else:
            static += 1
        _check_length(REDIRECTS, number, line, limits.redirect_line)
    for count, most, kind, which in (
        (static, limits.static, "static", "rules without a parameter"),
        (dynamic, limits.dynamic, "dynamic", "rules with a parameter, and what stands behind the first of them"),
    ):
        if most is not None and count > most:
            raise AdapterError(
                f"{REDIRECTS} would have {count:,} {kind} rules, and the host reads {most:,}",
                why=f"these are {which}; either form of a path is one",
                mend="let fewer of [redirects] say the same by a parameter"
                if kind == "static"
                else "write out what has few values, and put your own rules without parameters first",
                location=Location("site.toml"),
            )


def _check_headers(text: str, limits: Limits) -> None:
    rules = 0
    for number, line in _rule_lines(text):
        rules += not line.startswith((" ", "\t"))
        _check_length(HEADERS, number, line, limits.header_line)
    if limits.headers is not None and rules > limits.headers:
        raise AdapterError(
            f"{HEADERS} would have {rules:,} rules, and the host reads {limits.headers:,}",
            why="a page with headers of its own is a rule, as with [security] csp, which has hashes for each page",
            mend="give headers to whole folders by [headers], or render these pages on demand",
            location=Location("site.toml"),
        )


def _check_length(file: str, number: int, line: str, most: int | None) -> None:
    if most is not None and len(line) > most:
        what = f"line {number} of {file} would have {len(line):,} characters, and the host reads {most:,}"
        raise AdapterError(what, why=f'it begins with "{line[:60]}"', location=Location("site.toml"))


def routes_json(rules: Rules) -> str:
    """Gives `_routes.json`: which paths cost a run of the worker. All of them, where the host would refuse the list."""
    found: list[str] = []
    for rule in rules.at_origin:
        path = source(rule.widened(), rules.base)
        start = _DYNAMIC.search(path)
        found += [f"{path[: start.start()]}*"] if start else [path.rstrip("/") or "/", f"{path.rstrip('/')}/"]
    kept: list[str] = []
    for path in sorted(set(found), key=lambda path: (not path.endswith("*"), len(path), path)):
        if not any(other.endswith("*") and path.startswith(other[:-1]) for other in kept):
            kept.append(path)
    if rules.unknown_to_origin or len(kept) > _MOST_ROUTES or any(len(path) > _LONGEST_ROUTE for path in kept):
        kept = ["/*"]
    return json.dumps({"version": 1, "include": sorted(kept), "exclude": []}, indent=2) + "\n"
