"""build_site(): the story of a build, in order."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from hybridsite import __version__
from hybridsite.adapters.adapter import Adapter, HostedBuild, adapter_of
from hybridsite.adapters.checks import check_host
from hybridsite.assets.table import NO_ASSETS
from hybridsite.build import store as stores
from hybridsite.build.account import forget_account, write_account
from hybridsite.build.assets import ask_again, write_assets
from hybridsite.build.beginning import Beginning, looked_at
from hybridsite.build.copying import copy_files, copy_sources
from hybridsite.build.executors import Work, outcomes
from hybridsite.build.fields import known_entries, remembered
from hybridsite.build.finishing import finish
from hybridsite.build.islands import keep_given_out, placed, with_island_key, write_client
from hybridsite.build.kept import NOTHING, Kept, seen_outside, what_holds
from hybridsite.build.making import Outcome, built_file, identity
from hybridsite.build.output import BEFORE, DIST, Output, build_lock
from hybridsite.build.plan import PlannedPage, plan, rendered_now
from hybridsite.build.prefetch import with_prefetch
from hybridsite.build.rows import BuildReport, PageRow, RouteRow
from hybridsite.build.snapshot import (
    Signature,
    changed_files,
    changed_outside,
    secret,
    signature_of,
)
from hybridsite.build.store import Made, Place, Store, Told
from hybridsite.build.summary import page_rows, route_rows, warnings_of
from hybridsite.build.timing import Phases, Stopwatch, watched
from hybridsite.build.traces import route_facts
from hybridsite.build.why import explain
from hybridsite.compiled import keeping
from hybridsite.entry_memory import EntryMemory, Known
from hybridsite.errors import Faults, PrerenderSessionError, SiteError
from hybridsite.garbage import seldom_collecting
from hybridsite.manifest import MANIFEST, BuiltFile, Manifest, server_sources
from hybridsite.pages import plain_markdown
from hybridsite.plugins import Progress
from hybridsite.site import Mode, Site, load_site, with_plan

SPARE = "cache/spare"
"""Where the dist/ before the last one is kept, below the state folder: most of its files are those of the next."""
TEMPLATES = "cache/templates"
"""Where the code of templates is kept, below the state folder."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What the command line says of a build.

    `jobs` is the number of processes, None for as many as pay; `executor` names a cluster that renders instead;
    `clean` has nothing kept of the last build, `dry` leaves dist/ alone, `why` is the URL of a page whose rendering is
    to be explained, `profile` has templates watched.
    """

    drafts: bool = False
    strict: bool = False
    jobs: int | None = None
    clean: bool = False
    dry: bool = False
    why: str = ""
    executor: str = ""
    profile: bool = False


@dataclass(frozen=True, slots=True)
class Built:
    """What a build has written so far, aside: its pages as they were planned, its files, and the folder of them all."""

    site: Site
    pages: list[PlannedPage]
    files: list[BuiltFile]
    folder: Path


@dataclass(frozen=True, slots=True)
class Listener:
    """Who hears of a build while it goes on: that another one is under way, that the cache was thrown away, and how far
    its work is ("rendered", "page", 3 of 40). `review` gives the faults of what was written.
    """

    waiting: Callable[[], None] = lambda: None
    thrown_away: Callable[[str], None] = lambda reason: None
    progress: Progress = lambda did, noun, done, all: None
    review: Callable[[Built], Iterable[SiteError]] = lambda built: ()


def build_site(
    root: Path,
    state: Path,
    *,
    environ: Mapping[str, str],
    options: BuildOptions = BuildOptions(),
    listener: Listener = Listener(),
    begun: Beginning | None = None,
) -> BuildReport:
    """Builds a site into its dist/, which is exchanged as a whole, or not touched at all.

    Pages that the last build made are kept where nothing that they were made from has changed. Raises SiteErrors with
    every fault of every page, or the only one as itself. With `strict`, an undefined session is a fault. `begun` is
    what was looked at just now, if that was done.
    """
    root = root.resolve()
    with build_lock(state, listener.waiting), seldom_collecting():
        began, began_at = time.perf_counter(), time.time_ns()
        faults, phases = Faults(), Phases("load")
        begun = looked_at(root, state, environ, begun)
        names = list(server_sources(root))  # what vanishes later is a fault
        last = _last_build(root, state, begun, options, listener)
        memory = remembered(last, _changed(last, root, begun), begun.variables)
        site = with_island_key(_loaded(root, state, environ, options, begun.tool, memory, faults), state, environ)
        if site.templates.has_islands():
            begun = begun.with_secret(secret(environ, state))
        check_host(site, adapter := adapter_of(root, site.settings), faults)
        pages = asyncio.run(plan(site, faults))
        site = with_plan(site, (page.segments for page in pages))
        kept = _kept(site, last, begun, memory)
        reason = "" if kept is not NOTHING else "nothing is kept of the last build, which isn't there or can't be used"
        why = explain(site, pages, kept, options.why, reason) if options.why and not faults else ""
        with Output(site.root, state / SPARE, state / BEFORE) as output:
            means = _Means(options, listener, phases, watched(site) if options.profile else None, environ, began_at)
            written = _write(site, pages, names, output, kept, means, adapter, faults)
            if options.dry:
                return BuildReport((), tuple(written.notices), tuple(written.warnings), time.perf_counter() - began)
            keep_given_out(root / DIST, state, time.time())
            stores.forget(state)  # it doesn't belong to what comes now
            forget_account(state)
            output.exchange()
        rows = route_rows(site, pages, written.pages)
        beside = {str(path): signature_of(path) for path in adapter.placed(site, root / DIST)}
        outside = {**kept.outside, **seen_outside(root, written.outside, began_at), **beside}
        known = kept.known if kept is not NOTHING else known_entries(site, EntryMemory())
        stores.write(state, _store(site, begun, options, written, rows, outside, known, memory.kept(known)))
        told = page_rows(site, pages, written.pages, written.spent, kept, reason)
        report = _report(rows, written, began, why, phases, told)
        write_account(state, report, drafts=options.drafts)
    return report


class _Means(NamedTuple):
    """By what a build is made: what the command line says, who hears of it, and what measures it.

    The environment and the moment (in ns) are for those who render elsewhere.
    """

    options: BuildOptions
    listener: Listener
    phases: Phases
    stopwatch: Stopwatch | None
    environ: Mapping[str, str]
    moment: int


class _Pages(NamedTuple):
    """What was made, and the seconds of its templates, by the number of the page; the files outside that were read."""

    made: dict[int, Made]
    spent: dict[int, Mapping[str, float]]
    outside: dict[str, int]


def _loaded(
    root: Path,
    state: Path,
    environ: Mapping[str, str],
    options: BuildOptions,
    tool: str,
    memory: EntryMemory,
    faults: Faults,
) -> Site:
    """Loads the site, with all templates that its pages are made from compiled once for this build and the next."""
    mode, folder = Mode(prerendering=True, drafts=options.drafts), state / "cache" / "assets"
    with keeping(state / TEMPLATES, tool):
        site = load_site(root, mode, environ=environ, faults=faults, cache=folder, memory=memory)
        site.templates.prepare(rendered_now(site))
    return site


class _Written(NamedTuple):
    """What was written below dist/: what was made for each page, in order, and by its place, copies among them."""

    pages: list[Made]
    spent: dict[int, Mapping[str, float]]
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
    means: _Means,
    adapter: Adapter,
    faults: Faults,
) -> _Written:
    """Writes all that dist/ will hold. Raises every fault that was found."""
    phases, listener = means.phases, means.listener
    phases.enter("render")
    by_number, spent, outside = _make(site, pages, output, kept, means, faults)
    phases.enter("write")
    made = [by_number[number] for number in sorted(by_number)]
    _check_markdown(site, faults)
    public, copies = copy_files(site, pages, output, kept, faults, claimed=adapter.claims)
    files = [built_file(site, pages[number], by_number[number]) for number in sorted(by_number)] + public
    phases.enter("assets")
    forged, assets = write_assets(site, output, files, faults, partial(listener.progress, "encoded", "picture"))
    files += forged + write_client(site, output)
    files += finish(site, pages, files, output, faults, phases.enter, listener.progress)
    files = with_prefetch(site, pages, files, output)
    phases.enter("write")
    warnings = list(warnings_of(site, made))
    notices = site.notices.faults()
    reviewed = listener.review(Built(site, pages, files, output.folder))
    for fault in (*(notices if means.options.strict else ()), *reviewed):
        faults.add(fault)
    faults.raise_any()
    errors: dict[str, dict[int, str]] = {}
    for page in pages:
        if (route := page.match.route).kind == "error":
            errors.setdefault(route.locale, {})[route.status] = page.output
    sources, copied = copy_sources(site, names, output, kept)
    manifest = Manifest(
        __version__, means.options.drafts, tuple(files), errors, sources, placed(site, made), assets or NO_ASSETS
    )
    body = manifest.to_json()
    place = output.write(MANIFEST, body)
    with faults.collect():  # now that all is there: a host may take only so much
        warnings += adapter.finish(HostedBuild(site, files, output.write, output.read, output.size))
    faults.raise_any()
    places = (page.place for page in pages)
    every = {**dict(zip(places, made, strict=True)), **copies, **copied}
    return _Written(made, spent, every, outside, notices, warnings, body, place)


def _store(
    site: Site,
    begun: Beginning,
    options: BuildOptions,
    written: _Written,
    rows: list[RouteRow],
    outside: dict[str, Signature | None],
    known: Known,
    heads: dict[str, bytes],
) -> Store:
    """Gives what the next build is to know of this one."""
    return Store(
        tool=begun.tool,
        drafts=options.drafts,
        dist=hashlib.sha256(written.manifest).hexdigest(),
        manifest=written.place,
        files=dict(begun.files),
        outside=outside,
        variables=dict(begun.variables),
        until=site.content.holds_until,
        entries=known,
        heads=heads,
        routes=route_facts(site),
        made=written.made,
        rows=rows,
        notices=list(map(Told.of, written.notices)),
        warnings=list(map(Told.of, written.warnings)),
    )


def _last_build(root: Path, state: Path, begun: Beginning, options: BuildOptions, listener: Listener) -> Store | None:
    """Gives what is known of the last build, if it can be used: it belongs to dist/, and its surroundings are these."""
    if options.clean:
        stores.forget(state)
        shutil.rmtree(state / SPARE, ignore_errors=True)
        (state / TEMPLATES).unlink(missing_ok=True)
        return None
    if begun.damage:
        stores.forget(state)
        listener.thrown_away(begun.damage)
    last = begun.last
    if last is None or last.drafts != options.drafts:
        return None
    try:
        manifest = (root / "dist" / MANIFEST).read_bytes()
    except OSError:
        return None
    return last if hashlib.sha256(manifest).hexdigest() == last.dist else None


def _kept(site: Site, last: Store | None, begun: Beginning, memory: EntryMemory) -> Kept:
    """Gives what the last build made that still holds: nothing where its environment was another."""
    if last is None or last.variables != begun.variables:
        return NOTHING
    return what_holds(site, last, begun.files, memory)


def _changed(last: Store | None, root: Path, now: Beginning) -> tuple[str, ...]:
    """Names the files, of the site and outside, that are others than the last build knew."""
    return () if last is None else (*changed_files(last.files, root, now.files), *changed_outside(last.outside))


def _make(site: Site, pages: list[PlannedPage], output: Output, kept: Kept, means: _Means, faults: Faults) -> _Pages:
    """Makes the pages that aren't kept; a page at fault is left out."""
    made: dict[int, Made] = {}
    for number, page in enumerate(pages):
        known = kept.page(place := page.place, identity(site, page))
        if known is not None and output.keep(place, known.place):
            made[number] = known
    stale = [number for number in range(len(pages)) if number not in made]
    tell = partial(means.listener.progress, "rendered", "page")
    work = Work(site, [pages[number] for number in stale], output, tell, means.stopwatch)
    if means.options.executor and stale:
        from hybridsite.build.cluster import rendered_by

        fresh = rendered_by(means.options.executor, work, means.environ, means.moment)
    else:
        fresh = outcomes(work, means.options.jobs)
    outside: dict[str, int] = {}
    for number, outcome in zip(stale, fresh, strict=True):
        output.wrote(pages[number].place)
        _take(outcome, number, made, outside, faults)
    for number in sorted(made):
        if made[number].notices:
            site.notices.repeat(made[number].notices)
        if made[number].assets:
            with faults.collect():
                ask_again(site, made[number].assets)
    spent = {number: outcome.spent for number, outcome in zip(stale, fresh, strict=True)}
    return _Pages(made, spent, outside)


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


def _report(
    rows: list[RouteRow], written: _Written, began: float, why: str, phases: Phases, pages: Iterable[PageRow]
) -> BuildReport:
    """Gives the outcome of a build that has ended. `began` is by the clock that measures."""
    phases.end()
    told = tuple(pages)
    notices, warnings, seconds = tuple(written.notices), tuple(written.warnings), time.perf_counter() - began
    return BuildReport(
        tuple(rows), notices, warnings, seconds, sum(not page.why for page in told), why, phases.seconds, told
    )
