"""The end of a build: plugins see what was written, and add files of their own."""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Callable, Iterable, Iterator

from hybridsite.build.headers import sent_with
from hybridsite.build.output import Output
from hybridsite.build.plan import PlannedPage
from hybridsite.errors import Faults, PluginError
from hybridsite.manifest import CLIENT, BuiltFile, etag
from hybridsite.media import media_type
from hybridsite.plugins import BuiltPage, FinishedBuild, Progress
from hybridsite.site import Site
from hybridsite.urls import PathRefused


def finish(
    site: Site,
    pages: Iterable[PlannedPage],
    files: Iterable[BuiltFile],
    output: Output,
    faults: Faults,
    turn: Callable[[str], None],
    progress: Progress,
) -> list[BuiltFile]:
    """Shows the plugins what was written, and gives the files that they add. A build with faults is not shown.

    `turn` is told whose turn it is.
    """
    added: list[BuiltFile] = []
    if not site.plugins.see_builds or faults:
        return added
    taken: dict[str, bool] = {_key(file.file): file.guard is None for file in files}

    def add(name: str, body: bytes) -> None:
        if posixpath.normpath(name) != name or name.startswith(("/", "../")) or "\\" in name or not name.isprintable():
            raise PluginError(f'"{name}" is no path below dist/client/')
        if _key(name) in taken:
            raise PluginError(f"{name} is written twice", mend="leave one of them out")
        try:
            added.extend(public_file(site, name, body))
        except PathRefused:
            raise PluginError(f'"{name}" is no path that a request can ask for') from None
        taken[_key(name)] = True
        output.write(f"{CLIENT}/{name}", body)

    def read(name: str) -> bytes:
        if not taken.get(_key(name)):
            raise PluginError(f"there is no {name} in dist/client/", mend="the pages of the build have their files")
        return output.read(f"{CLIENT}/{name}")

    with faults.collect():
        build = FinishedBuild(site, [built_page(site, page) for page in pages], read=read, add=add, progress=progress)
        site.plugins.built(build, turn)
    return added


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def built_page(site: Site, page: PlannedPage) -> BuiltPage:
    """Gives a page as plugins see it."""
    route, resource = page.match.route, site.resources[page.match.route.source]
    match = page.match
    return BuiltPage(
        page.url,
        page.output,
        route.kind,
        route.source,
        match.params,
        match.props,
        resource.page,
        resource.guard,
        page.stands_in,
    )


def public_file(site: Site, name: str, body: bytes) -> Iterator[BuiltFile]:
    """Yields how the server gives a file out: index.html as its folder, no dot files but RFC 8615's.

    Raises PathRefused for a name that no request can ask for.
    """
    segments = tuple(unicodedata.normalize("NFC", part) for part in name.split("/"))
    site.policy.read(site.policy.url("file", segments).encode("ascii"))
    if any(part.startswith(".") for part in segments) and segments[0] != ".well-known":
        return
    tag, kind = etag(body), media_type(name)
    is_page = segments[-1] == "index.html"
    url = site.policy.url("page", segments[:-1]) if is_page else site.policy.url("file", segments)
    kind, headers = sent_with(site, segments[:-1] if is_page else segments, kind, body)
    yield BuiltFile(url, name, kind, tag, headers)
