"""What all commands share: the argument SITE, and faults as lines with the exit code 1."""

from __future__ import annotations

import logging.config
import os
from collections.abc import Callable
from functools import update_wrapper
from pathlib import Path
from typing import Any

import click

from hybridsite.cli.console import Console, log_settings
from hybridsite.errors import SiteError, SiteErrors

SITE = click.argument("site", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".")


def command(function: Callable[..., Any]) -> Callable[..., Any]:
    """Shows faults as lines and ends 1, instead of a traceback."""

    @click.option("-v", "--verbose", is_flag=True, help="Show tracebacks, and what the server does.")
    @click.pass_context
    def run(
        context: click.Context, /, verbose: bool, quiet: bool = False, in_json: bool = False, **options: Any
    ) -> None:
        colored = "NO_COLOR" not in os.environ and not in_json
        console = Console(verbose=verbose, color=colored, quiet=quiet, as_json=in_json)
        logging.config.dictConfig(log_settings(verbose=verbose))
        try:
            function(console, **options)
        except (SiteError, SiteErrors) as error:
            console.fault(error)
            context.exit(1)

    return update_wrapper(run, function)


def telling(function: Callable[..., Any]) -> Callable[..., Any]:
    """Lets a command be told how to tell what happens: not at all, or in JSON. Stands above `command`."""
    in_json = click.option("--json", "in_json", is_flag=True, help="Tell each thing that happens as a line of JSON.")
    return click.option("-q", "--quiet", is_flag=True, help="Say nothing but what is wrong.")(in_json(function))
