"""build_site(): the story of a build, in order."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from hybridsite import __version__
from hybridsite.answers import SAFE_HEADERS
from hybridsite.build.output import Output, build_lock
from hybridsite.build.plan import PlannedPage, plan
from hybridsite.build.report import BuildReport, RouteRow
from hybridsite.errors import (
    Answer,
    BuildError,
    Faults,
    Location,
    ModuleError,
    RouteError,
    SiteError,
    SourceError,
    frames_of,
    place_of,
)
from hybridsite.manifest import MANIFEST, BuiltFile, Manifest, etag, server_sources
from hybridsite.media import media_type
from hybridsite.rendering import render
from hybridsite.site import Mode, Site, load_site
from hybridsite.urls import PathRefused

_SENT_ANYWAY = frozenset({b"content-length", b"content-type"})


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What the command line says of a build."""

    drafts: bool = False
    strict: bool = False


async def build_site(
    root: Path,
    state: Path,
    *,
    environ: Mapping[str, str],
    options: BuildOptions = BuildOptions(),
    waiting: Callable[[], None] = lambda: None,
) -> BuildReport:
    """Builds a site into its dist/, which is exchanged as a whole, or not touched at all.

    `waiting` is called where another build of the site is under way. Raises SiteErrors with every fault of every page,
    or the only one as itself. With `strict`, an undefined session is a fault.
    """
    with build_lock(state, waiting):
        began = time.perf_counter()
        faults = Faults()
        names = list(server_sources(root))  # before they are read: what vanishes later is a fault
        site = load_site(root, Mode(prerendering=True, drafts=options.drafts), environ=environ, faults=faults)
        pages = await plan(site, faults)
        with Output(site.root) as output:
            files, rows = await _write_pages(site, pages, output, faults)
            files += _copy_public(site, pages, output, faults)
            notices = site.notices.faults()
            for notice in notices if options.strict else ():
                faults.add(notice)
            faults.raise_any()
            errors = {page.match.route.status: page.output for page in pages if page.match.route.kind == "error"}
            sources = _copy_sources(site, names, output)
            output.write(MANIFEST, Manifest(__version__, options.drafts, tuple(files), errors, sources).to_json())
            output.exchange()
    return BuildReport(tuple(rows), tuple(notices), site.settings.warnings, time.perf_counter() - began)


async def _write_pages(
    site: Site, pages: list[PlannedPage], output: Output, faults: Faults
) -> tuple[list[BuiltFile], list[RouteRow]]:
    files: list[BuiltFile] = []
    rows = {route.source: RouteRow.of(route, site) for route in site.router.routes}
    for page in pages:
        began = time.perf_counter()
        with faults.collect(*page.match.route.files):
            status, headers, body = await _answer(site, page)
            kind = _checked_type(page, status, headers)
            guard = page.match.route.source if site.resources[page.match.route.source].guard else None
            own = _own_headers(headers)
            files.append(BuiltFile(page.url, page.output, kind, etag(body), own, _alias(site, page), guard))
            output.write(files[-1].place, body)
            rows[page.match.route.source].add(len(body), time.perf_counter() - began)
    return files, list(rows.values())


def _alias(site: Site, page: PlannedPage) -> str | None:
    """Gives the other form of a page's URL, where the policy serves both."""
    kind = page.match.route.kind
    return (
        site.policy.url(kind, page.segments, slash=False)
        if site.policy.has_slash(kind, page.segments) is None
        else None
    )


async def _answer(site: Site, page: PlannedPage) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Renders one page by the same function as the server.

    Raises SiteError with the page's place, whatever went wrong.
    """
    scheme, _, host = (site.url or "http://localhost").partition("://")
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": scheme,
        "path": page.url,
        "raw_path": page.url.encode("ascii"),
        "query_string": b"",
        "headers": [(b"host", host.encode("idna"))],
        "server": (host, None),
    }
    source = page.match.route.source
    try:
        response = await render(site, Request(scope), planned=page.match)
        return await _collect(response)
    except SiteError as error:
        raise error.at(place_of(error, str(site.root)) or Location(source)) from error
    except Answer as error:
        raise RouteError(
            f"{type(error).__name__} was raised for {page.url}",
            why="a build writes pages that are there",
            mend="leave the path out of paths(), or give the page prerender: false",
            location=place_of(error, str(site.root)) or Location(source),
        ) from error
    except Exception as error:
        frames = frames_of(error, str(site.root)) or [Location(source)]
        way = f", by way of {' → '.join(map(str, frames[:-1]))}" if len(frames) > 1 else ""
        why = f"raised for {page.url}{way}"
        raise ModuleError(f"{type(error).__name__}: {error}", why=why, location=frames[-1]) from error


async def _collect(response: Response) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Runs a response, streamed ones too, into its status, headers and whole body."""
    body = bytearray()
    start: dict[str, object] = {}

    async def send(message: Mapping[str, object]) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        elif message["type"] == "http.response.body":
            chunk = message.get("body", b"")
            assert isinstance(chunk, bytes)
            body.extend(chunk)

    async def receive() -> Mapping[str, object]:
        return {"type": "http.disconnect"}

    await response({"type": "http", "method": "GET", "headers": []}, receive, send)  # type: ignore[arg-type]
    status, headers = start["status"], start["headers"]
    assert isinstance(status, int)
    assert isinstance(headers, list)
    return status, headers, bytes(body)


