"""The islands that a server answers: those of its build and of builds before it, and those of pages that it keeps."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from hybridsite.errors import SecretError, TemplateError
from hybridsite.island_memory import IslandMemory
from hybridsite.island_props import Island
from hybridsite.island_table import IslandTable
from hybridsite.manifest import Manifest
from hybridsite.previous import Islands, kept_islands
from hybridsite.security import NEW_SECRET, SECRET_VARIABLE, derived_key, signing_keys
from hybridsite.site import Site


def answered_islands(
    site: Site, manifest: Manifest, state: Path, environ: Mapping[str, str], carried: Islands
) -> IslandTable:
    """Gives the islands of a site whose cache is made; `carried` are those that a server has answered so far.

    Raises SecretError where pages that it keeps have some, and there is no secret for them.
    """
    before = {**carried, **kept_islands(state, time.time()), **manifest.islands}
    known = {
        digest: Island(component, props)
        for digest, (component, props) in before.items()
        if _is_there(site, component)  # those of earlier builds may be gone
    }
    kept = [resource for resource in site.resources.values() if resource.is_kept]
    if site.cache is None or not kept:
        return replace(site.islands, known=known)

    @cache
    def keys() -> tuple[bytes, ...]:
        return tuple(derived_key(key, "islands") for key in signing_keys(environ, state))

    if any(resource.closure is not None and resource.closure.islands for resource in kept):
        if site.settings.cache.driver == "redis" and not environ.get(SECRET_VARIABLE):
            raise SecretError(
                f"pages in a cache that several machines share have islands, and {SECRET_VARIABLE} is not set",
                why="each machine would name them by a secret of its own, and refuse the others'",
                mend=f"set the same on all of them; {NEW_SECRET}",
            )
        keys()  # else each page would tell what is wrong with it
    memory = IslandMemory(site.cache.store, keys, lambda component: _is_there(site, component))
    return replace(site.islands, known=known, key=lambda: keys()[0], memory=memory)


def _is_there(site: Site, component: str) -> bool:
    try:
        if component in site.templates.names():
            site.templates.closure(component, in_place=True)
            return True
    except TemplateError:
        pass  # nothing leads to it any more, and it doesn't parse
    return False
