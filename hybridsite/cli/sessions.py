"""`hybridsite sessions`: figures and handles of the sessions in the store, ending those of one user. Never values."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hybridsite.cli.command import SITE, command
from hybridsite.cli.console import Console
from hybridsite.errors import DriverError, SessionUnavailable, count
from hybridsite.units import size_text

if TYPE_CHECKING:
    from hybridsite.sessions.office import SessionOffice

_STEP = 1000


@click.group()
def sessions() -> None:
    """Tells which sessions a site has, and ends some. It never shows what they hold."""


@sessions.command()
@SITE
@command
def stats(console: Console, site: Path) -> None:
    """Counts SITE's sessions, and the bytes that they take."""

    async def work(office: SessionOffice) -> None:
        figures = await office.figures()
        console.facts(
            {
                "sessions": str(figures.sessions),
                "size": f"{size_text(figures.size)}, the largest {size_text(figures.largest)}",
                "ended": str(figures.ended),
                "unreadable": str(figures.unreadable),
            }
        )

    _run(site, work)


@sessions.command("list")
@SITE
@command
def list_(console: Console, site: Path) -> None:
    """Lists SITE's sessions: handle, first save, end, size."""

    async def work(office: SessionOffice) -> None:
        console.say(f"{'session':<64}  {'first saved':<20}  {'ends':<20}  size")
        async for facts in office.all():
            created, expires = (f"{when:%Y-%m-%dT%H:%M:%SZ}" for when in (facts.created, facts.expires))
            console.say(f"{facts.id}  {created}  {expires}  {size_text(facts.size)}")

    _run(site, work)


@sessions.command()
@click.argument("name")
@click.argument("value")
@SITE
@command
def revoke(console: Console, name: str, value: str, site: Path) -> None:
    """Ends every session of SITE in which NAME is VALUE. NAME has to be in [session] index.

    VALUE is taken as text, and also as a number, true, false, null or a UUID where it can be read as one.
    """

    async def work(office: SessionOffice) -> None:
        ended = 0
        for meant in _readings(value):
            ended += await office.revoke(name=name, value=meant)
        console.say(f"ended {count(ended, 'session')}")

    _run(site, work)


@sessions.command()
@SITE
@command
def sweep(console: Console, site: Path) -> None:
    """Removes what has ended from SITE's store. Servers do so by themselves."""

    async def work(office: SessionOffice) -> None:
        removed = step = await office.sweep(_STEP)
        while step == _STEP:
            step = await office.sweep(_STEP)
            removed += step
        console.say(f"removed {count(removed, 'ended session')}")

    _run(site, work)


def _readings(value: str) -> list[object]:
    """Gives what a word of the command line may stand for in a session."""
    readings: list[object] = [value]
    with suppress(ValueError):
        found = json.loads(value)
        if not isinstance(found, str | list | dict):
            readings.append(found)
    with suppress(ValueError):
        readings.append(uuid.UUID(value))
    return readings


def _run(site: Path, work: Callable[[SessionOffice], Awaitable[None]]) -> None:
    """Opens the store that a site's settings name, and does something with it."""
    from hybridsite.adapters.adapter import fitted
    from hybridsite.config import load_settings
    from hybridsite.modules import make_importable
    from hybridsite.places import is_dist, state_folder
    from hybridsite.server.state import make_sessions
    from hybridsite.sessions.office import SessionOffice

    root = site / "server" if is_dist(site) else site
    make_importable(root.resolve())
    settings = fitted(root.resolve(), load_settings(root, os.environ, serving=True))
    manager = make_sessions(settings, state_folder(site, os.environ), os.environ)
    if manager is None:
        raise DriverError("the site has no sessions", mend="name a [session] driver in site.toml")
    if manager.store.reach == "process":
        driver = settings.session.driver
        raise DriverError(f'sessions of the driver "{driver}" are in the memory of the server alone')

    async def opened() -> None:
        await manager.start(sweeping=False)
        try:
            await work(SessionOffice(manager))
        finally:
            await manager.stop()

    try:
        import asyncio  # here since no other command needs it

        asyncio.run(opened())
    except SessionUnavailable as error:
        cause = error.__cause__.__cause__ if error.__cause__ else None
        raise DriverError("the session store does not answer", why=str(cause or "")) from error
