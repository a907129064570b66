"""build_site(): the story of a build, in order."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hybridsite import __version__
from hybridsite.adapters.adapter import Adapter, find_adapter
from hybridsite.assets.table import NO_ASSETS
from hybridsite.build import store as stores
from hybridsite.build.assets import ask_again, write_assets
from hybridsite.build.copying import copy_files, copy_sources
from hybridsite.build.executors import Work, outcomes
from hybridsite.build.finishing import finish
from hybridsite.build.islands import keep_given_out, placed, with_island_key, write_client
from hybridsite.build.kept import NOTHING, Kept, seen_outside, what_holds
from hybridsite.build.making import Outcome, built_file, identity, place_of_page
from hybridsite.build.output import BEFORE, DIST, Output, build_lock
from hybridsite.build.plan import PlannedPage, plan
from hybridsite.build.rows import BuildReport, RouteRow
from hybridsite.build.snapshot import SECRET, Signature, secret, snapshot, tool, variables
from hybridsite.build.store import Damaged, Made, Place, Store, Told
from hybridsite.build.traces import route_facts
from hybridsite.build.why import explain
from hybridsite.errors import Faults, Location, PrerenderSessionError, SiteError
from hybridsite.manifest import MANIFEST, BuiltFile, Manifest, server_sources
from hybridsite.pages import plain_markdown
from hybridsite.site import Mode, Site, load_site, with_plan

SPARE = "cache/spare"
"""Where the dist/ before the last one is kept, below the state folder: most of its files are those of the next."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What the command line says of a build.

    `jobs` is the number of processes, None for as many as pay; `clean` has nothing kept of the last build,
    `dry` leaves dist/ alone, `why` is the URL of a page whose rendering is to be explained.
    """

    drafts: bool = False
    strict: bool = False
    jobs: int | None = None
    clean: bool = False
    dry: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True)
class Built:
    """What a build has written so far, aside: its pages as they were planned, its files, and the folder of them all."""

    site: Site
    pages: list[PlannedPage]
    files: list[BuiltFile]
    folder: Path


@dataclass(frozen=True, slots=True)
class Listener:
    """Who hears of a build while it goes on: that another one is under way, that the cache was thrown away, how many of
    how many pictures are done, once that takes its time. `review` gives the faults of what was written.
    """

    waiting: Callable[[], None] = lambda: None
    thrown_away: Callable[[str], None] = lambda reason: None
    encoding: Callable[[int, int], None] = lambda done, all: None
    review: Callable[[Built], Iterable[SiteError]] = lambda built: ()


def build_site(
    root: Path,
    state: Path,
    *,
    environ: Mapping[str, str],
    options: BuildOptions = BuildOptions(),
    listener: Listener = Listener(),
) -> BuildReport:
    """Builds a site into its dist/, which is exchanged as a whole, or not touched at all.

    Pages that the last build made are kept where nothing that they were made from has changed. Raises SiteErrors with
    every fault of every page, or the only one as itself. With `strict`, an undefined session is a fault.
    """
    root = root.resolve()
    with build_lock(state, listener.waiting), _seldom_collecting():
        began, began_at = time.perf_counter(), time.time_ns()
        faults = Faults()
        sources = _Sources.of(root, environ)  # before anything is read: what changes later has changed
        names = list(server_sources(root))  # what vanishes later is a fault
        last = _last_build(root, state, sources, options, listener)
        mode, folder = Mode(prerendering=True, drafts=options.drafts), state / "cache" / "assets"
        site = load_site(root, mode, environ=environ, faults=faults, cache=folder)
        site = with_island_key(site, state, environ)
        if site.templates.has_islands():
            sources.variables[SECRET] = secret(environ, state)
        adapter = find_adapter(site.settings.build.adapter)
        adapter.check(site, faults)
        pages = asyncio.run(plan(site, faults))
        site = with_plan(site, (page.segments for page in pages))
        kept = NOTHING
        if last is not None and last.variables == sources.variables:
            kept = what_holds(last, root, sources.files, route_facts(site))
        reason = "" if kept is not NOTHING else "nothing is kept of the last build, which isn't there or can't be used"
        why = explain(site, pages, kept, options.why, reason) if options.why and not faults else ""
        with Output(site.root, state / SPARE, state / BEFORE) as output:
            written = _write(site, pages, names, output, kept, options, adapter, listener, faults)
            if options.dry:
                return BuildReport((), tuple(written.notices), tuple(written.warnings), time.perf_counter() - began)
            keep_given_out(root / DIST, state, time.time())
            stores.forget(state)  # it doesn't belong to what comes now
            output.exchange()
        rows = _rows(site, pages, written.pages)
        outside = {**kept.outside, **seen_outside(root, written.outside, began_at)}
        if not site.content.is_volatile:
            stores.write(state, _store(site, sources, options, written, rows, outside))
    seconds = time.perf_counter() - began
    last_made = set(map(id, kept.made.values()))
    number = sum(id(one) in last_made for one in written.pages)
    return BuildReport(tuple(rows), tuple(written.notices), tuple(written.warnings), seconds, number, why)


class _Written(NamedTuple):
    """What was written below dist/: what was made for each page, in order, and by its place, copies among them."""

    pages: list[Made]
    made: dict[str, Made]
    outside: dict[str, int]
    notices: list[PrerenderSessionError]
    warnings: list[SiteError]
    manifest: bytes
    place: Place


def _write(
    site: Site,
    pages: list[PlannedPage],
    names: list[str],
    output: Output,
    kept: Kept,
    options: BuildOptions,
    adapter: Adapter,
    listener: Listener,
    faults: Faults,
) -> _Written:
    """Writes all that dist/ will hold. Raises every fault that was found."""
    by_number, outside = _make(site, pages, output, kept, options.jobs, faults)
    made = [by_number[number] for number in sorted(by_number)]
    _check_markdown(site, faults)
    public, copies = copy_files(site, pages, output, kept, faults)
    files = [built_file(site, pages[number], by_number[number]) for number in sorted(by_number)] + public
    forged, assets = write_assets(site, output, files, faults, listener.encoding)
    files += forged + write_client(site, output)
    files += finish(site, pages, files, output, faults)
    taken = {file.file for file in files}
    warnings = [*_warnings(site, made), *adapter.finish(site, taken, output.write)]
    notices = site.notices.faults()
    reviewed = listener.review(Built(site, pages, files, output.folder))
    for fault in (*(notices if options.strict else ()), *reviewed):
        faults.add(fault)
    faults.raise_any()
    errors = {page.match.route.status: page.output for page in pages if page.match.route.kind == "error"}
    sources, copied = copy_sources(site, names, output, kept)
    manifest = Manifest(
        __version__, options.drafts, tuple(files), errors, sources, placed(site, made), assets or NO_ASSETS
    )
    body = manifest.to_json()
    places = (place_of_page(site, page) for page in pages)
    every = {**dict(zip(places, made, strict=True)), **copies, **copied}
    return _Written(made, every, outside, notices, warnings, body, output.write(MANIFEST, body))


@dataclass(frozen=True, slots=True)
class _Sources:
    """What a build begins with: the tool, the files of the site, and the environment that they may ask for."""

    tool: str
    files: dict[str, str]
    variables: dict[str, str | None]

    @classmethod
    def of(cls, root: Path, environ: Mapping[str, str]) -> _Sources:
        """Looks at a site as it is now."""
        files = snapshot(root)
        return cls(tool(), files, variables(root, files, environ))


def _store(
    site: Site,
    sources: _Sources,
    options: BuildOptions,
    written: _Written,
    rows: list[RouteRow],
    outside: dict[str, Signature | None],
) -> Store:
    """Gives what the next build is to know of this one."""
    return Store(
        tool=sources.tool,
        drafts=options.drafts,
        dist=hashlib.sha256(written.manifest).hexdigest(),
        manifest=written.place,
        files=sources.files,
        outside=outside,
        variables=sources.variables,
        routes=route_facts(site),
        made=written.made,
        rows=rows,
        notices=list(map(Told.of, written.notices)),
        warnings=list(map(Told.of, written.warnings)),
    )


def _last_build(root: Path, state: Path, now: _Sources, options: BuildOptions, listener: Listener) -> Store | None:
    """Gives what is known of the last build, if it can be used: it belongs to dist/, and its surroundings are these."""
    if options.clean:
        stores.forget(state)
        shutil.rmtree(state / SPARE, ignore_errors=True)
        return None
    try:
        last = stores.read(state, now.tool)
    except Damaged as damaged:
        stores.forget(state)
        listener.thrown_away(str(damaged))
        return None
    if last is None or last.drafts != options.drafts:
        return None
    try:
        manifest = (root / "dist" / MANIFEST).read_bytes()
    except OSError:
        return None
    return last if hashlib.sha256(manifest).hexdigest() == last.dist else None


def _make(
    site: Site, pages: list[PlannedPage], output: Output, kept: Kept, jobs: int | None, faults: Faults
) -> tuple[dict[int, Made], dict[str, int]]:
    """Makes the pages that aren't kept. Gives what was made by the number of its page, and the files outside that were
    read; a page at fault is left out."""
    made: dict[int, Made] = {}
    for number, page in enumerate(pages):
        known = kept.page(place := place_of_page(site, page), identity(site, page))
        if known is not None and output.keep(place, known.place):
            made[number] = known
    stale = [number for number in range(len(pages)) if number not in made]
    fresh = outcomes(Work(site, [pages[number] for number in stale], output), jobs)
    outside: dict[str, int] = {}
    for number, outcome in zip(stale, fresh, strict=True):
        output.wrote(place_of_page(site, pages[number]))
        _take(outcome, number, made, outside, faults)
    for number in sorted(made):
        site.notices.repeat(made[number].notices)
        with faults.collect():
            ask_again(site, made[number].assets)
    return made, outside


def _check_markdown(site: Site, faults: Faults) -> None:
    """Renders the bodies of Markdown pages on demand, whose faults would be met by visitors."""
    for resource in site.resources.values():
        front, source = resource.front, resource.source
        if not resource.prerender and front is not None and source is not None and source.file.endswith(".md"):
            with faults.collect(*resource.route.files):
                if not front.jinja:
                    plain_markdown(site, resource)


def _take(outcome: Outcome, number: int, made: dict[int, Made], outside: dict[str, int], faults: Faults) -> None:
    for fault in outcome.faults:
        faults.add(fault)
    if outcome.made is not None:
        made[number] = outcome.made
    for name, when in outcome.outside.items():
        outside[name] = min(when, outside.get(name, when))


def _warnings(site: Site, made: list[Made]) -> Iterator[SiteError]:
    """Yields what the author is warned of: once a source, however many pages it makes."""
    yield from site.settings.warnings
    places: set[Location | None] = {warning.location for warning in site.settings.warnings}
    for one in made:
        for warning in map(Told.fault, one.warnings):
            if warning.location not in places:
                places.add(warning.location)
                yield warning


def _rows(site: Site, pages: list[PlannedPage], made: list[Made]) -> list[RouteRow]:
    rows = {route.source: RouteRow.of(route, site) for route in site.router.routes}
    for page, one in zip(pages, made, strict=True):
        rows[page.match.route.source].add(one.place.size, one.seconds)
    return list(rows.values())


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Lets the collector of circles look seldom: the objects of a loaded site are many, and they all stay."""
    thresholds = gc.get_threshold()
    gc.set_threshold(200_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
