"""The adapter for Cloudflare Pages: its CDN gives out the files, a worker passes on what is answered on demand.

Its `_redirects` can't pass a request on to another host, so that needs a worker; `_routes.json` says for which paths it
runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from hybridsite.adapters.adapter import Adapter, Host, HostedBuild
from hybridsite.adapters.netlify import behind
from hybridsite.errors import AdapterError, Location, SiteError
from hybridsite.settings import Settings

if TYPE_CHECKING:
    from hybridsite.adapters.rules import Rules
    from hybridsite.manifest import BuiltFile
    from hybridsite.site import Site

WORKER = "_worker.js"
_COMPATIBLE = "2026-11-01"
_WORKER = """// Written by hybridsite build: passes on to the origin what isn't built.
const ORIGIN = {origin};
const ON_DEMAND = {patterns}.map((pattern) => new RegExp(pattern));

export default {{
  async fetch(request, env) {{
    const url = new URL(request.url);
    if (!ON_DEMAND.some((pattern) => pattern.test(url.pathname))) return env.ASSETS.fetch(request);
    if (request.method === "GET" || request.method === "HEAD") {{
      const file = await env.ASSETS.fetch(request.clone()); // a file goes before a rule
      if (file.ok || file.status === 304) return file;
    }}
    const target = new URL(ORIGIN); // its parts are set, since a path may begin with two slashes
    target.pathname = url.pathname;
    target.search = url.search;
    const asked = new Request(target, request);
    asked.headers.set("X-Forwarded-Host", url.host);
    asked.headers.set("X-Forwarded-Proto", url.protocol.slice(0, -1));
    const client = request.headers.get("CF-Connecting-IP");
    if (client) asked.headers.set("X-Forwarded-For", client);
    else asked.headers.delete("X-Forwarded-For");
    return fetch(asked, {{ redirect: "manual" }});
  }},
}};
"""
_NOT_FOUND = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Not Found</title>
</head>
<body>
<h1>404 Not Found</h1>
</body>
</html>
"""


class CloudflareAdapter(Adapter):
    """Pages reads what lies in the published folder; dist/wrangler.toml is for `wrangler pages deploy`."""

    claims = ("_redirects", "_headers")

    def host(self, settings: Settings) -> Host:
        """Tells what the server at the origin offers; without one, there are files alone."""
        return behind(settings)

    def finish(self, build: HostedBuild) -> Iterator[SiteError]:
        """Writes rules, worker and settings. Yields the redirects that are never taken, and those that no rule can
        say."""
        from hybridsite.adapters import underscore
        from hybridsite.adapters.rules import header_rules, rules_of, warnings

        site: Site = build.site
        rules = rules_of(site)
        origin = site.settings.build.origin
        yield from warnings(rules, build.files, has_origin=origin is not None)
        underscore.write_files(build)
        place = underscore.published(site)
        underscore.write_redirects(build, _lines(rules, build.files), underscore.CLOUDFLARE)
        underscore.write_headers(build, header_rules(build.files, lambda file: file.url), underscore.CLOUDFLARE)
        names = {file.file for file in build.files}
        if origin is not None and (rules.at_origin or rules.unknown_to_origin):
            for name in {WORKER, underscore.ROUTES} & names if not site.base else ():
                what, mend = (
                    f"public/{name} and the adapter both write {name}",
                    "take it out, or take [build] origin out",
                )
                raise AdapterError(what, mend=mend, location=Location(f"public/{name}"))
            build.write(f"{place}/{WORKER}", worker(rules, origin))
            build.write(f"{place}/{underscore.ROUTES}", underscore.routes_json(rules))
        has_page = "404.html" in names
        if site.base or not has_page:  # or the host would answer everything with the home page
            build.write(f"{place}/404.html", build.read("client/404.html") if has_page else _NOT_FOUND)
        build.write("wrangler.toml", _settings(site, place))


def _lines(rules: Rules, files: Iterable[BuiltFile]) -> Iterator[str]:
    """Yields the lines of `_redirects`. Both forms of a path are a line, and a rule goes before a file unless a line
    before it leads to the file."""
    from hybridsite.adapters import underscore

    yield from underscore.redirect_lines(rules, forms=True)
    dynamic = [re.compile(rule.pattern(rules.base)) for rule in rules.redirects if rule.is_dynamic and rule.is_sayable]
    for file in files if dynamic else ():
        if file.guard is None and any(pattern.match(file.url) for pattern in dynamic):
            yield f"{file.url} {file.url} 200"
            other = file.url.rstrip("/") if file.url.endswith("/") else f"{file.url}/"
            if file.file.endswith("/index.html"):
                yield f"{other} {file.url} 308"


def worker(rules: Rules, origin: str) -> str:
    """Gives `_worker.js`. It needs no word of [redirects]: where they meet a path on demand, the origin knows them."""
    patterns = ["^/"] if rules.unknown_to_origin else [rule.pattern(rules.base) for rule in rules.at_origin]
    lines = ",\n  ".join(map(json.dumps, patterns))
    return _WORKER.format(origin=json.dumps(origin), patterns=f"[\n  {lines},\n]")


def _settings(site: Site, place: str) -> str:
    """Gives wrangler's settings. The project's name is made from the site's host, or its title."""
    words = site.url.rpartition("://")[2] or site.title or "site"
    name = re.sub(r"[^a-z0-9]+", "-", words.casefold()).strip("-")[:58].strip("-") or "site"
    return (
        f"# Written by hybridsite build: `wrangler pages deploy` in this folder puts {place}/ online.\n"
        f'name = "{name}"\ncompatibility_date = "{_COMPATIBLE}"\npages_build_output_dir = "./{place}"\n'
    )
