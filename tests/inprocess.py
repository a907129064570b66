"""What tests in one process stand on: a site that is built and asked without a socket between."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp

from hybridsite.asking import Answer as Answer
from hybridsite.asking import asked as asked
from hybridsite.asking import scope_of as scope_of
from hybridsite.build.build import BuildOptions, build_site
from hybridsite.build.rows import BuildReport
from hybridsite.server.deployment import Deployment, create_app
from hybridsite.site import Mode, Site, load_site
from tests.e2e.support import SECRET, write_site

ENVIRON: Mapping[str, str] = {"HYBRIDSITE_SECRET": SECRET}
MEMORY = '[session]\ndriver = "memory"\n'
ON_DEMAND = "---\nprerender: false\n---\n"


def ask(
    app: ASGIApp,
    target: str | bytes,
    method: str = "GET",
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Answer:
    """Sends one request on a loop of its own."""
    return asyncio.run(asked(app, scope_of(target, method, headers), body))


def request(target: str | bytes = "/", method: str = "GET", headers: Mapping[str, str] | None = None) -> Request:
    """Gives a request as the server makes it."""
    return Request(scope_of(target, method, headers))


def built_here(root: Path, **options: Any) -> BuildReport:
    """Builds a site in this process, with what BuildOptions has."""
    return build_site(root, root / ".hybridsite", environ=ENVIRON, options=BuildOptions(**options))


def app_of(root: Path) -> Deployment:
    """Builds a site and gives its application."""
    built_here(root)
    return create_app(root, environ=ENVIRON)


def loaded(folder: Path, files: Mapping[str, str | bytes], *, prerendering: bool = False) -> Site:
    """Writes a site and loads it."""
    return load_site(write_site(folder, files), Mode(prerendering=prerendering), environ=ENVIRON)