def _checked_type(page: PlannedPage, status: int, headers: list[tuple[bytes, bytes]]) -> str:
    route = page.match.route
    wanted = route.status if route.kind == "error" else 200
    if status != wanted:
        raise RouteError(
            f"{page.url} answers {status} at build",
            why=f"a file can stand for {wanted} alone",
            mend="give the page prerender: false",
            location=Location(route.module or route.source),
        )
    kind = next((value.decode("latin-1") for name, value in headers if name == b"content-type"), "")
    by_name = media_type(page.output)
    if by_name.partition(";")[0] != kind.partition(";")[0]:
        raise RouteError(
            f"{page.url} is {kind or 'of no type'}, and its name says {by_name}",
            why="a static host goes by the name",
            mend="name the file for what it holds: stats.json.py, feed.xml",
            location=route.location,
        )
    return kind


def _own_headers(headers: list[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in headers
        if name not in _SENT_ANYWAY and (name, value) not in SAFE_HEADERS
    )


def _copy_public(site: Site, pages: list[PlannedPage], output: Output, faults: Faults) -> list[BuiltFile]:
    """Copies public/. A file that a page writes too is a fault."""
    owners = {unicodedata.normalize("NFC", page.output).casefold(): page.match.route.source for page in pages}
    folder = site.root / "public"
    files: list[BuiltFile] = []
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        shown = Location(f"public/{name}")
        with faults.collect():
            if not name.isprintable() and any("\ud800" <= character <= "\udfff" for character in name):
                raise SourceError("the file's name isn't text in UTF-8", mend="rename it", location=shown)
            if not path.resolve().is_relative_to(site.root):
                raise SourceError("the link leads out of the site", mend="copy the file into the site", location=shown)
            key = unicodedata.normalize("NFC", name).casefold()
            try:
                site.policy.read(site.policy.url("file", tuple(name.split("/"))).encode("ascii"))
            except PathRefused:
                why = "no request can ask for it"
                raise SourceError("the file's name is no path", why=why, mend="rename it", location=shown) from None
            if key in owners:
                raise RouteError(
                    f"public/{name} and {owners[key]} both write {name}", mend="rename one", location=shown
                )
            owners[key] = f"public/{name}"
            try:
                if not path.is_file():  # a pipe would be waited for
                    raise SourceError("this is no file", location=shown)
                body = path.read_bytes()
            except OSError as error:
                raise BuildError("the file can't be read", why=error.strerror or "", location=shown) from error
            output.write(f"client/{name}", body)
            files.extend(_public_file(site, name, body))
    return files


def _public_file(site: Site, name: str, body: bytes) -> Iterator[BuiltFile]:
    """Yields how the server gives a public file out: index.html as its folder, no dot files but RFC 8615's."""
    segments = tuple(unicodedata.normalize("NFC", part) for part in name.split("/"))
    if any(part.startswith(".") for part in segments) and segments[0] != ".well-known":
        return
    tag, kind = etag(body), media_type(name)
    if segments[-1] == "index.html":
        yield BuiltFile(site.policy.url("page", segments[:-1]), name, kind, tag)
    else:
        yield BuiltFile(site.policy.url("file", segments), name, kind, tag)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if not path.is_dir() or path.is_symlink())


def _copy_sources(site: Site, names: list[str], output: Output) -> dict[str, str]:
    """Copies what rendering on demand needs into dist/server/, and gives each file with its hash."""
    sources: dict[str, str] = {}
    for name in names:
        if name in site.drafts:
            continue
        path = site.root / name
        if not path.resolve().is_relative_to(site.root):
            raise SourceError(
                "the link leads out of the site", mend="copy the file into the site", location=Location(name)
            )
        try:
            body = path.read_bytes()
        except OSError as error:  # it was there when the site was loaded
            why = error.strerror or ""
            raise BuildError("the file can't be read", why=why, location=Location(name)) from error
        output.write(f"server/{name}", body)
        sources[name] = etag(body).strip('"')
    return sources
