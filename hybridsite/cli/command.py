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
    def run(context: click.Context, /, verbose: bool, **options: Any) -> None:
        console = Console(verbose=verbose, color="NO_COLOR" not in os.environ)
        logging.config.dictConfig(log_settings(verbose=verbose))
        try:
            function(console, **options)
        except (SiteError, SiteErrors) as error:
            console.fault(error)
            context.exit(1)

    return update_wrapper(run, function)
