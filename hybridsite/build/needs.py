"""What of a site's content goes into dist/server/: nothing where nothing on demand could ask for it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hybridsite.declarations import COLLECTIONS_FILE, CONTENT_FOLDER
from hybridsite.media import media_type
from hybridsite.site import Site

# Code may open a file of content/ by itself, too.
_ASKS = re.compile(rb"\bcollection\b|\bcontent[/'\"]")
_RENDERS = re.compile(rb"\brender\b")
_FILES_OF_THEIR_OWN = ("image/", "video/", "audio/", "font/")


def needed_sources(site: Site, names: Iterable[str]) -> list[str]:
    """Gives those of a site's sources, by name, that rendering on demand needs.

    Drafts, what is dated in the future, and pictures beside entries are never among them.
    """
    named = list(names)
    kept = [name for name in named if name not in site.drafts and name not in site.content.left_out]
    if not _serves_content(site, named):
        return [name for name in kept if name != COLLECTIONS_FILE and not name.startswith(f"{CONTENT_FOLDER}/")]
    return [name for name in kept if not (name.startswith(f"{CONTENT_FOLDER}/") and _is_file_of_its_own(name))]


def _is_file_of_its_own(name: str) -> bool:
    return media_type(name).startswith(_FILES_OF_THEIR_OWN)


def _serves_content(site: Site, names: Iterable[str]) -> bool:
    """Tells whether something on demand may ask for a collection: in doubt, as with a plugin's route, yes."""
    named = frozenset(names)
    prerendered = {file for resource in site.resources.values() if resource.prerender for file in resource.route.files}
    for resource in site.resources.values():
        of_plugin = resource.module is not None and resource.module.file not in named
        if not resource.prerender and (resource.asks_for_content or of_plugin):
            return True
        # The pieces of a page are rendered when it is looked at, wherever the page itself is.
        for component in resource.closure.islands if resource.closure else ():
            piece = site.templates.closure(component, in_place=True)
            if piece.dynamic or piece.uses_content:
                return True
    # Python may ask by itself, or render a template that does: what it says decides, wherever it is called from.
    modules = [
        name for name in sorted(named) if name.endswith(".py") and name != COLLECTIONS_FILE and name not in prerendered
    ]
    texts = [(site.root / name).read_bytes() for name in modules]
    if any(_ASKS.search(text) for text in texts):
        return True
    renders = any(_RENDERS.search(text) for text in texts)
    return renders and any(
        (facts := site.templates.facts(name)) and facts.uses_content for name in site.templates.names()
    )
