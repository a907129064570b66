"""A place that uses a missing session is told once, with the pages that lead there."""

from __future__ import annotations

import pytest

from hybridsite.errors import Location, PrerenderSessionError
from hybridsite.notices import MEND_PRERENDERED, SessionNotices, no_driver

PLACE = Location("components/cart.html", 2)


def told(notices: SessionNotices) -> list[str]:
    return [str(fault) for fault in notices.faults()]


@pytest.mark.parametrize(
    ("pages", "ending"),
    [
        (["a"], "a is rendered at build"),
        (["a", "a"], "a is rendered at build"),
        (["a", "b"], "a is rendered at build (and 1 more page)"),
        (["a", "b", "c", "b"], "a is rendered at build (and 2 more pages)"),
    ],
)
def test_a_place_is_told_once_with_the_number_of_its_pages(pages: list[str], ending: str) -> None:
    notices = SessionNotices()
    for page in pages:
        notices.add(PLACE, page, mend=MEND_PRERENDERED)
    assert told(notices) == [f"components/cart.html:2: `session` is undefined; {ending}; {MEND_PRERENDERED}"]


def test_the_way_there_and_the_cause() -> None:
    notices = SessionNotices()
    notices.add(PLACE, "pages/a.html", way=["pages/a.html:1", "layouts/b.html:3"], mend=no_driver(None))
    (text,) = told(notices)
    assert "pages/a.html has no session, since the site has no driver, and leads here by" in text
    assert "pages/a.html:1 → layouts/b.html:3" in text
    assert "name a [session] driver" in text


def test_faults_come_in_the_order_of_their_places() -> None:
    notices = SessionNotices()
    for place in (Location("b", 1), Location("a", 10), Location("a", 9)):
        notices.add(place, "page", mend=MEND_PRERENDERED)
    assert [fault.location for fault in notices.faults()] == [Location("a", 9), Location("a", 10), Location("b", 1)]


def test_a_listener_hears_of_each_place_once() -> None:
    notices, heard = SessionNotices(), list[PrerenderSessionError]()
    notices.add(PLACE, "before", mend=MEND_PRERENDERED)
    notices.listen(heard.append)
    assert [fault.location for fault in heard] == [PLACE]
    for page in ("before", "after", "after"):
        notices.add(PLACE, page, mend=MEND_PRERENDERED)
        notices.add(Location("middleware.py", 1), page, mend=MEND_PRERENDERED)
    assert [fault.location for fault in heard] == [PLACE, Location("middleware.py", 1)]
