"""How nginx is told of a site: two files to be included, which give out dist/client/ and pass on the rest.

`maps.conf` belongs into nginx's `http`, `site.conf` into a `server` that has `root …/dist/client`. What is matched by
rules is the path as it was sent, so nothing that was decoded comes into a Location.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from hybridsite.adapters.adapter import HostedBuild
from hybridsite.adapters.rules import CACHED, GROUP, REST_GROUP, Pairs, Rule, Rules, filled, header_rules, rules_of
from hybridsite.manifest import BuiltFile
from hybridsite.site import Site
from hybridsite.urls import TrailingSlash

MAPS = "nginx/maps.conf"
SITE = "nginx/site.conf"
_HEAD = "# Written by hybridsite build."
# nginx has no escape for $: what stands in a `geo` is taken as it is.
_DOLLAR = "geo $hybridsite_dollar {\n  default $;\n}\n"
_ORIGIN = """location @hybridsite_origin {{
  proxy_pass {origin};
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host {host};
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_ssl_server_name on;
}}
"""


def write_nginx(build: HostedBuild, origin: str | None) -> None:
    """Writes dist/nginx/: without an origin, for a site of files alone."""
    site: Site = build.site
    rules = rules_of(site)
    files = [file for file in build.files if file.guard is None]
    headers = header_rules(files, lambda file: f"/{file.file}")
    names = list(dict.fromkeys([*(name for pairs in headers.values() for name, _ in pairs), CACHED[0]]))
    build.write(MAPS, "\n".join([_HEAD, *_maps(rules, headers, names)]))
    has_page = "404.html" in {file.file for file in files}
    build.write(SITE, "\n".join([_HEAD, *_server(site, rules, files, names, origin, has_page)]))


def _maps(rules: Rules, headers: Mapping[str, Pairs], names: Sequence[str]) -> Iterator[str]:
    yield _DOLLAR
    # The path as it was sent, and without its last slash. One with an empty segment, which a browser could take for
    # another host in a Location, is none.
    for name, end in (("path", "/?)(?:\\\\?|$)"), ("bare", ")/(?:\\\\?|$)")):
        yield (
            f'map $request_uri $hybridsite_{name} {{\n  default "";\n'
            f'  "~^(?<hybridsite_{name}_sent>(?:/[^/?\\\\\\\\]+)*{end}" $hybridsite_{name}_sent;\n}}\n'
        )
    moved = [rule for rule in rules.redirects if not rule.is_dynamic]
    other = [rule for rule in rules.rules if rule.target is None or rule.is_dynamic]
    yield _map("$hybridsite_path", "$hybridsite_moved", (_answer(rule, rules.base) for rule in moved))
    yield _map("$hybridsite_path", "$hybridsite_other", (_answer(rule, rules.base) for rule in other))
    for number, name in enumerate(names):
        found = ((path, dict(pairs).get(name)) for path, pairs in headers.items())
        lines = [(_key(path), _text(value)) for path, value in found if value is not None]
        if name == CACHED[0] and "/*" not in headers_with(headers, name):
            lines.insert(0, ("default", _text(CACHED[1])))
        yield _map("$uri", f"$hybridsite_header_{number}", lines)


def headers_with(headers: Mapping[str, Pairs], name: str) -> list[str]:
    """Gives the paths whose headers have a name."""
    return [path for path, pairs in headers.items() if name in dict(pairs)]


def _map(given: str, variable: str, pairs: Iterable[tuple[str, str]]) -> str:
    lines = "".join(f"  {key} {value};\n" for key, value in pairs)
    return f'map {given} {variable} {{\n  default "";\n{lines}}}\n'.replace('  default "";\n  default', "  default")


def _key(path: str) -> str:
    if path == "/*":
        return "default"
    pattern = f"^{re.escape(path[:-1])}" if path.endswith("/*") else f"^{re.escape(path)}$"
    return _quoted(f"~{pattern}")


def _answer(rule: Rule, base: str) -> tuple[str, str]:
    """Gives a line of a map: a pattern of paths, and `origin`, or a status with where it leads."""
    pattern = rule.pattern(base)
    for number, kind in enumerate(rule.kinds):
        group = REST_GROUP if kind == "rest" else GROUP
        pattern = pattern.replace(group, f"(?<hybridsite_p{number}>{group[1:]}", 1)
    key = _quoted(f"~{pattern}")
    if rule.target is None:
        return key, "origin"
    dollar = rule.target.replace("$", "${hybridsite_dollar}")
    text = filled(replace(rule, target=dollar), lambda number: f"${{hybridsite_p{number}}}", "$is_args$args")
    return key, _quoted(f"{rule.status} {text}")


def _text(value: str) -> str:
    return _quoted(value.replace("$", "${hybridsite_dollar}"))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _server(
    site: Site, rules: Rules, files: Sequence[BuiltFile], names: Sequence[str], origin: str | None, has_page: bool
) -> Iterator[str]:
    base = re.escape(rules.base)
    lost = "error_page 404 /404.html;" if has_page and not rules.unknown_to_origin else ""
    headers = [f"  add_header {name} $hybridsite_header_{number} always;" for number, name in enumerate(names)]
    yield "absolute_redirect off;\ncharset utf-8;"
    yield "charset_types text/css text/plain text/xml application/json text/javascript;"
    yield _types(files)
    yield lost
    yield 'if ($hybridsite_path = "") {\n  return 404;\n}'
    for status in sorted({rule.status for rule in rules.redirects if not rule.is_dynamic}):
        yield f'if ($hybridsite_moved ~ "^{status} (?<hybridsite_to>.*)$") {{\n  return {status} $hybridsite_to;\n}}'
    yield "location ~ /\\.(?!well-known/) {\n  return 404;\n}"
    folder, file = _tried(site.policy.trailing_slash)
    for pattern, tried in (
        ("(?<hybridsite_folder>/(?:.*/)?)", folder),
        ("(?<hybridsite_file>/.*[^/])", file),
    ):
        yield "\n".join([f'location ~ "^{base}{pattern}$" {{', f"  try_files {tried} @hybridsite;", *headers, "}"])
    yield from _root(site, rules, headers)
    if has_page:
        yield "\n".join(["location = /404.html {", "  internal;", *headers, "}"])
    if rules.base:
        yield "location / {\n  return 404;\n}"
    yield _missing(site.policy.trailing_slash, rules, origin, lost)
    if origin is not None:
        host = "$http_host" if origin.startswith("http:") else "$proxy_host"
        yield _ORIGIN.format(origin=origin, host=host)


def _root(site: Site, rules: Rules, headers: list[str]) -> Iterator[str]:
    """Yields what answers the home page where its address isn't that of a folder."""
    slash = site.policy.trailing_slash
    if slash == "never" and not rules.base:
        yield "\n".join(["location = / {", "  try_files /index.html @hybridsite;", *headers, "}"])
    elif rules.base and slash == "always":
        yield f"location = {rules.base} {{\n  return 308 {rules.base}/$is_args$args;\n}}"
    elif rules.base:
        yield "\n".join([f"location = {rules.base} {{", "  try_files /index.html @hybridsite;", *headers, "}"])


