"""The commands. Exit codes: 0 success, 1 the site is at fault, 2 the command line is."""

from __future__ import annotations

import logging.config
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from hybridsite import __version__
from hybridsite.cli.command import SITE, command, telling
from hybridsite.cli.completion import complete_route, completion
from hybridsite.cli.console import Console, log_settings
from hybridsite.cli.new import new
from hybridsite.cli.progress import Progress
from hybridsite.cli.sessions import sessions
from hybridsite.garbage import leave_it, seldom_collecting

WAITING = "another build of this site is under way: waiting for it"


class _Commands(click.Group):
    """The commands there are, and those that the plugins of the site in the current folder add."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Finds a command: hybridsite's own first."""
        found = super().get_command(ctx, cmd_name)
        return self._of_plugins().get(cmd_name) if found is None else found

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Lists their names. A plugin that doesn't load is no reason to leave somebody without help."""
        try:
            return [*super().list_commands(ctx), *self._of_plugins()]
        except click.ClickException:
            return super().list_commands(ctx)

    @staticmethod
    def _of_plugins() -> Mapping[str, click.Command]:
        root = Path.cwd()
        if not (root / "site.toml").is_file() or b"plugins" not in (root / "site.toml").read_bytes():
            return {}
        from hybridsite.errors import SiteError, SiteErrors
        from hybridsite.plugins import plugin_commands

        try:
            return plugin_commands(root, os.environ)
        except (SiteError, SiteErrors) as error:
            raise click.ClickException(str(error)) from None


def _name(site: Path) -> str:
    """Gives what a site's folder is called, also where that is the current one."""
    return site.resolve().name if site == Path() else str(site)


def _executor(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Refuses what names no cluster, before anything is loaded."""
    if value:
        from hybridsite.build.cluster import ADDRESS

        if not ADDRESS.fullmatch(value):
            raise click.BadParameter(f'"{value}" is no executor: write dask://host:port')
    return value


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hybridsite")
def main() -> None:
    """Builds the pages that all visitors share into files, and serves the personal ones on demand."""


@main.command()
@SITE
@click.option("--strict", is_flag=True, help="End 1, and leave dist/ alone, for undefined sessions and broken links.")
@click.option("--drafts", is_flag=True, help="Build pages with draft: true too.")
@click.option("--jobs", type=click.IntRange(min=1), help="How many processes render.  [default: as many as pay]")
@click.option("--clean", is_flag=True, help="Build every page anew, whatever the last build has made.")
@click.option(
    "--why",
    default="",
    metavar="ROUTE",
    shell_complete=complete_route,
    help="Tell what made the page at ROUTE stale, or that it was kept.",
)
@click.option(
    "--executor", default="", metavar="dask://HOST:PORT", callback=_executor, help="Have a cluster of Dask's render."
)
@click.option("--profile", is_flag=True, help="Tell where the time went: by phase, by template and by page.")
@telling
@command
def build(console: Console, site: Path, **options: Any) -> None:
    """Writes SITE's prerendered pages, and what the rest needs, to SITE/dist/. Pages that hold are kept."""
    if options["executor"] and options["jobs"]:
        raise click.UsageError("--jobs is for this machine alone, and --executor for a cluster: give one of them")
    _build(console, site, **options)
    leave_it()


@main.command()
@SITE
@click.option("--host", help="The address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0 takes a free one.  [default: 8000]")
@click.option("--workers", type=click.IntRange(min=1), help="How many processes.  [default: 1]")
@click.option(
    "--grace", type=click.FloatRange(min=0, min_open=True), help="Seconds until a stop is final.  [default: 10]"
)
@click.option("--access-log", is_flag=True, default=None, help="Write a line for each request to stdout.")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="How the log is written.  [default: text]")
@click.option("--no-build", is_flag=True, help="Serve dist/ as it is, even where sources are newer.")
@telling
@command
def serve(console: Console, site: Path, no_build: bool, host: str | None, port: int | None, **flags: Any) -> None:
    """Serves SITE, or a dist/ folder, and each build that comes; builds first where dist/ is missing or stale."""
    from hybridsite.adapters.adapter import fitted
    from hybridsite.config import load_settings
    from hybridsite.places import is_dist
    from hybridsite.server.run import run

    own = site / "server" if is_dist(site) else site
    _log_as(console, flags["log_format"])
    settings = load_settings(own, os.environ, serving=True)
    _log_as(console, form := flags["log_format"] or settings.server.log_format)
    if own is site and not no_build and _is_stale(site):
        _build(console, site)
    given = {name: value for name, value in (("host", host), ("port", port), *flags.items()) if value is not None}
    settings = settings.model_copy(update={"server": settings.server.model_copy(update=given)})
    run(
        site,
        fitted(own, settings),
        environ=os.environ,
        log_config=log_settings(verbose=console.verbose, form=form, serving=True),
        listening=lambda address: console.say(f"serving {_name(site)} at {address} (Ctrl-C stops)"),
    )


