"""Filters that write dates and numbers as people of a language do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hybridsite.errors import SiteError
from tests.e2e.support import write_site
from tests.inprocess import MEMORY, app_of, ask, built_here

TOML = '[site]\ntimezone = "Europe/Berlin"\n[i18n]\nlocales = ["en", "de"]\n' + MEMORY


@pytest.mark.parametrize(
    ("call", "english", "german"),
    [
        ("page.day | format_date", "Mar 4, 2026", "04.03.2026"),
        ("page.day | format_date('full')", "Wednesday, March 4, 2026", "Mittwoch, 4. März 2026"),
        ("page.at | format_datetime('short')", "3/5/26, 12:30\u202fAM", "05.03.26, 00:30"),
        ("page.at | format_date('short')", "3/5/26", "05.03.26"),
        ("page.at | format_time('short')", "12:30\u202fAM", "00:30"),
        ("1234567.25 | format_number", "1,234,567.25", "1.234.567,25"),
        ("0.256 | format_percent", "26%", "26\xa0%"),
        ("9.5 | format_currency('GBP')", "£9.50", "9,50\xa0£"),
    ],
)
def test_a_value_is_written_for_the_language_of_the_page(tmp_path: Path, call: str, english: str, german: str) -> None:
    page = f"---\nday: 2026-03-04\nat: 2026-03-04T23:30:00Z\n---\n<< {call} >>"
    app = app_of(write_site(tmp_path, {"site.toml": TOML, "pages/a.html": page, "pages/de/a.html": page}))
    assert (ask(app, "/a/").text, ask(app, "/de/a/").text) == (english, german)


def test_what_is_no_date_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r"pages/a\.html:1: format_date can't write 'soon'"):
        built_here(write_site(tmp_path, {"pages/a.html": "<< 'soon' | format_date >>"}))


def test_a_missing_babel_is_told_with_what_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "babel", None)
    with pytest.raises(SiteError, match=r'format_number needs Babel.*pip install "hybridsite\[i18n\]"'):
        built_here(write_site(tmp_path, {"pages/a.html": "<< 1 | format_number >>"}))
