"""How Caddy is told of a site: a file to be imported into a site's block that has `root * …/dist/client`.

What rules match is the path as it was sent, so nothing that was decoded comes into a Location.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hybridsite.adapters.adapter import HostedBuild
from hybridsite.adapters.rules import CACHED, Pairs, Rule, Rules, filled, header_rules, rules_of
from hybridsite.site import Site

CADDYFILE = "caddy/site.caddy"
_URI = "{http.request.orig_uri}"


def write_caddy(build: HostedBuild, origin: str | None) -> None:
    """Writes dist/caddy/: without an origin, for a site of files alone."""
    site: Site = build.site
    rules = rules_of(site)
    files = [file for file in build.files if file.guard is None]
    headers = header_rules(files, lambda file: f"/{file.file}")
    lines = ["# Written by hybridsite build.", "route {"]
    lines += _indented(_answers(site, rules, headers, origin))
    lines.append("}")
    if "404.html" in {file.file for file in files} and not rules.unknown_to_origin:
        lines += ["handle_errors {", *_indented(_lost(headers)), "}"]
    build.write(CADDYFILE, "\n".join(lines) + "\n")


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"\t{line}" for line in lines)


def _answers(site: Site, rules: Rules, headers: Mapping[str, Pairs], origin: str | None) -> Iterator[str]:
    """Yields what is done with a request, in order: redirects of one path, files, other forms, rules, the origin."""
    slash = site.policy.trailing_slash
    for number, rule in enumerate(rules.redirects):
        if not rule.is_dynamic:
            yield from _redirect(f"moved{number}", rule, rules.base)
    yield from ("@hidden {", "\tpath */.*", "\tnot path */.well-known/*", "}", "error @hidden 404")
    if rules.base:
        yield f"@outside not path {rules.base} {rules.base}/*"
        yield "error @outside 404"
        yield f"@home path {rules.base}"
        if slash == "always":
            yield f"redir @home {_quoted(f'{rules.base}/')} 308"
        else:
            yield from _handled("@home", iter(["rewrite * /index.html", *_sent(headers)]))
        yield f"uri strip_prefix {rules.base}"
    yield from _file("file", ["not path */", "file {path}"], "", headers)
    if slash != "never":
        yield from _file("folder", ["path */", "file {path}index.html"], "{path}index.html", headers)
    elif not rules.base:
        yield from _file("home", ["path /", "file /index.html"], "/index.html", headers)
    if slash != "always":
        yield from _file("page", ["not path */", "file {path}/index.html"], "{path}/index.html", headers)
    if slash == "always":
        yield from _other_form(
            ["not path */", "file {path}/index.html"], r"^((?:/[^/?\\]+)+)((?:\?.*)?)$", "{re.form.1}/{re.form.2}"
        )
    elif slash == "never":
        yield from _other_form(
            ["path */", "file {path}index.html"], r"^((?:/[^/?\\]+)+)/((?:\?.*)?)$", "{re.form.1}{re.form.2}"
        )
    for number, rule in enumerate(rules.rules):
        if rule.target is None and origin is not None:
            yield f"@origin{number} {_matcher(f'origin{number}', rule, rules.base)}"
            yield from _handled(f"@origin{number}", _proxied(origin))
        elif rule.target is not None and rule.is_dynamic:
            yield from _redirect(f"rule{number}", rule, rules.base)
    if rules.unknown_to_origin and origin is not None:
        yield from _proxied(origin)
    else:
        yield "error 404"


def _matcher(name: str, rule: Rule, base: str) -> str:
    pattern = rule.pattern(base).removesuffix("$") + r"((?:\?.*)?)$"
    return f"vars_regexp {name} {_URI} {_quoted(pattern)}"


def _redirect(name: str, rule: Rule, base: str) -> Iterator[str]:
    query = f"{{re.{name}.{len(rule.kinds) + 1}}}"
    text = filled(rule, lambda number: f"{{re.{name}.{number + 1}}}", query)
    yield f"@{name} {_matcher(name, rule, base)}"
    yield f"redir @{name} {_quoted(text)} {rule.status}"


def _other_form(matchers: list[str], pattern: str, to: str) -> Iterator[str]:
    yield from ("@form {", *(f"\t{matcher}" for matcher in matchers), "}")
    yield "@sent " + f"vars_regexp form {_URI} {_quoted(pattern)}"
    yield from _handled("@form", iter([f"redir @sent {_quoted(to)} 308", "error 404"]))


def _file(name: str, matchers: list[str], to: str, headers: Mapping[str, Pairs]) -> Iterator[str]:
    yield from (f"@{name} {{", *(f"\t{matcher}" for matcher in [*matchers, "method GET HEAD"]), "}")
    yield from _handled(f"@{name}", iter([*([f"rewrite * {to}"] if to else []), *_sent(headers)]))


def _lost(headers: Mapping[str, Pairs]) -> Iterator[str]:
    yield "@lost expression {http.error.status_code} == 404"
    yield from _handled("@lost", iter(["rewrite * /404.html", *_sent(headers)]))


def _handled(matcher: str, lines: Iterator[str]) -> Iterator[str]:
    return iter([f"handle {matcher} {{", *_indented(iter(["route {", *_indented(lines), "}"])), "}"])


def _sent(headers: Mapping[str, Pairs]) -> Iterator[str]:
    """Yields what sends a file: its headers, which go by its path below dist/client/, the more general first."""
    yield f"header {CACHED[0]} {_quoted(CACHED[1])}"
    for path, pairs in headers.items():
        for name, value in pairs:
            yield f"header {_quoted(path)} {name} {_quoted(value)}"
    yield "file_server {"
    yield "\tdisable_canonical_uris"
    yield "}"


def _proxied(origin: str) -> Iterator[str]:
    yield f"rewrite * {_URI}"
    if origin.startswith("http:"):
        yield f"reverse_proxy {origin}"
    else:
        yield from (f"reverse_proxy {origin} {{", "\theader_up Host {upstream_hostport}", "}")


def _quoted(text: str) -> str:
    escaped = text.replace('"', '\\"')
    return f'"{escaped}"'