@main.command()
@click.argument("address")
@SITE
@click.option("--endpoint", help="The address of another store than Amazon's that speaks S3's protocol.")
@click.option("--region", help="The region of the bucket.  [default: AWS_REGION]")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--delete", is_flag=True, help="Delete what lies below ADDRESS and was not published from here, too.")
@click.option("--no-build", is_flag=True, help="Publish dist/ as it is, even where sources are newer.")
@command
def publish(
    console: Console,
    address: str,
    site: Path,
    endpoint: str | None,
    region: str | None,
    dry_run: bool,
    delete: bool,
    no_build: bool,
) -> None:
    """Puts SITE's files into the bucket at ADDRESS (s3://BUCKET[/PREFIX]): what has changed, pages last."""
    from hybridsite.places import is_dist
    from hybridsite.publishing import Bucket, publish

    bucket = Bucket.parse(address, endpoint=endpoint, region=region)
    if not is_dist(site) and not no_build and _is_stale(site):
        _build(console, site)
    done = publish(site if is_dist(site) else site / "dist", bucket, delete=delete, dry=dry_run, told=console.step)
    console.published(done, dry=dry_run)


@main.command()
@SITE
@command
def rollback(console: Console, site: Path) -> None:
    """Puts the build before the last one back into SITE/dist/; a second time, the last one again."""
    from hybridsite.build.output import build_lock
    from hybridsite.build.rollback import roll_back
    from hybridsite.config import no_site
    from hybridsite.places import state_folder

    if not (site / "site.toml").is_file():
        raise no_site(site)
    state = state_folder(site, os.environ)
    with build_lock(state, lambda: console.say(WAITING)):
        done = roll_back(site, state)
    console.say(done.sentence)


