"""How far work is: nothing for what is soon done, a line every two seconds, a bar on a terminal and no other."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable

import pytest

from hybridsite.cli.console import Console
from hybridsite.cli.progress import PATIENCE, Progress
from tests.e2e.support import environment


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def told(clock: Clock, work: Callable[[Progress], None], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Gives the lines that some work has told."""
    with Progress(Console(verbose=False, color=False), clock) as progress:
        work(progress)
    out, err = capsys.readouterr()
    assert err == ""
    return out.splitlines()


def test_what_is_soon_done_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()

    def work(progress: Progress) -> None:
        for done in range(1, 2001):
            clock.now += PATIENCE / 2001
            progress.tell("rendered", "page", done, 2000)

    assert told(clock, work, capsys) == []


def test_a_line_comes_every_two_seconds_and_one_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()

    def work(progress: Progress) -> None:
        for done in (1, *range(1000, 11_001, 1000)):
            progress.tell("rendered", "page", done, 11_000)
            clock.now += 0.5

    assert told(clock, work, capsys) == [
        "rendered 4,000 of 11,000 pages",
        "rendered 8,000 of 11,000 pages",
        "rendered 11,000 of 11,000 pages",
    ]


def test_each_work_has_its_own_two_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()

    def work(progress: Progress) -> None:
        for did, noun in (("rendered", "page"), ("encoded", "picture"), ("indexed", "page"), ("indexed", "page")):
            for done in (1, 2, 3):
                progress.tell(did, noun, done, 3)
                clock.now += 0.9
        progress.tell("encoded", "picture", 1, 9)
        clock.now += 2.5
        progress.tell("encoded", "picture", 2, 9)

    assert told(clock, work, capsys) == ["encoded 2 of 9 pictures"]


WORK = """
from hybridsite.cli.console import Console
from hybridsite.cli.progress import Progress
now = 0.0
def clock():
    return now
try:
    with Progress(Console(verbose=False, color=False), clock) as progress:
        for done in range(1, 41):
            progress.tell("rendered", "page", done, 40)
            now += 0.2
            if done == STOP:
                raise SystemExit("a fault")
finally:
    print("next line")
"""


def on_a_terminal(program: str) -> str:
    """Runs a program on a terminal, and gives all that it wrote there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=environment({"TERM": "xterm"}), stdout=theirs, stderr=theirs, stdin=theirs
    )
    os.close(theirs)
    found = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the last one has closed it
            break
        if not part:
            break
        found += part
    os.close(ours)
    process.wait(30)
    return found.decode()


@pytest.mark.parametrize("stop", [0, 30])
def test_a_terminal_shows_a_bar_that_leaves_a_clean_line(stop: int) -> None:
    text = on_a_terminal(WORK.replace("STOP", str(stop)))
    assert "rendered pages" in text
    assert "[####" in text
    assert ("100%" in text) is (stop == 0)
    assert "rendered 11 of" not in text
    assert "\nnext line\r\n" in text  # not behind the bar
    assert "\x1b[3" not in text  # no colour
