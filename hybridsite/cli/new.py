"""`hybridsite new`: a site to begin with. On a terminal it asks for what the command line doesn't say."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from hybridsite.cli.command import command
from hybridsite.cli.console import Console
from hybridsite.errors import SiteError, count
from hybridsite.starting import STARTERS, check_place, check_title, new_site, title_of

T = TypeVar("T")


@click.command()
@click.argument("folder", metavar="DIR", required=False, type=click.Path(path_type=Path))
@click.option("--template", type=click.Choice(list(STARTERS)), help="What to begin with.  [default: blog]")
@click.option("--title", help="The title of the site.  [default: made of the name of DIR]")
@command
def new(console: Console, folder: Path | None, template: str | None, title: str | None) -> None:
    """Makes a new site in DIR, from a template. Where there is a terminal, what isn't said is asked for."""
    asks = sys.stdin.isatty() and sys.stdout.isatty()
    if folder is None and not asks:
        raise click.UsageError('where to? Name a folder that isn\'t there yet: "hybridsite new my-site"')
    checked_place, checked_title = _checked(Path, check_place), _checked(str, check_title)
    if folder is None:
        folder = click.prompt("Folder", default="my-site", value_proc=checked_place)
    else:
        checked_place(folder)
    if template is None:
        template = _chosen(console) if asks else "blog"
    if title is None:
        title = click.prompt("Title", default=title_of(folder), value_proc=checked_title) if asks else title_of(folder)
    files = new_site(folder, template, checked_title(title))
    program, place = _program(), "" if folder == Path() else f" {shlex.quote(str(folder))}"
    console.say(f"made {folder}: {template}, {count(files, 'file')}. Next:")
    console.say(f"  {program} dev{place}      # shows it while you write")
    console.say(f"  {program} check{place}    # finds what is wrong with it")


def _chosen(console: Console) -> str:
    for name, what in STARTERS.items():
        console.say(f"  {name:<8} {what}")
    chosen: str = click.prompt("Template", default="blog", type=click.Choice(list(STARTERS)))
    return chosen


def _checked(kind: Callable[[str], T], check: Callable[[T], None]) -> Callable[[str | T], T]:
    """Gives a function that reads what was typed: what is at fault ends the command, or is asked for again."""

    def read(typed: str | T) -> T:
        value = kind(typed) if isinstance(typed, str) else typed
        try:
            check(value)
        except SiteError as error:
            raise click.UsageError(str(error)) from None
        return value

    return read


def _program() -> str:
    """Gives hybridsite as it was called, which is how it will be found again."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -P -m hybridsite"
    found = shutil.which(called.name)
    return called.name if found and Path(found).resolve() == called.resolve() else shlex.quote(str(called))