@main.command()
@SITE
@click.option("--host", help="The address to listen on; 0.0.0.0 for other devices.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="The port, or the next free one.  [default: 8000]")
@click.option("--open", "opens", is_flag=True, help="Open the site in the browser.")
@telling
@command
def dev(console: Console, site: Path, host: str | None, port: int | None, opens: bool) -> None:
    """Shows SITE while it is written: nothing is built, a change is on the screen at once, faults tell their mend."""
    from hybridsite.config import no_site
    from hybridsite.dev.run import DevOptions, run
    from hybridsite.starting import keep_schema

    if not (site / "site.toml").is_file():
        raise no_site(site)
    with suppress(OSError):  # a help for editors: where it can't be kept, nobody misses it
        keep_schema(site)
    run(
        site,
        DevOptions(host, 8000 if port is None else port, click.launch if opens else None, verbose=console.verbose),
        environ=os.environ,
        log_config=log_settings(verbose=console.verbose),
        say=console.say,
        wrong=console.wrong,
    )


@main.command()
@SITE
@click.option("--strict", is_flag=True, help="End 1 for warnings too: unused files and orphan pages.")
@click.option("--external", is_flag=True, help="Ask other sites whether the pages that are linked to are there.")
@click.option("--drafts", is_flag=True, help="Check pages with draft: true too.")
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif"]), default="text", help="How to tell it.")
@command
def check(console: Console, site: Path, strict: bool, external: bool, drafts: bool, form: str) -> None:
    """Finds what is wrong with SITE: links, anchors, assets, markup, unused files. Leaves SITE/dist/ alone."""
    from hybridsite.check.check import CheckOptions, check_site
    from hybridsite.check.finding import is_warning
    from hybridsite.check.report import as_json, as_sarif
    from hybridsite.places import state_folder

    options = CheckOptions(drafts=drafts, external=external)
    waiting = partial(console.note, WAITING)
    state = state_folder(site, os.environ)
    faults = check_site(site, state, environ=os.environ, options=options, waiting=waiting)
    if form == "text":
        console.findings(faults)
    else:
        console.say(as_json(faults) if form == "json" else as_sarif(faults))
    if any(strict or not is_warning(fault) for fault in faults):
        raise SystemExit(1)


@main.command()
@SITE
@click.option("--drafts", is_flag=True, help="Show pages with draft: true too.")
@command
def routes(console: Console, site: Path, drafts: bool) -> None:
    """Lists the routes of SITE, without building it."""
    from hybridsite.build.rows import RouteRow
    from hybridsite.site import Mode, load_site

    loaded = load_site(site, Mode(prerendering=True, drafts=drafts), environ=os.environ)
    rows = tuple(RouteRow.of(route, loaded) for route in loaded.router.routes)
    console.table(rows, measured=False)


@main.command()
@SITE
@click.option("--json", "as_json", is_flag=True, help="Tell it in JSON.")
@command
def info(console: Console, site: Path, as_json: bool) -> None:
    """Tells versions, and what is known of SITE: what to put into a report of a fault. Never a secret."""
    import json

    from hybridsite.build.report import site_facts, version_facts
    from hybridsite.errors import SiteError, SiteErrors
    from hybridsite.places import state_folder

    told = version_facts()
    if not as_json:
        console.facts(told)
    try:
        facts = site_facts(site, state_folder(site, os.environ), environ=os.environ, stale=partial(_is_stale, site))
    except (SiteError, SiteErrors) as error:
        if as_json:
            faults = error.faults if isinstance(error, SiteErrors) else (error,)
            console.say(json.dumps({**told, "faults": [str(fault) for fault in faults]}, indent=2, ensure_ascii=False))
        raise
    if as_json:
        console.say(json.dumps({**told, **facts}, indent=2, ensure_ascii=False))
    else:
        console.facts(facts)


main.add_command(new)
main.add_command(sessions)
main.add_command(completion)


@main.group()
def config() -> None:
    """Tells about the settings in site.toml."""


@config.command()
@command
def schema(console: Console) -> None:
    """Prints the JSON Schema of site.toml, by which editors complete and check."""
    import json

    from hybridsite.config import json_schema

    console.say(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def _build(console: Console, site: Path, **options: Any) -> None:
    """Builds a site, with what BuildOptions has."""
    from hybridsite.build.beginning import Beginning
    from hybridsite.build.freshness import fingerprint, is_remembered, remember
    from hybridsite.build.output import build_lock
    from hybridsite.build.snapshot import snapshot
    from hybridsite.build.unchanged import report_if_unchanged
    from hybridsite.places import state_folder

    root, state, begun = site.resolve(), state_folder(site, os.environ), None
    drafts, strict = options.get("drafts", False), options.get("strict", False)
    if not any(options.get(name) for name in ("clean", "why", "profile")) and is_remembered(state):
        with build_lock(state, lambda: console.say(WAITING)):
            begun = Beginning.of(root, state, os.environ)
            report = report_if_unchanged(root, state, begun, os.environ, drafts=drafts, strict=strict)
        if report is not None:
            console.report(report)
            return
    with seldom_collecting():
        from hybridsite.build.build import BuildOptions, Listener, build_site

        listener = Listener(
            waiting=lambda: console.say(WAITING),
            thrown_away=lambda reason: console.say(f"the build cache is thrown away: {reason}"),
        )
        if strict:
            from hybridsite.check.check import broken_links

            listener = replace(listener, review=broken_links)
        # A source that changes while it is built makes the build stale.
        before = fingerprint(root, begun.files if begun is not None else snapshot(root))
        with Progress(console) as progress:
            listener = replace(listener, progress=progress.tell)
            told = BuildOptions(**options)
            report = build_site(root, state, environ=os.environ, options=told, listener=listener, begun=begun)
        remember(before, state)
    console.report(report)
    if options.get("profile"):
        console.profile(report)


def _log_as(console: Console, form: str | None) -> None:
    """Has the log written in a form. Where that is JSON, what the command itself says is, too."""
    if form == "json":
        console.as_json = True
        logging.config.dictConfig(log_settings(verbose=console.verbose, form=form))


def _is_stale(site: Path) -> bool:
    from hybridsite.build.freshness import is_stale
    from hybridsite.places import state_folder

    return is_stale(site, state_folder(site, os.environ))
