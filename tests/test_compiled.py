"""The code of templates is kept for the next build, and believed only where nobody else could have written it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import CodeType

import pytest

from hybridsite.build.plan import rendered_now
from hybridsite.compiled import Compiled, compiled, keeping
from hybridsite.errors import Faults
from hybridsite.site import BUILD, load_site
from tests.e2e.support import write_files

PARTS = ("pages/a.html", "<p>")


def made(text: str) -> Callable[[], CodeType]:
    return lambda: compile(text, "a.html", "eval")


def never() -> CodeType:
    raise AssertionError("it is compiled again")


def kept(file: Path, tool: str = "1") -> None:
    one = Compiled(file, tool)
    one.code(PARTS, made("1"))
    one.keep()


def is_believed(file: Path, tool: str = "1") -> bool:
    return bool(eval(Compiled(file, tool).code(PARTS, made("2"))) == 1)


def test_what_one_build_compiles_the_next_one_does_not(tmp_path: Path) -> None:
    kept(tmp_path / "cache/templates")
    assert eval(Compiled(tmp_path / "cache/templates", "1").code(PARTS, never)) == 1


@pytest.mark.parametrize("parts", [("pages/a.html", "<p><b>"), ("pages/b.html", "<p>"), ("pages/a.html",)])
def test_another_template_is_compiled(tmp_path: Path, parts: tuple[str, ...]) -> None:
    kept(tmp_path / "templates")
    assert eval(Compiled(tmp_path / "templates", "1").code(parts, made("2"))) == 2


def test_what_another_version_compiled_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(tmp_path / "templates")
    assert not is_believed(tmp_path / "templates", "2")
    with monkeypatch.context() as patched:
        patched.setattr("jinja2.__version__", "0.0")
        assert not is_believed(tmp_path / "templates")
    with monkeypatch.context() as patched:
        patched.setattr("sys.version", "another Python")
        assert not is_believed(tmp_path / "templates")
    assert is_believed(tmp_path / "templates")


@pytest.mark.parametrize("at", [0, 10, 60, 95, 170, -1])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, at: int) -> None:
    file = tmp_path / "templates"
    kept(file)
    body = bytearray(file.read_bytes())
    body[at] ^= 1
    for spoiled in (bytes(body), file.read_bytes()[:at], b""):
        file.write_bytes(spoiled)
        assert not is_believed(file)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_not_believed(tmp_path: Path, mode: int) -> None:
    kept(tmp_path / "templates")
    (tmp_path / "templates").chmod(mode)
    assert not is_believed(tmp_path / "templates")


def test_a_folder_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    kept(tmp_path / "cache/templates")
    (tmp_path / "cache").chmod(0o777)
    assert not is_believed(tmp_path / "cache/templates")


def test_a_link_is_not_believed(tmp_path: Path) -> None:
    kept(tmp_path / "theirs/templates")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/templates").symlink_to(tmp_path / "theirs/templates")
    (tmp_path / "linked").symlink_to(tmp_path / "theirs")
    assert not is_believed(tmp_path / "cache/templates")
    assert not is_believed(tmp_path / "linked/templates")


def test_a_file_of_another_user_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(tmp_path / "templates")
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    assert not is_believed(tmp_path / "templates")


def test_what_is_kept_is_readable_for_its_user_alone_and_no_more_than_was_used(tmp_path: Path) -> None:
    file = tmp_path / "templates"
    kept(file)
    other = Compiled(file, "1")
    other.code(("pages/b.html",), made("3"))
    other.keep()
    assert file.stat().st_mode & 0o077 == 0
    assert not is_believed(file)
    assert os.listdir(tmp_path) == ["templates"]


def test_a_folder_that_cannot_be_written_costs_time_alone(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    kept(tmp_path / "cache/templates")
    assert not is_believed(tmp_path / "cache/templates")


# ---- sites

SITE = {
    "site.toml": "",
    "layouts/base.html": "{% from 'components/card.html' import card %}<< card('a') >>{% block main %}{% endblock %}",
    "components/card.html": "{% macro card(x) %}[<< x >>]{% endmacro %}",
    "pages/index.html": "{% extends 'layouts/base.html' %}{% block main %}<< 1 + 1 >>{% endblock %}",
}


def compilations(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Loads a site as a build does, and names the templates that were compiled."""
    from jinja2 import Environment

    found: list[str] = []
    with monkeypatch.context() as patched:
        compile_ = Environment.compile

        def counting(self: Environment, source: object, name: str, filename: str) -> object:
            found.append(name)
            return compile_(self, source, name, filename)  # type: ignore[call-overload]

        patched.setattr(Environment, "compile", counting)
        with keeping(root / ".hybridsite/cache/templates", "1"):
            site = load_site(root, BUILD, environ={}, faults=Faults())
            site.templates.prepare(rendered_now(site))
    page = site.templates.get("pages/index.html")
    assert page.render() == "[a]2"
    return sorted(found)


def test_a_site_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, SITE)
    assert compilations(tmp_path, monkeypatch) == sorted(name for name in SITE if name.endswith(".html"))
    assert compilations(tmp_path, monkeypatch) == []
    # A macro that asks for a name of the page gets its context, by the template that imports it.
    write_files(tmp_path, {"components/card.html": "{% macro card(x) %}[<< x >>]<< url.path if false >>{% endmacro %}"})
    assert compilations(tmp_path, monkeypatch) == ["components/card.html", "layouts/base.html"]


def test_a_server_keeps_nothing() -> None:
    assert compiled() is None
