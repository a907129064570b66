"""What a build does for [prefetch]: it writes the rules, and has every page name them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from hybridsite.assets.table import IMMUTABLE
from hybridsite.build.headers import sent_with, with_header
from hybridsite.build.output import Output
from hybridsite.build.plan import PlannedPage
from hybridsite.manifest import CLIENT, BuiltFile, etag
from hybridsite.media import media_type
from hybridsite.prefetch import HEADER, SUFFIX, rules, told_by
from hybridsite.routes import PREFETCH
from hybridsite.site import Site


def with_prefetch(
    site: Site, pages: Iterable[PlannedPage], files: Iterable[BuiltFile], output: Output
) -> list[BuiltFile]:
    """Gives the files of a build, each page with the header that names the rules, and the rules, which it writes."""
    if site.settings.prefetch.when == "never":
        return [*files]
    body = rules(site, ((page.match.route, page.segments) for page in pages))
    path = (PREFETCH, f"{hashlib.sha256(body).hexdigest()[:16]}{SUFFIX}")
    name, url = "/".join(path), site.policy.url("file", path)
    output.write(f"{CLIENT}/{name}", body)
    kind, headers = sent_with(site, path, media_type(name), body, (IMMUTABLE,))
    told = [
        replace(file, headers=with_header(file.headers, HEADER, told_by(url)))
        if file.type.startswith("text/html")
        else file
        for file in files
    ]
    return [*told, BuiltFile(url, name, kind, etag(body), headers)]
