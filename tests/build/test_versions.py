"""What has to be the same on two machines, and how a difference is told."""

from __future__ import annotations

from hybridsite import __version__
from hybridsite.build.versions import difference, versions


def test_all_that_takes_part_in_a_page_is_among_them() -> None:
    found = versions()
    assert found["hybridsite"] == __version__
    assert found["Python"].startswith("CPython 3.")
    assert {"jinja2", "pyromark", "pygments", "pillow", "babel"} <= found.keys()
    assert not {"redis", "psycopg", "distributed", "pagefind"} & found.keys()


def test_what_differs_is_told_by_name_with_both_versions() -> None:
    here = {"hybridsite": "1.0", "hybridsite's files": "a", "Python": "CPython 3.12.1"}
    assert difference(here, dict(here)) == ""
    assert difference(here, here | {"Python": "CPython 3.11.7"}) == "Python CPython 3.11.7 instead of CPython 3.12.1"
    assert difference(here, here | {"hybridsite": "0.9", "hybridsite's files": "b"}) == "hybridsite 0.9 instead of 1.0"
    assert difference(here, here | {"hybridsite's files": "b"}) == ("hybridsite has the same version, and other files")
    assert difference(here, {"hybridsite": "1.0", "hybridsite's files": "a"}).startswith("Python (none) instead")
