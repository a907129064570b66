"""The one place that prints: faults to stderr, tables and single lines to stdout."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from hybridsite.dev.news import News, fault_fields
from hybridsite.errors import SiteError, SiteErrors, count
from hybridsite.units import size_text

if TYPE_CHECKING:  # `--help` shall not wait for all that a build needs
    from hybridsite.build.rows import BuildReport, RouteRow

# Colours say what a line means: green for what is well, yellow for what one may want to know, red for what is wrong.
_COLOURS = {"shown": "green", "mended": "green", "port": "yellow", "waiting": "yellow"}
_DIM = ("progress", "request")
_HEADINGS = ("route", "kind", "why", "source", "size", "time")


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
            if self.verbose:
                click.echo("".join(traceback.format_exception(fault)), err=True)

    def problem(self, kind: str, fault: SiteError) -> None:
        """Prints a fault or a warning as `file:line:column: what; why; mend`."""
        if self.as_json:
            self._event("fault" if kind == "error" else kind, str(fault), {"faults": [fault_fields(fault)]})
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

    def facts(self, facts: Mapping[str, str]) -> None:
        """Prints names and values in two columns."""
        for name, value in facts.items():
            self.say(f"{name:<11} {value}")

    def table(self, rows: tuple[RouteRow, ...], *, measured: bool = True) -> None:
        """Prints the routes, in columns as wide as their content."""
        if self.as_json:
            for row in rows:
                self._event("route", row.pattern, _row_fields(row, measured))
            return
        lines = [_HEADINGS[: 6 if measured else 4], *(_cells(row)[: 6 if measured else 4] for row in rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        for number, line in enumerate(lines):
            text = "  ".join(
                cell.rjust(width) if column >= 4 else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            self.say(click.style(text, dim=True) if self._color and number == 0 else text)


def _row_fields(row: RouteRow, measured: bool) -> dict[str, object]:
    found = {"route": row.pattern, "kind": row.kind, "why": row.reason, "source": row.source}
    taken = {"pages": row.pages, "bytes": row.size, "seconds": round(row.seconds, 4)} if measured else {}
    return {**found, **taken}


def _cells(row: RouteRow) -> tuple[str, ...]:
    if row.pages == 0:
        return (row.pattern, row.kind, row.reason, row.source, "-", "-")
    pages = f" ({row.pages} pages)" if row.is_many else ""
    return (
        row.pattern,
        row.kind,
        row.reason + pages,
        row.source,
        size_text(row.size),
        f"{row.seconds * 1000:.0f} ms",
    )


def log_settings(*, verbose: bool) -> dict[str, Any]:
    """Gives the settings of the log, for this process and for workers: a line an event, on stderr."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            "hybridsite": {"level": "DEBUG" if verbose else "INFO"},
            "watchfiles": {"level": "WARNING"},
            "uvicorn": {"level": "INFO" if verbose else "WARNING"},
        },
    }
