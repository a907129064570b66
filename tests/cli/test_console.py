"""What a run prints, and how: sizes, columns, colours, one line a fault."""

from __future__ import annotations

import io
import json
import sys

import pytest

from hybridsite.build.rows import BuildReport, PageRow, RouteRow
from hybridsite.cli.console import Console, log_settings
from hybridsite.errors import Location, SiteError, SiteErrors
from hybridsite.news import News, fault_news

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


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_json_is_an_object_a_line_on_stdout_faults_among_them(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(verbose=False, color=False, as_json=True)
    console.say("some news")
    console.say(News("changed a", "changed", files=["a"], milliseconds=1.5))
    console.wrong(fault_news(str(FAULT), FAULT))
    console.fault(FAULT)
    console.problem("warning", FAULT)
    console.wrong(fault_news("ValueError: x", ValueError("x")))
    told = capsys.readouterr()
    assert told.err == ""
    news, changed, fault, same, warning, other = map(json.loads, told.out.splitlines())
    assert news == {"event": "news", "message": "some news"}
    assert changed == {"event": "changed", "message": "changed a", "files": ["a"], "milliseconds": 1.5}
    place = {"file": "pages/a.html", "line": 3, "column": 7}
    rest = {"code": "site", "what": "it is wrong", "why": "because", "mend": "mend it"}
    assert fault == {"event": "fault", "message": str(FAULT), "faults": [{**place, **rest}]}
    assert same == fault
    assert warning == {**fault, "event": "warning"}
    assert other["faults"] == [{"what": "ValueError: x"}]


def test_a_quiet_run_prints_what_is_wrong_alone(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(verbose=False, color=False, quiet=True)
    console.say("news")
    console.wrong("wrong")
    assert capsys.readouterr() == ("", "wrong\n")


def test_progress_stands_in_one_line_of_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    console = Console(verbose=False, color=False)
    console.say(News("1 of 2", "progress"))
    console.say(News("2 of 2", "progress"))
    console.say("done")
    assert out.getvalue() == "1 of 2\r\x1b[K2 of 2\r\x1b[Kdone\n"


def test_progress_is_plain_lines_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(verbose=False, color=True)
    console.say(News("1 of 2", "progress"))
    console.say(News("2 of 2", "progress"))
    assert capsys.readouterr().out == "1 of 2\n2 of 2\n"


def test_colours_say_what_a_line_means(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    console = Console(verbose=False, color=True)
    console.say(News("mended", "mended"))
    console.say("plain")
    assert out.getvalue() == "\x1b[32mmended\x1b[0m\nplain\x1b[0m\n"


def test_workers_log_as_the_supervisor_does() -> None:
    quiet, verbose = log_settings(verbose=False), log_settings(verbose=True)
    assert (quiet["loggers"]["hybridsite"]["level"], verbose["loggers"]["hybridsite"]["level"]) == ("INFO", "DEBUG")
    assert quiet["handlers"]["stderr"]["stream"] == "ext://sys.stderr"
    assert quiet["disable_existing_loggers"] is False


def row(pattern: str, size: int, seconds: float, pages: int = 1) -> RouteRow:
    """Gives a row of the table of routes."""
    return RouteRow(pattern, False, "prerendered", "why", f"pages{pattern}", pages, size, seconds)


def test_the_largest_and_the_slowest_route_are_marked(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(verbose=False, color=False)
    console.table((row("/a/", 10, 0.5), row("/b/", 900, 0.1), row("/c/", 20, 0.1), row("/d/", 0, 0, pages=0)))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines] == ["time", "slowest", "largest", "ms", "-"]
    console.table((row("/a/", 10, 0.5), row("/b/", 9, 0.1)))
    assert capsys.readouterr().out.splitlines()[1].endswith("500 ms  largest, slowest")
    console.table((row("/a/", 10, 0.5), row("/d/", 0, 0, pages=0)))
    assert "slowest" not in capsys.readouterr().out  # of one there is none
    console.table((row("/a/", 10, 0.5), row("/b/", 9, 0.1)), measured=False)
    assert "slowest" not in capsys.readouterr().out


def test_a_profile_is_sorted_and_tells_what_it_leaves_out(capsys: pytest.CaptureFixture[str]) -> None:
    spent = {"layouts/base.html": 0.002, "pages/p.html": 0.001}
    pages = [
        PageRow(f"/p{n}/", f"client/p{n}/index.html", "page", "pages/p.html", 1, n / 100, "x", spent)
        for n in range(1, 13)
    ]
    kept = PageRow("/kept/", "client/kept/index.html", "page", "pages/kept.html", 1, 9.0)
    report = BuildReport((), (), (), 2.0, 1, "", {"load": 0.5, "render": 1.5}, (*pages, kept))
    Console(verbose=False, color=False).profile(report)
    phases, templates, slowest = (part.splitlines() for part in capsys.readouterr().out.strip("\n").split("\n\n"))
    assert [line.split() for line in phases] == [
        ["phase", "time", "share"],
        ["load", "500", "ms", "25%"],
        ["render", "1500", "ms", "75%"],
        ["all", "2000", "ms"],
    ]
    assert [line.split()[-3:] for line in templates[1:]] == [
        ["744", "ms", "12"],
        ["24", "ms", "12"],
        ["12", "ms", "12"],
    ]
    assert templates[1].startswith("(no template)")
    assert [line.split()[0] for line in slowest[1:-1]] == [f"/p{n}/" for n in range(12, 2, -1)]
    assert slowest[-1].startswith("(the slowest 10")
