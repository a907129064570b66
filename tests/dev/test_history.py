"""What dev remembers of a run: bounded, folded, and never in the way of an answer."""

from __future__ import annotations

from pathlib import Path

from hybridsite.dev.history import Answered, History, Measured
from hybridsite.errors import Location, SiteError
from hybridsite.used import Notes
from tests.dev.looking import Browser, looked
from tests.e2e.support import write_site
from tests.inprocess import MEMORY


def test_the_same_fault_is_one_and_the_oldest_go(tmp_path: Path) -> None:
    history = History(tmp_path)
    for number in range(60):
        history.failed(SiteError(f"fault {number}", location=Location("a.html", 1)), f"/{number}/")
    history.failed(SiteError("fault 30", location=Location("a.html", 1)))
    faults = list(history.faults)
    assert len(faults) == 50
    assert (faults[0].report.faults[0].what, faults[0].count, faults[0].url) == ("fault 30", 2, "/30/")
    assert faults[1].report.faults[0].what == "fault 59"
    assert history.fault(1) is None
    assert history.fault(faults[0].number) is faults[0]
    assert history.met == 61


def test_of_a_route_the_latest_addresses_are_kept() -> None:
    measured, notes = Measured(), Notes({"data:a": 1})
    for number in range(300):
        measured.add(Answered(f"/{number}/", 200, 0.1, 5, 0.0, "HIT" if number % 2 else "MISS"), notes)
    assert (measured.count, measured.hits, len(measured.by_url)) == (300, 150, 100)
    assert measured.last.url == "/299/"
    assert measured.keys == {"data:a"}


def test_what_no_route_answers_is_answered_as_ever(tmp_path: Path) -> None:
    page = "<!doctype html><p><< params.n >></p>"
    files = {
        "site.toml": MEMORY,
        "pages/[n].html": page,
        "pages/[n].py": "def paths(site):\n    raise ValueError('no paths')\n",
        "public/a/b.txt": "a",
    }

    async def visit(browser: Browser) -> None:
        assert "no paths" in (await browser.get("/one/")).text
        assert (await browser.get("/a/b.txt")).text == "a"
        assert (await browser.get("//x")).status in (400, 404, 500)
        assert (await browser.get("/%00")).status in (400, 404, 500)
        assert (await browser.get("/_dev/")).status == 200

    looked(write_site(tmp_path / "site", files), visit)
