"""What a site needs of packages where it is served: extras by its settings, and lines of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridsite.adapters.requirements import DRIVERS, extras_of, own_requirements
from hybridsite.errors import SourceError
from tests.inprocess import loaded

REDIS_CACHE = '[cache]\ndriver = "redis"\noptions = { url = "redis://localhost" }\n'
TWO = '[site]\nlanguage = "en"\n[i18n]\nlocales = ["en", "de"]\n'


@pytest.mark.parametrize(
    ("settings", "extras"),
    [
        ("", []),
        ('[session]\ndriver = "redis"\n', ["redis"]),
        ('[session]\ndriver = "postgres"\n', ["postgres"]),
        ('[session]\ndriver = "memory"\n', []),
        ("[session]\ndriver = false\n", []),
        (REDIS_CACHE, ["redis"]),
        (f'[session]\ndriver = "redis"\n{REDIS_CACHE}', ["redis"]),
        (f'[session]\ndriver = "upstash"\n{REDIS_CACHE}', ["upstash", "redis"]),
        (TWO, ["i18n"]),
    ],
)
def test_extras_are_those_that_serving_uses(tmp_path: Path, settings: str, extras: list[str]) -> None:
    assert extras_of(loaded(tmp_path, {"site.toml": settings, "pages/index.html": ""})) == extras


def test_every_driver_with_a_package_of_its_own_is_an_extra() -> None:
    import tomllib

    declared = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    assert set(DRIVERS) <= declared["project"]["optional-dependencies"].keys()


def test_a_site_s_own_lines_are_taken_as_they_are(tmp_path: Path) -> None:
    assert own_requirements(tmp_path) == []
    (tmp_path / "requirements.txt").write_text("# mine\nbabel>=2\n\n--index-url https://x.example\n")
    assert own_requirements(tmp_path) == ["# mine", "babel>=2", "", "--index-url https://x.example"]


def test_one_that_can_t_be_read_is_told_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_bytes(b"\xff")
    with pytest.raises(SourceError, match=r"^requirements\.txt: the file can't be read"):
        own_requirements(tmp_path)
    (tmp_path / "requirements.txt").unlink()
    (tmp_path / "requirements.txt").mkdir()
    with pytest.raises(SourceError, match=r"^requirements\.txt: the file can't be read"):
        own_requirements(tmp_path)
