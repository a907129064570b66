"""What the tests of the cache stand on: a site with kept pages, asked in this process by many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

from hybridsite.server.deployment import Deployment
from tests.e2e.support import write_site
from tests.inprocess import MEMORY, Answer, app_of, asked, scope_of

T = TypeVar("T")

KEPT = "---\nprerender: false\ncache: {%s}\n---\n"


def kept(policy: str = "max_age: 60") -> str:
    """Gives the front matter of a kept page."""
    return KEPT % policy


COUNTING = "turns = 0\ndef load(context):\n    global turns\n    turns += 1\n    return {'turns': turns}\n"
"""A module whose page can show how often it was rendered."""


def app_with(folder: Path, files: Mapping[str, str | bytes]) -> Deployment:
    """Writes and builds a site, and gives its application."""
    return app_of(write_site(folder, {"site.toml": MEMORY, **files}))


def counted(folder: Path, template: str = "<< turns >>", policy: str = "max_age: 60", **files: str) -> Deployment:
    """Gives a site with one kept page, `/`, that counts its turns."""
    named = {name.replace("__", "/").replace("_py", ".py"): text for name, text in files.items()}
    return app_with(folder, {"pages/index.html": kept(policy) + template, "pages/index.py": COUNTING, **named})


async def get(app: Deployment, target: str = "/", method: str = "GET", **headers: str) -> Answer:
    """Asks for a page; names of headers are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await asked(app, scope_of(target, method, named))


def running(work: Callable[[], Awaitable[T]]) -> T:
    """Runs all that a test asks on one loop, as a server would."""

    async def within() -> T:
        return await work()

    return asyncio.run(within())
