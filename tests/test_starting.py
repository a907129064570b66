"""new_site(): where it writes and where it doesn't, titles, and the schema that editors read."""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.config import json_schema, load_settings
from hybridsite.errors import SiteError
from hybridsite.starting import SCHEMA, SCHEMA_LINE, STARTERS, check_place, check_title, keep_schema, new_site, title_of
from tests.e2e.support import tree


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("my-site", "My site"),
        ("tea_and.cakes", "Tea and cakes"),
        ("Küche", "Küche"),
        ("--", "My site"),
        ("iPhone", "IPhone"),
    ],
)
def test_a_title_is_made_of_the_name_of_the_folder(tmp_path: Path, name: str, title: str) -> None:
    assert title_of(tmp_path / name) == title


def test_the_folder_one_is_in_has_a_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my-tea").mkdir()
    monkeypatch.chdir(tmp_path / "my-tea")
    assert title_of(Path()) == "My tea"


@pytest.mark.parametrize("starter", STARTERS)
def test_a_starter_has_its_title_and_settings_that_hold(tmp_path: Path, starter: str) -> None:
    number = new_site(tmp_path / "site", starter, "Tea & “cakes”")
    settings = load_settings(tmp_path / "site", {})
    assert settings.site.title == "Tea & “cakes”"
    assert (tmp_path / "site/README.md").read_text("utf-8").startswith("# Tea & “cakes”\n")
    assert number == len(tree(tmp_path / "site")) - 1  # the schema is nobody's to write
    document = tomllib.loads((tmp_path / "site/site.toml").read_text("utf-8"))
    jsonschema.validate(document, json_schema())
    ignored = (tmp_path / "site/.gitignore").read_text("utf-8").splitlines()
    assert {".hybridsite/", "dist/", "__pycache__/"} <= set(ignored)


@given(title=st.text(min_size=1, max_size=60))
def test_any_title_that_is_taken_is_the_one_that_the_site_has(
    tmp_path_factory: pytest.TempPathFactory, title: str
) -> None:
    site = tmp_path_factory.mktemp("titled") / "site"
    if not title.isprintable() or not title.strip():
        with pytest.raises(SiteError, match="the title"):
            check_title(title)
        with pytest.raises(SiteError, match="the title"):
            new_site(site, "minimal", title)
        assert not site.exists()
    else:
        new_site(site, "minimal", title)
        assert load_settings(site, {}).site.title == title


@pytest.mark.parametrize("there", ["README.md", "site.toml", ".gitignore", ".hybridsite"])
def test_nothing_is_written_where_something_is(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(SiteError, match=r"is not empty; it has .*; name a folder that is empty or isn't there yet"):
        new_site(tmp_path, "blog", "Mine")
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_hidden_files_of_others_are_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".venv").mkdir()
    new_site(tmp_path, "minimal", "Mine")
    assert (tmp_path / "site.toml").is_file()


def test_where_a_file_is_there_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    with pytest.raises(SiteError, match="is no folder; name a folder that isn't there yet"):
        check_place(tmp_path / "x")
    with pytest.raises(SiteError, match="is no folder"):
        new_site(tmp_path / "x" / "y", "blog", "Mine")


def test_what_an_installer_compiled_is_no_part_of_a_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hybridsite import starting

    starter = tmp_path / "starters/own"
    new_site(starter, "minimal", "Own")
    (starter / "pages/__pycache__").mkdir()
    (starter / "pages/__pycache__/visits.cpython-311.pyc").write_bytes(b"x")
    monkeypatch.setattr(starting, "_FOLDER", tmp_path / "starters")
    new_site(tmp_path / "site", "own", "Mine")
    assert not (tmp_path / "site/pages/__pycache__").exists()


def test_the_schema_lies_where_the_first_line_says(tmp_path: Path) -> None:
    new_site(tmp_path / "site", "minimal", "Mine")
    first = (tmp_path / "site/site.toml").read_text("utf-8").splitlines()[0]
    assert first == SCHEMA_LINE == "#:schema ./.hybridsite/site.schema.json"
    assert json.loads((tmp_path / "site" / SCHEMA).read_bytes()) == json_schema()
    assert stat.S_IMODE((tmp_path / "site/.hybridsite").stat().st_mode) == 0o700


def test_the_schema_is_kept_up_to_date_where_a_site_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text('[site]\ntitle = "x"\n')
    keep_schema(tmp_path)
    assert not (tmp_path / SCHEMA).exists()
    (tmp_path / "site.toml").write_text(f'{SCHEMA_LINE}\n[site]\ntitle = "x"\n')
    keep_schema(tmp_path)
    before = (tmp_path / SCHEMA).stat()
    keep_schema(tmp_path)
    assert (tmp_path / SCHEMA).stat().st_mtime_ns == before.st_mtime_ns
    (tmp_path / SCHEMA).write_text("of an older version")
    keep_schema(tmp_path)
    assert json.loads((tmp_path / SCHEMA).read_bytes()) == json_schema()
    assert [path.name for path in (tmp_path / ".hybridsite").iterdir()] == ["site.schema.json"]


def test_a_folder_that_is_no_site_gets_no_schema(tmp_path: Path) -> None:
    keep_schema(tmp_path)
    assert list(tmp_path.iterdir()) == []
