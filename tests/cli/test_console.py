"""What a run prints, and how: sizes, columns, colours, one line a fault."""

from __future__ import annotations

import pytest

from hybridsite.cli.console import Console, log_settings
from hybridsite.errors import Location, SiteError, SiteErrors

FAULT = SiteError("it is wrong", why="because", mend="mend it", location=Location("pages/a.html", 3, 7))


def test_a_fault_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Console(verbose=False, color=False).fault(FAULT)
    assert capsys.readouterr() == ("", "pages/a.html:3:7: it is wrong; because; mend it\n")


def test_several_faults_come_in_the_order_of_their_places(capsys: pytest.CaptureFixture[str]) -> None:
    other = SiteError("it too", location=Location("pages/a.html", 2))
    Console(verbose=False, color=False).fault(SiteErrors([FAULT, other, FAULT]))
    assert [line.partition(" ")[0] for line in capsys.readouterr().err.splitlines()] == [
        "pages/a.html:2:",
        "pages/a.html:3:7:",
    ]


def test_a_verbose_run_shows_how_it_came_to_that(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise FAULT from RuntimeError("the cause")
    except SiteError as error:
        Console(verbose=True, color=False).fault(error)
    told = capsys.readouterr().err
    assert "RuntimeError: the cause" in told
    assert "Traceback" in told


def test_workers_log_as_the_supervisor_does() -> None:
    quiet, verbose = log_settings(verbose=False), log_settings(verbose=True)
    assert (quiet["loggers"]["hybridsite"]["level"], verbose["loggers"]["hybridsite"]["level"]) == ("INFO", "DEBUG")
    assert quiet["handlers"]["stderr"]["stream"] == "ext://sys.stderr"
    assert quiet["disable_existing_loggers"] is False
