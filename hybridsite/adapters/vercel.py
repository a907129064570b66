"""The adapter for Vercel: the files for its CDN, the rules of its router, and one Python function for all the rest.

The format is the Build Output API, version 3: https://vercel.com/docs/build-output-api/v3. The function has the
whole site, and answers rightly whatever it is asked; the rules only have to give it what isn't a file as it stands.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridsite.adapters.adapter import FUNCTION, Adapter, Host, HostedBuild
from hybridsite.assets.table import FOLDER as ASSETS
from hybridsite.config import setting_locations
from hybridsite.errors import AdapterError, BuildError, Faults, SiteError
from hybridsite.settings import Settings

if TYPE_CHECKING:
    from hybridsite.adapters.rules import Rules
    from hybridsite.manifest import BuiltFile
    from hybridsite.site import Site

FOLDER = ".vercel"
FUNCTION_NAME = "_hybridsite"
ENTRY = "vc__handler__python.py"
RUNTIME = ("vercel-runtime>=0.24",)
# https://vercel.com/docs/limits: routes of a deployment
_MOST_ROUTES = 2048
_SITE = '''"""Written by hybridsite build: the site, for Vercel's runtime."""

import os
from pathlib import Path

from hybridsite.serverless import function_app

app = function_app(Path(__file__).resolve().parent / "dist", os.environ)
'''
# What Vercel's own builder writes for a Python function: the runtime finds the site by these variables.
_ENTRY = '''"""Written by hybridsite build: hands the site to Vercel's runtime."""

import os
import site
import sys

here = os.path.dirname(os.path.abspath(__file__))
os.environ.update(
    {
        "__VC_HANDLER_MODULE_NAME": "hybridsite_app",
        "__VC_HANDLER_ENTRYPOINT": "hybridsite_app.py",
        "__VC_HANDLER_ENTRYPOINT_ABS": os.path.join(here, "hybridsite_app.py"),
        "__VC_HANDLER_VENDOR_DIR": "_vendor",
        "__VC_HANDLER_VARIABLE_NAME": "app",
    }
)
site.addsitedir(os.path.join(here, "_vendor"))
sys.path.insert(0, os.path.join(here, "_vendor"))

