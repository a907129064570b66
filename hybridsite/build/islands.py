"""What a build does for islands: the key of their digests, their script, and what earlier builds gave out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from hybridsite.assets.previous import keep_assets
from hybridsite.build.output import Output
from hybridsite.build.store import Made
from hybridsite.errors import BuildError
from hybridsite.island_client import HEADERS, script, script_path
from hybridsite.manifest import BuiltFile, etag, read_islands
from hybridsite.media import media_type
from hybridsite.previous import Islands, keep_islands
from hybridsite.security import derived_key, signing_keys
from hybridsite.site import Site


def with_island_key(site: Site, state: Path, environ: Mapping[str, str]) -> Site:
    """Gives the site with the key of its islands' digests. Raises SecretError where it has islands and no secret."""
    key = cache(lambda: derived_key(signing_keys(environ, state)[0], "islands"))
    if site.templates.has_islands():
        key()  # else each page would tell what is wrong with it
    return replace(site, islands=replace(site.islands, key=key, placed={}))


def placed(site: Site, made: Iterable[Made]) -> Islands:
    """Gives the islands that pages refer to, by their digests: built ones, and those that are kept when asked for."""
    site.islands.place_ahead(site.templates, site.resources.values(), site.languages)
    found = {digest: (island.component, island.props) for digest, island in site.islands.placed.items()}
    for one in made:
        if one.islands:
            found |= {digest: (component, props) for digest, (component, props) in json.loads(one.islands).items()}
    return found


def write_client(site: Site, output: Output) -> list[BuiltFile]:
    """Writes the script that fills islands, if the site has any."""
    if not site.templates.has_islands():
        return []
    path = script_path()
    name, url = "/".join(path), site.policy.url("file", path)
    output.write(f"client/{name}", script())
    return [BuiltFile(url, name, media_type(name), etag(script()), HEADERS)]


def keep_given_out(dist: Path, state: Path, now: float) -> None:
    """Keeps what the pages of a build refer to, for those that browsers still show. Raises BuildError."""
    try:
        keep_islands(state, read_islands(dist), now)
        keep_assets(state, dist, now)
    except OSError as error:
        raise BuildError("what the last build gave out can't be kept", why=error.strerror or "") from error
