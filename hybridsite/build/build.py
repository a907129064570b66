"""build_site(): the story of a build, in order."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from hybridsite import __version__
from hybridsite.adapters.adapter import find_adapter
from hybridsite.answers import SAFE_HEADERS
from hybridsite.assets.previous import keep_assets
from hybridsite.assets.table import NO_ASSETS
from hybridsite.build.assets import write_assets
from hybridsite.build.finishing import finish, public_file
from hybridsite.build.headers import with_header
from hybridsite.build.needs import needed_sources
from hybridsite.build.output import DIST, Output, build_lock
from hybridsite.build.plan import PlannedPage, plan
from hybridsite.build.report import BuildReport, RouteRow
from hybridsite.errors import (
    Answer,
    BuildError,
    Faults,
    Location,
    ModuleError,
    RouteError,
    ServeError,
    SiteError,
    SiteErrors,
    SourceError,
    TemplateError,
    frames_of,
    place_of,
)
from hybridsite.files import copied_files
from hybridsite.island_client import HEADERS, script, script_path
from hybridsite.manifest import MANIFEST, BuiltFile, Manifest, etag, read_manifest, server_sources
from hybridsite.media import media_type
from hybridsite.pages import plain_markdown
from hybridsite.previous import keep_islands
from hybridsite.rendering import render
from hybridsite.routes import ISLANDS
from hybridsite.security import derived_key, signing_keys
from hybridsite.site import Mode, Site, load_site, with_plan
from hybridsite.urls import PathRefused, RequestPath

_SENT_ANYWAY = frozenset({b"content-length", b"content-type"})


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What the command line says of a build; `dry` leaves dist/ alone."""

    drafts: bool = False
    strict: bool = False
    dry: bool = False


@dataclass(frozen=True, slots=True)
class Built:
    """What a build has written so far, aside: its pages as they were planned, its files, and the folder of them all."""

    site: Site
    pages: list[PlannedPage]
    files: list[BuiltFile]
    folder: Path


async def build_site(
    root: Path,
    state: Path,
    *,
    environ: Mapping[str, str],
    options: BuildOptions = BuildOptions(),
    waiting: Callable[[], None] = lambda: None,
    encoding: Callable[[int, int], None] = lambda done, all: None,
    review: Callable[[Built], Iterable[SiteError]] = lambda built: (),
) -> BuildReport:
    """Builds a site into its dist/, which is exchanged as a whole, or not touched at all.

    `waiting` is called where another build of the site is under way, `encoding` with how many of how many pictures are
    done, once that takes its time. `review` gives the faults of what was written. Raises SiteErrors with every fault of
    every page, or the only one as itself. With `strict`, an undefined session is a fault.
    """
    with build_lock(state, waiting):
        began = time.perf_counter()
        faults = Faults()
        names = list(server_sources(root))  # before they are read: what vanishes later is a fault
        mode, folder = Mode(prerendering=True, drafts=options.drafts), state / "cache" / "assets"
        site = load_site(root, mode, environ=environ, faults=faults, cache=folder)
        site = with_island_key(site, state, environ)
        adapter = find_adapter(site.settings.build.adapter)
        adapter.check(site, faults)
        pages = await plan(site, faults)
        site = with_plan(site, (page.segments for page in pages))
        with Output(site.root) as output:
            warnings = {warning.location: warning for warning in site.settings.warnings}
            files, rows = await _write_pages(site, pages, output, faults, warnings)
            _check_markdown(site, faults)
            files += _copy_files(site, pages, output, faults)
            made, assets = write_assets(site, output, files, faults, encoding)
            files += made
            files += _write_island_client(site, output)
            files += finish(site, pages, files, output, faults)
            told = tuple(adapter.finish(site, {file.file for file in files}, output.write))
            notices = site.notices.faults()
            reviewed = review(Built(site, pages, files, output.folder))
            for fault in (*(notices if options.strict else ()), *reviewed):
                faults.add(fault)
            faults.raise_any()
            errors = {page.match.route.status: page.output for page in pages if page.match.route.kind == "error"}
            sources = _copy_sources(site, names, output)
            site.islands.place_ahead(site.templates, site.resources.values(), site.languages)
            placed = {digest: (island.component, island.props) for digest, island in site.islands.placed.items()}
            manifest = Manifest(__version__, options.drafts, tuple(files), errors, sources, placed, assets or NO_ASSETS)
            output.write(MANIFEST, manifest.to_json())
            if not options.dry:
                _keep_previous(site, state)
                output.exchange()
    return BuildReport(tuple(rows), tuple(notices), (*warnings.values(), *told), time.perf_counter() - began)


def with_island_key(site: Site, state: Path, environ: Mapping[str, str]) -> Site:
    """Gives the site with the key of its islands' digests. Raises SecretError where it has islands and no secret."""
    key = cache(lambda: derived_key(signing_keys(environ, state)[0], "islands"))
    if site.templates.has_islands():
        key()  # else each page would tell what is wrong with it
    return replace(site, islands=replace(site.islands, key=key, placed={}))


