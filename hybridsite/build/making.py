"""One page of a build, made: rendered by the same function as the server, checked, and written."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, Protocol

from starlette.requests import Request
from starlette.responses import Response

from hybridsite.answers import SAFE_HEADERS
from hybridsite.build.headers import with_header
from hybridsite.build.plan import PlannedPage
from hybridsite.build.store import Made, Place, Told
from hybridsite.build.traces import reads, trace
from hybridsite.build.unprinted import unprinted
from hybridsite.entries import Entries
from hybridsite.errors import (
    Answer,
    Faults,
    Location,
    ModuleError,
    RouteError,
    SiteError,
    SiteErrors,
    TemplateError,
    frames_of,
    place_of,
)
from hybridsite.listings import Pagination
from hybridsite.manifest import BuiltFile, etag
from hybridsite.media import media_type
from hybridsite.rendering import render
from hybridsite.site import Site
from hybridsite.urls import RequestPath
from hybridsite.used import EVERYTHING, Notes, noting

_SENT_ANYWAY = frozenset({b"content-length", b"content-type"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one page: what was made, or why not; files outside of the site that it read, each with when.

    `spent` has the seconds of its templates, where they are watched.
    """

    made: Made | None
    faults: tuple[SiteError, ...] = ()
    outside: Mapping[str, int] = field(default_factory=dict)
    spent: Mapping[str, float] = field(default_factory=dict)


class Sink(Protocol):
    """Where a page is put: the output of a build, or what stands in its place on another machine."""

    def write(self, name: str, body: bytes) -> Place:
        """Takes a page; `name` is its path below dist/."""


class Page(NamedTuple):
    """A page as it is given out: its type, the headers of its own, and its body."""

    type: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class _Answer(NamedTuple):
    """What a page answered: status, headers and whole body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


async def make(site: Site, page: PlannedPage, output: Sink) -> Outcome:
    """Renders a page and writes it. What is wrong with the site is in the outcome; what is wrong with the disk raises.

    Raises BuildError.
    """
    began = time.perf_counter()
    faults = Faults()
    with noting() as used, faults.collect(*page.match.route.files):
        given = await rendered(site, page)
    try:
        faults.raise_any()
    except SiteErrors as several:
        return Outcome(None, several.faults)
    except SiteError as fault:
        return Outcome(None, (fault,))
    warnings = tuple(_warnings(site, page, used, given)) if given.type.startswith("text/html") else ()
    made = Made(
        page=identity(site, page),
        trace=(traced := trace(site, page.match.route, used.keys)),
        reads={} if traced == (EVERYTHING,) else reads(used.fields),
        place=output.write(page.place, given.body),
        etag=etag(given.body),
        type=given.type,
        headers=given.headers,
        seconds=time.perf_counter() - began,
        notices=tuple(used.notices),
        warnings=warnings,
        assets=tuple(used.assets),
        islands=json.dumps(used.islands) if used.islands else "",
    )
    return Outcome(made, outside={key: when for key, when in used.keys.items() if key.startswith("/")})


async def rendered(site: Site, page: PlannedPage) -> Page:
    """Renders a page as a build does, with its checks and headers. Raises SiteError and SiteErrors."""
    answer = await _answer(site, page)
    kind, headers = _checked_type(page, answer), _own_headers(answer.headers)
    if site.csp is not None and kind.startswith("text/html"):
        policy = site.csp.header_for_html(answer.body.decode())
        headers = with_header(headers, "content-security-policy", policy)
    return Page(kind, headers, answer.body)


def identity(site: Site, page: PlannedPage) -> str:
    """Names what is planned for a file: another source, module or values, or middleware, make another page of it."""
    route = page.match.route
    around = "middleware" if site.middleware else ""
    return f"{route.source} {route.module} {around} {sorted(page.match.params.items())!r}{_listed(site, page)}"


def _listed(site: Site, page: PlannedPage) -> str:
    """Tells which entries `paths` in front matter gives a page, as far as it asks for them."""
    closure, props = site.resources[page.match.route.source].closure, page.match.props
    names = closure.names if closure is not None else frozenset()
    text = ""
    if "props" in names or "entries" in names:
        entries = props.get("entries")
        text += f" {entries.told}" if isinstance(entries, Entries) else ""
    if "props" in names or "pagination" in names:
        some = props.get("pagination")
        text += (
            f" {some.number} {some.total} {some.size} {some.count} {some.items.told}"
            if isinstance(some, Pagination)
            else ""
        )
    return text


def built_file(site: Site, page: PlannedPage, made: Made) -> BuiltFile:
    """Tells the server how to give a page's file out."""
    return BuiltFile(page.url, page.output, made.type, made.etag, made.headers, _alias(site, page), page.guard)


def _alias(site: Site, page: PlannedPage) -> str | None:
    """Gives the other form of a page's URL, where the policy serves both."""
    kind = page.match.route.kind
    return (
        site.policy.url(kind, page.segments, slash=False)
        if site.policy.has_slash(kind, page.segments) is None
        else None
    )


async def _answer(site: Site, page: PlannedPage) -> _Answer:
    """Renders one page by the same function as the server.

    Raises SiteError with the page's place, whatever went wrong.
    """
    scheme, host, header = _origin(site.url or "http://localhost")
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": scheme,
        "path": page.url,
        "raw_path": page.url.encode("ascii"),
        "query_string": b"",
        "headers": [(b"host", header)],
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


@lru_cache(maxsize=1)
def _origin(url: str) -> tuple[str, str, bytes]:
    """Gives scheme and host of a site, and the host as a request's header has it."""
    scheme, _, host = url.partition("://")
    return scheme, host, host.encode("idna")


async def _collect(response: Response) -> _Answer:
    """Runs a response, streamed ones too, into its status, headers and whole body."""
    if type(response) is Response and response.background is None:  # the usual one holds all three
        return _Answer(response.status_code, response.raw_headers, bytes(response.body))
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
    return _Answer(status, headers, bytes(body))


def _checked_type(page: PlannedPage, answer: _Answer) -> str:
    route = page.match.route
    wanted = route.status if route.kind == "error" else 200
    if answer.status != wanted:
        raise RouteError(
            f"{page.url} answers {answer.status} at build",
            why=f"a file can stand for {wanted} alone",
            mend="give the page prerender: false",
            location=Location(route.module or route.source),
        )
    kind = next((value.decode("latin-1") for name, value in answer.headers if name == b"content-type"), "")
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


def _warnings(site: Site, page: PlannedPage, used: Notes, given: Page) -> Iterator[Told]:
    html, resource = given.body.decode(), site.resources[page.match.route.source]
    if site.csp is not None and (blocked := site.csp.blocked(html)):
        yield _warning(blocked[0], page)
    files = (*resource.route.files, *(resource.closure.templates if resource.closure else ()))
    yield from map(Told.of, unprinted(site, [file for file in files if not file.endswith(".py")], used, html))


def _warning(attribute: str, page: PlannedPage) -> Told:
    shown = attribute if len(attribute) <= 60 else f"{attribute[:59]}…"
    why = f"it stands in {page.url}, and the Content-Security-Policy names no attributes"
    mend = "put it into a file or an element, or allow it: csp = { style-src-attr = [\"'unsafe-inline'\"] }"
    location = Location(page.match.route.source)
    return Told.of(TemplateError(f"no browser follows {shown}", why=why, mend=mend, location=location))
