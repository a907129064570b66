"""The one place that prints: faults to stderr, tables and single lines to stdout."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from hybridsite.errors import SiteError, SiteErrors, count
from hybridsite.news import News, fault_fields
from hybridsite.units import size_text

if TYPE_CHECKING:  # `--help` shall not wait for all that a build needs
    from hybridsite.build.rows import BuildReport, RouteRow
    from hybridsite.publishing import Plan

_HEADINGS = ("route", "kind", "why", "source", "size", "time", "")
_MOST_TOLD = 10
"""So many templates, and so many pages, a profile lists."""
# Colours say what a line means: green for what is well, yellow for what one may want to know, red for what is wrong.
_COLOURS = {"shown": "green", "mended": "green", "port": "yellow", "waiting": "yellow"}
_DIM = ("progress", "request")


class Console:
    """Prints what happened. Click takes the colours out again where a stream is no terminal.

    With `as_json` each thing is a JSON object on a line of stdout, faults among them; a `quiet` one prints no news.
    """

    def __init__(self, *, verbose: bool, color: bool, quiet: bool = False, as_json: bool = False) -> None:
        self.verbose = verbose
        self.as_json = as_json
        self._quiet = quiet
        self._color = color
        self._is_unfinished = False

    def say(self, text: str) -> None:
        """Prints a line of news. Progress on a terminal takes the place of the progress before it."""
        kind = text.kind if isinstance(text, News) else "news"
        if self.as_json:
            self._event(kind, text, text.fields if isinstance(text, News) else {})
        elif not self._quiet:
            passing = kind == "progress" and sys.stdout.isatty()
            line = click.style(text, fg=_COLOURS.get(kind), dim=kind in _DIM or None) if self._color else text
            click.echo(self._clear() + line, nl=not passing)
            self._is_unfinished = passing

    @property
    def draws(self) -> bool:
        """Whether a bar may be drawn: on a terminal, for people who want to be told."""
        return not self.as_json and not self._quiet and sys.stdout.isatty()

    def _clear(self) -> str:
        return "\r\x1b[K" if self._is_unfinished else ""

    @staticmethod
    def _event(kind: str, text: str, fields: Mapping[str, object]) -> None:
        click.echo(json.dumps({"event": kind, "message": text, **fields}, ensure_ascii=False, default=str))

    def note(self, text: str) -> None:
        """Prints a line of news to stderr, where stdout is for programs."""
        click.echo(text, err=True)

    def wrong(self, text: str) -> None:
        """Prints what is wrong, while the work goes on."""
        if self.as_json:
            self._event("fault", text, text.fields if isinstance(text, News) else {})
            return
        if self._is_unfinished:
            click.echo(self._clear(), nl=False)
            self._is_unfinished = False
        click.echo(click.style(text, fg="red") if self._color else text, err=True)

    def findings(self, faults: Sequence[SiteError]) -> None:
        """Prints what a check has found, one line a fault, and how much that was."""
        from hybridsite.check.finding import is_warning

        for fault in faults:
            self.problem("warning" if is_warning(fault) else "error", fault)
        warnings = sum(map(is_warning, faults))
        errors = count(len(faults) - warnings, "error")
        self.say(f"{errors}, {count(warnings, 'warning')}" if faults else "nothing is wrong")

    def fault(self, error: SiteError | SiteErrors) -> None:
        """Prints one line a fault; with --verbose, how it came to that."""
        faults = error.faults if isinstance(error, SiteErrors) else (error,)
        for fault in faults:
            self.problem("error", fault)
            if self.verbose and not self.as_json:
                click.echo("".join(traceback.format_exception(fault)), err=True)

    def problem(self, kind: str, fault: SiteError) -> None:
        """Prints a fault or a warning as `file:line:column: what; why; mend`."""
        if self.as_json:
            trace = {"trace": "".join(traceback.format_exception(fault))} if self.verbose else {}
            self._event("fault" if kind == "error" else kind, str(fault), {"faults": [fault_fields(fault)], **trace})
            return
        lines = str(fault).splitlines() or [""]
        if self._color:
            lines[0] = click.style(lines[0], fg="red" if kind == "error" else "yellow")
        click.echo("\n".join(lines), err=True)

    def report(self, report: BuildReport) -> None:
        """Prints what a build did: the table of routes, warnings, and one line at the end."""
        if not self._quiet:
            self.table(report.rows)
        for warning in report.warnings:
            self.problem("warning", warning)
        for notice in report.notices:
            self.problem("error", notice)
        on_demand = count(sum(row.kind == "on demand" for row in report.rows), "route")
        if report.why:
            self.say(News(report.why, "why"))
        kept = f", kept {report.kept:,}" if report.kept else ""
        made = report.pages - report.kept
        told = f"built {count(made, 'page')}{kept} in {report.seconds:.2f} s; {on_demand} on demand"
        self.say(News(told, "built", pages=made, kept=report.kept, seconds=round(report.seconds, 3)))

    def step(self, action: str, name: str) -> None:
        """Prints one step of many."""
        self.say(f"{action:<6} {name}")

    def published(self, plan: Plan, *, dry: bool) -> None:
        """Prints what publishing did, or would do."""
        would = "would upload" if dry else "uploaded"
        files, gone = count(len(plan.uploads), "file"), len(plan.deletes)
        self.say(f"{would} {files}, {'delete' if dry else 'deleted'} {gone}; {plan.unchanged:,} unchanged")
        if plan.foreign:
            self.say(f"{count(len(plan.foreign), 'file')} there from elsewhere: left alone without --delete")

    def facts(self, facts: Mapping[str, str]) -> None:
        """Prints names and values in two columns."""
        for name, value in facts.items():
            self.say(f"{name:<11} {value}")

    def table(self, rows: tuple[RouteRow, ...], *, measured: bool = True) -> None:
        """Prints the routes, and marks the largest and the slowest of them."""
        if self.as_json:
            for row in rows:
                self._event("route", row.pattern, _row_fields(row, measured))
            return
        shown = len(_HEADINGS) if measured else 4
        lines = [_HEADINGS[:shown], *((*_cells(row), _mark(row, rows))[:shown] for row in rows)]
        self._columns(lines, right=(4, 5), marked=6)

    def profile(self, report: BuildReport) -> None:
        """Prints where the time of a build went: by phase, by template, and by page."""
        rendered = [page for page in report.told if page.why]
        whole = sum(report.phases.values()) or 1.0
        told = [(phase, _ms(seconds), f"{seconds / whole:.0%}") for phase, seconds in report.phases.items()]
        self.say("")
        self._columns([("phase", "time", "share"), *told, ("all", _ms(whole), "")], right=(1, 2))
        if not rendered:
            return
        spent: dict[str, list[float]] = {}
        for page in rendered:
            for name, seconds in page.spent.items():
                spent.setdefault(name, []).append(seconds)
            spent.setdefault("(no template)", []).append(max(0.0, page.seconds - sum(page.spent.values())))
        slowest = sorted(spent.items(), key=lambda pair: (-sum(pair[1]), pair[0]))
        lines = [(name, _ms(sum(each)), str(len(each))) for name, each in slowest[:_MOST_TOLD]]
        self.say("")
        self._columns([("template, without what it includes", "time", "pages"), *lines], right=(1, 2))
        pages = sorted(rendered, key=lambda page: (-page.seconds, page.url))
        self.say("")
        self._columns(
            [("page", "source", "time"), *((page.url, page.source, _ms(page.seconds)) for page in pages[:_MOST_TOLD])],
            right=(2,),
        )
        left = max(len(slowest), len(pages)) > _MOST_TOLD
        if left:
            self.say(f"(the slowest {_MOST_TOLD} of each; .hybridsite/build.json has all)")

    def _columns(self, lines: Sequence[Sequence[str]], *, right: tuple[int, ...], marked: int = -1) -> None:
        """Prints lines in columns as wide as their content, the first as headings; `marked` is one that stands out."""
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        for number, line in enumerate(lines):
            cells = [
                cell.rjust(width) if column in right else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ]
            if self._color and number and 0 <= marked < len(cells) and line[marked]:
                cells[marked] = click.style(line[marked], fg="yellow")
            text = "  ".join(cells).rstrip()
            self.say(click.style(text, dim=True) if self._color and number == 0 else text)


def _row_fields(row: RouteRow, measured: bool) -> dict[str, object]:
    found = {"route": row.pattern, "kind": row.kind, "why": row.reason, "source": row.source}
    taken = {"pages": row.pages, "bytes": row.size, "seconds": round(row.seconds, 4)} if measured else {}
    return {**found, **taken}


def _cells(row: RouteRow) -> tuple[str, ...]:
    if row.pages == 0:
        return (row.pattern, row.kind, row.reason, row.source, "-", "-")
    pages = f" ({row.pages} pages)" if row.is_many else ""
    return (row.pattern, row.kind, row.reason + pages, row.source, size_text(row.size), _ms(row.seconds))


def _mark(row: RouteRow, rows: Sequence[RouteRow]) -> str:
    """Gives the mark of the route whose pages are the largest of all, or take longest; of one alone there is none."""
    made = [other for other in rows if other.pages]
    if len(made) < 2 or not row.pages:
        return ""
    marks = ["largest"] if row is max(made, key=lambda other: other.size) else []
    marks += ["slowest"] if row is max(made, key=lambda other: other.seconds) else []
    return ", ".join(marks)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def log_settings(*, verbose: bool, form: str = "text", serving: bool = False) -> dict[str, Any]:
    """Gives the settings of the log, for this process and for workers: a line an event, on stderr.

    A line for each request goes to stdout, where a server writes them; `form` is "text" or "json". What anybody can
    have a server write, by requests that are none, it writes seldom.
    """
    line: dict[str, Any] = {"()": "hybridsite.news.LineFormatter", "fmt": "%(asctime)s %(levelname)s %(message)s"}
    if form == "json":
        line = {"()": "hybridsite.server.journal.JsonFormatter"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"seldom": {"()": "hybridsite.server.journal.Seldom"}} if serving else {},
        "formatters": {"line": line, "plain": {"format": "%(message)s"}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"},
            "stdout": {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stdout"},
        },
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            "hybridsite": {"level": "DEBUG" if verbose else "INFO"},
            "hybridsite.access": {"handlers": ["stdout"], "level": "INFO", "propagate": False},
            "watchfiles": {"level": "WARNING"},
            "uvicorn": {"level": "INFO" if verbose else "WARNING"},
            "uvicorn.error": {"filters": ["seldom"] if serving else []},
        },
    }