def _write_island_client(site: Site, output: Output) -> list[BuiltFile]:
    """Writes the script that fills islands, if the site has any."""
    if not site.templates.has_islands():
        return []
    path = script_path()
    name, url = "/".join(path), site.policy.url("file", path)
    output.write(f"client/{name}", script())
    return [BuiltFile(url, name, media_type(name), etag(script()), HEADERS)]


def _keep_previous(site: Site, state: Path) -> None:
    """Keeps what the pages of the build before this one refer to."""
    try:
        before = read_manifest(site.root / DIST).islands
    except ServeError:
        before = {}
    try:
        keep_islands(state, before, time.time())
        keep_assets(state, site.root / DIST, time.time())
    except OSError as error:
        raise BuildError("what the last build gave out can't be kept", why=error.strerror or "") from error


async def _write_pages(
    site: Site,
    pages: list[PlannedPage],
    output: Output,
    faults: Faults,
    warnings: dict[Location | None, SiteError],
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
            if site.csp is not None and kind.startswith("text/html"):
                text, source = body.decode(), Location(page.match.route.source)
                own = with_header(own, "content-security-policy", site.csp.header_for_html(text))
                if source not in warnings and (blocked := site.csp.blocked(text)):
                    warnings[source] = _warning(blocked[0], page.url, source)
            files.append(BuiltFile(page.url, page.output, kind, etag(body), own, _alias(site, page), guard))
            output.write(files[-1].place, body)
            rows[page.match.route.source].add(len(body), time.perf_counter() - began)
    return files, list(rows.values())


def _check_markdown(site: Site, faults: Faults) -> None:
    """Renders the bodies of Markdown pages on demand, whose faults would be met by visitors."""
    for resource in site.resources.values():
        front, source = resource.front, resource.source
        if not resource.prerender and front is not None and source is not None and source.file.endswith(".md"):
            with faults.collect(*resource.route.files):
                if not front.jinja:
                    plain_markdown(site, resource)


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
        path = RequestPath(page.segments, site.policy.has_slash(page.match.route.kind, page.segments) is not False)
        response = await render(site, Request(scope), planned=page.match, path=path)
        return await _collect(response)
    except SiteError as error:
        raise error.at(place_of(error, str(site.root)) or Location(source)) from error
    except SiteErrors:  # each has its place
        raise
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


def _warning(attribute: str, url: str, source: Location) -> SiteError:
    shown = attribute if len(attribute) <= 60 else f"{attribute[:59]}…"
    why = f"it stands in {url}, and the Content-Security-Policy names no attributes"
    mend = "put it into a file or an element, or allow it: csp = { style-src-attr = [\"'unsafe-inline'\"] }"
    return TemplateError(f"no browser follows {shown}", why=why, mend=mend, location=source)


def _copy_files(site: Site, pages: list[PlannedPage], output: Output, faults: Faults) -> list[BuiltFile]:
    """Copies public/, and what lies beside pages and entries and is no text. A file that a page writes is a fault."""
    owners = {unicodedata.normalize("NFC", page.output).casefold(): page.match.route.source for page in pages}
    files: list[BuiltFile] = []
    for source, name in copied_files(site.root):
        path, shown = site.root / source, Location(source)
        with faults.collect():
            if not name.isprintable() and any("\ud800" <= character <= "\udfff" for character in name):
                raise SourceError("the file's name isn't text in UTF-8", mend="rename it", location=shown)
            if not path.resolve().is_relative_to(site.root):
                raise SourceError("the link leads out of the site", mend="copy the file into the site", location=shown)
            key = unicodedata.normalize("NFC", name).casefold()
            if key.startswith(f"{ISLANDS}/"):
                mend = "rename the folder"
                raise RouteError(f"names below /{ISLANDS}/ belong to islands", mend=mend, location=shown)
            try:
                site.policy.read(site.policy.url("file", tuple(name.split("/"))).encode("ascii"))
            except PathRefused:
                why = "no request can ask for it"
                raise SourceError("the file's name is no path", why=why, mend="rename it", location=shown) from None
            if key in owners:
                raise RouteError(f"{source} and {owners[key]} both write {name}", mend="rename one", location=shown)
            owners[key] = source
            try:
                if not path.is_file():  # a pipe would be waited for
                    raise SourceError("this is no file", location=shown)
                body = path.read_bytes()
            except OSError as error:
                raise BuildError("the file can't be read", why=error.strerror or "", location=shown) from error
            output.write(f"client/{name}", body)
            files.extend(public_file(site, name, body))
    return files


def _copy_sources(site: Site, names: list[str], output: Output) -> dict[str, str]:
    """Copies what rendering on demand needs into dist/server/, and gives each file with its hash."""
    sources: dict[str, str] = {}
    for name in needed_sources(site, names):
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