def _tried(slash: TrailingSlash) -> tuple[str, str]:
    """Gives what is tried for a path that ends with a slash, and for one that doesn't."""
    page, bare = "${hybridsite_folder}index.html", "$hybridsite_file"
    if slash == "always":
        return page, bare
    return (page if slash == "ignore" else "/.none"), f"{bare} {bare}/index.html"


def _missing(slash: TrailingSlash, rules: Rules, origin: str | None, lost: str) -> str:
    """Gives what answers where there is no file: the other form of a path, a redirect, the origin, or nothing."""
    lines = ["location @hybridsite {", *([f"  {lost}"] if lost else [])]
    if slash == "always":
        lines += _other_form("hybridsite_file", "/index.html", "$hybridsite_path/$is_args$args")
    elif slash == "never":
        lines += _other_form("hybridsite_folder", "index.html", "$hybridsite_bare$is_args$args")
    for status in sorted({rule.status for rule in rules.redirects if rule.is_dynamic}):
        lines.append(f'  if ($hybridsite_other ~ "^{status} (?<hybridsite_to>.*)$") {{')
        lines += [f"    return {status} $hybridsite_to;", "  }"]
    if origin is not None:
        lines.append("  error_page 418 = @hybridsite_origin;")
        lines += (
            ["  return 418;"]
            if rules.unknown_to_origin
            else ["  if ($hybridsite_other = origin) {", "    return 418;", "  }"]
        )
    return "\n".join([*lines, *([] if origin is not None and rules.unknown_to_origin else ["  return 404;"]), "}"])


def _other_form(variable: str, end: str, to: str) -> list[str]:
    return [
        f'  set $hybridsite_form "$document_root${{{variable}}}{end}";',
        f'  if (${variable} = "") {{',
        '    set $hybridsite_form "";',
        "  }",
        "  if (-f $hybridsite_form) {",
        f"    return 308 {to};",
        "  }",
    ]


def _types(files: Sequence[BuiltFile]) -> str:
    """Gives the types of the files by the ends of their names, as the server sends them."""
    found: dict[str, str] = {}
    for file in sorted(files, key=lambda file: file.file):
        end = PurePosixPath(file.file).suffix[1:]
        if re.fullmatch(r"[A-Za-z0-9]+", end):
            found.setdefault(end.lower(), file.type.partition(";")[0].strip())
    lines = "".join(f"  {kind} {end};\n" for end, kind in sorted(found.items()))
    return f"types {{\n{lines}}}\ndefault_type application/octet-stream;"