from vercel_runtime.vc_init import vc_handler
'''
# Types that Vercel gives by the name of a file, and that are the same as ours.
_KNOWN = (".avif", ".css", ".gif", ".html", ".ico", ".jpg", ".js", ".png", ".svg", ".txt", ".webp", ".woff2")
# No group but this: where it leads is never another host, since no segment is empty or holds a backslash.
_WITHOUT_SLASH = r"^((?:/[^/\\]+)*/[^/.\\]+)$"
# Each ends with "$", since Vercel's own reader of rules puts one behind those that don't.
_ODD = r"^(?:/.*(?://|\\|%)|//).*$"
Route = dict[str, Any]


class VercelAdapter(Adapter):
    """`vercel deploy --prebuilt` puts .vercel/output/ online."""

    def host(self, settings: Settings) -> Host:
        """Tells that nothing stays there: neither process nor files."""
        return FUNCTION

    def check(self, site: Any, faults: Faults) -> None:
        """Adds a fault for a Python that Vercel doesn't have."""
        if site.settings.build.function.python == "3.11":
            mend = 'use "3.12" or later'
            place = setting_locations(site.root).get(("build", "function", "python"))
            faults.add(AdapterError("Vercel has no Python 3.11", mend=mend, location=place))

    def finish(self, build: HostedBuild) -> Iterator[SiteError]:
        """Installs the function's packages. Yields the redirects that are never taken, and those that no rule can say.

        Raises AdapterError where there are more rules than Vercel takes, or the function is too large.
        """
        from hybridsite.adapters.functions import check_size, is_asked, packages_of
        from hybridsite.adapters.rules import rules_of, warnings

        asked = is_asked(build.site)
        rules = rules_of(build.site)
        yield from warnings(rules, build.files, has_origin=True)  # every pattern is a regular expression here
        _check_number(build.site, routes(build.site, rules, build.files, asked=asked))
        if asked:
            check_size(build, _inside(build.site), packages_of(build.site, RUNTIME))

    def placed(self, site: Any, dist: Path) -> Iterable[Path]:
        """Writes .vercel/output/: config.json, static/, and the function where there is anything to ask."""
        from hybridsite.adapters.functions import is_asked, packages_of, write_beside, write_function
        from hybridsite.adapters.rules import rules_of
        from hybridsite.manifest import read_manifest

        asked = is_asked(site)
        files = read_manifest(dist).files
        output = Path(site.root) / FOLDER / "output"
        packages = packages_of(site, RUNTIME) if asked else None
        config = {
            "version": 3,
            "routes": routes(site, rules_of(site), files, asked=asked),
            "overrides": dict(_overrides(site, files)),
        }
        try:
            shutil.rmtree(output, ignore_errors=True)
            static = output / "static" / site.base.strip("/")
            static.mkdir(parents=True)
            if (dist / "client").is_dir():  # a site may have no file at all
                shutil.copytree(dist / "client", static, dirs_exist_ok=True)
            (output / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")
        except OSError as error:
            raise BuildError(f"{output} can't be written", why=error.strerror or str(error)) from error
        if asked:
            folder = output / "functions" / f"{FUNCTION_NAME}.func"
            write_function(site, dist, folder, _inside(site), packages)
            write_beside(site, output.parent, packages, RUNTIME)
        return [output / "config.json"]


def _inside(site: Site) -> dict[str, str]:
    """Gives what the function has besides the site and its packages, by name."""
    return {ENTRY: _ENTRY, "hybridsite_app.py": _SITE, ".vc-config.json": _function(site)}


def _function(site: Site) -> str:
    """Gives .vc-config.json: https://vercel.com/docs/build-output-api/primitives#vercel-functions."""
    chosen = site.settings.build.function
    settings = {
        "runtime": f"python{chosen.python}",
        "handler": "vc__handler__python.vc_handler",
        "architecture": chosen.architecture,
        "environment": {"PYTHONPATH": "_vendor", "PYTHONDONTWRITEBYTECODE": "1"},
        "supportsResponseStreaming": True,
    }
    return json.dumps(settings, indent=1) + "\n"


def routes(site: Site, rules: Rules, files: Sequence[BuiltFile], *, asked: bool) -> list[Route]:
    """Gives the rules of Vercel's router, in order.

    With a function all that may be no file's address goes there, before the headers of files are given: it has the
    redirects, the other forms of addresses, and the page for what isn't there.
    """
    if not asked:
        return [*_headers(site, files), *_of_files(site, rules, files)]
    slash = site.settings.routing.trailing_slash
    sources = [rule.pattern(rules.base) for rule in rules.rules if rule.target is None]
    sources += [_ODD] + ([] if slash == "ignore" else [_WITHOUT_SLASH if slash == "always" else "^/.+/$"])
    to = {"dest": f"/{FUNCTION_NAME}"}
    asking = [{"src": source, **to} for source in sources]
    return [*asking, *_headers(site, files), {"handle": "filesystem"}, {"src": "^/.*$", **to}]


def _of_files(site: Site, rules: Rules, files: Sequence[BuiltFile]) -> Iterator[Route]:
    """Yields the rules of a site without a function: forms of an address, files, redirects, what isn't there."""
    from hybridsite.adapters.rules import filled

    slash = site.settings.routing.trailing_slash
    if slash == "always":
        for file in files:
            if not file.url.endswith("/") and "." not in file.url.rpartition("/")[2]:
                yield {**_exactly(f"^{re.escape(file.url)}$"), "dest": file.url}
        yield {"src": _WITHOUT_SLASH, "status": 308, "headers": {"Location": "$1/"}}
    elif slash == "never":
        yield {"src": r"^(/[^/\\].*[^/\\]|/[^/\\])/$", "status": 308, "headers": {"Location": "$1"}}
    yield {"handle": "filesystem"}
    for rule in rules.redirects:
        to = filled(rule, lambda number: f"${number + 1}", "")
        yield {**_exactly(rule.pattern(rules.base)), "status": rule.status, "headers": {"Location": to}}
    if any(file.file == "404.html" for file in files):
        yield {"handle": "error"}
        yield {"src": "^/.*$", "status": 404, "dest": f"{site.base}/404.html"}


def _headers(site: Site, files: Sequence[BuiltFile]) -> Iterator[Route]:
    """Yields the headers of files: the safe ones for all, then what each has of its own; of what is fingerprinted,
    which nothing else lies among, by one pattern."""
    from hybridsite.adapters.rules import headers_of
    from hybridsite.answers import SAFE_HEADERS

    safe = {name.decode().title(): value.decode() for name, value in SAFE_HEADERS}
    yield {"src": "^/.*$", "headers": safe, "continue": True}
    assets = f"{site.base}/{ASSETS}/"
    own = {file.url: dict(headers_of(file)) for file in files if file.guard is None}
    shared = [headers for url, headers in own.items() if url.startswith(assets)]
    alike = shared and all(headers == shared[0] for headers in shared)
    if alike:
        yield {**_exactly(f"^{re.escape(assets)}.*$"), "headers": shared[0], "continue": True}
    for url, headers in own.items():
        if headers != safe and not (alike and url.startswith(assets)):
            yield {**_exactly(f"^{re.escape(url)}$"), "headers": headers, "continue": True}


def _exactly(source: str) -> Route:
    """Gives a rule's pattern where case counts, as it does on the server: Vercel's router looks past it otherwise."""
    return {"src": source, "caseSensitive": True}


def _overrides(site: Site, files: Iterable[BuiltFile]) -> Iterator[tuple[str, Route]]:
    """Yields the types of files that Vercel wouldn't know by their names."""
    base = site.base.strip("/")
    for file in files:
        if file.guard is None and not file.file.endswith(_KNOWN):
            yield f"{base}/{file.file}".lstrip("/"), {"contentType": file.type}


def _check_number(site: Site, found: list[Route]) -> None:
    if len(found) > _MOST_ROUTES:
        what = f"the site needs {len(found):,} rules of Vercel's router, and it takes {_MOST_ROUTES:,}"
        why = "each redirect is one, and so is each file with headers of its own"
        mend = "take headers out, or let pages with headers be rendered on demand"
        raise AdapterError(what, why=why, mend=mend, location=setting_locations(site.root).get(("build", "adapter")))
