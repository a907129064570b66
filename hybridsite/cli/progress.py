"""How far work is: a bar on a terminal, a line now and then elsewhere, and nothing for what is soon done."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from hybridsite.cli.console import Console
from hybridsite.errors import count
from hybridsite.news import News

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

PATIENCE = 2.0
"""The seconds from which on work is told of; without a terminal, the seconds between two lines."""


class Progress:
    """Tells how far each work is that takes over two seconds, one at a time. All that takes its time is told here."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._work = ""
        self._since = 0.0
        self._told = 0.0
        self._has_spoken = False
        self._bar: ProgressBar[Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def tell(self, did: str, noun: str, done: int, all: int) -> None:
        """Learns that `done` of `all` are done: `tell("rendered", "page", 3, 40)`."""
        now = self._clock()
        if did != self._work or done <= 1:
            self._end()
            self._work, self._since, self._told, self._has_spoken = did, now, now, False
        if now - self._since < PATIENCE:
            return
        if self._console.draws:
            self._draw(f"{did} {noun}s", done, all)
        elif now - self._told >= PATIENCE or (done == all and self._has_spoken):
            told = f"{did} {done:,} of {all:,} {noun}s" if all != 1 else f"{did} {count(done, noun)}"
            self._console.say(News(told, "progress", did=did, noun=noun, done=done, all=all))
            self._told, self._has_spoken = now, True
        if done >= all:
            self._end()

    def _draw(self, label: str, done: int, all: int) -> None:
        if self._bar is None:
            self._bar = click.progressbar(length=all, label=label, file=sys.stdout)
            self._bar.__enter__()
        self._bar.update(done - self._bar.pos)

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None
        self._work = ""
