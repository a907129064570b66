"""Errors that tell their place: the site's own lines, and never those of a virtual environment inside it."""

from __future__ import annotations

import pytest

from hybridsite.errors import (
    Faults,
    Location,
    RouteError,
    SiteError,
    SiteErrors,
    TemplateError,
    closest,
    count,
    did_you_mean,
    is_of_site,
)


@pytest.mark.parametrize(
    ("file", "own"),
    [
        ("/site/pages/a.py", True),
        ("/site/shop.py", True),
        ("/site/lib/deep/a.py", True),
        ("/site/.venv/lib/python3.11/site-packages/jinja2/a.py", False),
        ("/site/venv/lib/python3.11/site-packages/jinja2/a.py", False),
        ("/site/.cache/a.py", False),
        ("/sites/a.py", False),
        ("<frozen importlib>", False),
    ],
)
def test_a_file_of_the_site(file: str, own: bool) -> None:
    assert is_of_site(file, "/site") == own


def test_an_error_shows_place_what_why_and_mend() -> None:
    place = Location("pages/a.html", 3, 5)
    assert str(SiteError("what", why="why", mend="mend", location=place)) == "pages/a.html:3:5: what; why; mend"
    assert str(SiteError("what")) == "what"
    assert str(SiteError("what", location=Location("a"))) == "a: what"
    assert str(SiteError("what").at(place)) == "pages/a.html:3:5: what"
    assert SiteError("what", location=place).at(Location("b", 1)).location == place


def test_a_fault_that_many_pages_meet_is_told_once() -> None:
    faults = Faults()
    for page in ("pages/a.html", "pages/b.html", "pages/c.html", "layouts/x.html"):
        with faults.collect(page, "pages/a.py"):
            raise TemplateError("broken", mend="mend it", location=Location("layouts/x.html", 2))
    with pytest.raises(TemplateError) as caught:
        faults.raise_any()
    assert str(caught.value) == "layouts/x.html:2: broken; met by pages/a.html and 2 more pages; mend it"


def test_several_faults_are_told_in_the_order_of_their_places() -> None:
    faults = Faults()
    faults.add(RouteError("second", location=Location("b", 1)))
    faults.take(
        SiteErrors([RouteError("third", location=Location("b", 2)), RouteError("first", location=Location("a"))])
    )
    with pytest.raises(SiteErrors) as caught:
        faults.raise_any()
    assert [fault.what for fault in caught.value.faults] == ["first", "second", "third"]
    Faults().raise_any()


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("prise", "price"),
        ("TITLE", "title"),
        ("pge", "page"),
        ("titel", "title"),
        ("nothing at all", None),
        ("sit", "site"),
    ],
)
def test_what_was_meant(name: str, near: str | None) -> None:
    assert closest(name, ["price", "title", "page", "site"]) == near


def test_a_far_name_is_not_suggested() -> None:
    assert did_you_mean("titel", ["site", "data", "props"]) == ""
    assert did_you_mean("abuot", ["about"]) == 'did you mean "about"?'


def test_numbers_with_their_nouns() -> None:
    assert [count(number, "page") for number in (0, 1, 2)] == ["0 pages", "1 page", "2 pages"]
