"""The folder to zip: its handler, what lies beside it, and that a build looks whether it is still there."""

from __future__ import annotations

import ast
from pathlib import Path

from hybridsite.adapters.aws_lambda import FOLDER, HANDLER, MANGUM, LambdaAdapter
from hybridsite.adapters.functions import requirements_of
from hybridsite.settings import Settings
from tests.e2e.support import write_site
from tests.inprocess import ON_DEMAND, built_here, loaded

LAMBDA = '[site]\nurl = "https://shop.example"\n[build]\nadapter = "lambda"\n[build.function]\npackages = false\n'
FILES: dict[str, str | bytes] = {"site.toml": LAMBDA, "pages/index.html": f"{ON_DEMAND}now", "pages/a.html": "a"}


def test_nothing_stays_there_but_connections_can_be_made() -> None:
    host = LambdaAdapter().host(Settings())
    assert (host.answers, host.offers, host.session_driver) == (True, frozenset(("sockets",)), None)


def test_the_handler_has_the_name_that_the_guide_tells_and_finds_its_packages_first(tmp_path: Path) -> None:
    root = write_site(tmp_path, FILES)
    built_here(root)
    tree = ast.parse((root / FOLDER / "function" / HANDLER).read_text("utf-8"))
    names = [
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    assert (HANDLER, names[-1]) == ("handler.py", "handler")
    shown = [ast.unparse(node) for node in tree.body]
    path = next(number for number, text in enumerate(shown) if text.startswith("sys.path.insert(0"))
    assert path < shown.index("from hybridsite.serverless import lambda_handler")


def test_the_whole_site_is_in_it_files_too(tmp_path: Path) -> None:
    root = write_site(tmp_path, FILES)
    built_here(root)
    assert (root / FOLDER / "function/dist/client/a/index.html").read_text() == "a"
    assert (root / FOLDER / ".gitignore").read_text() == "*\n"


def test_what_was_removed_is_written_by_the_next_build(tmp_path: Path) -> None:
    root = write_site(tmp_path, FILES)
    built_here(root)
    handler = root / FOLDER / "function" / HANDLER
    written = handler.read_text("utf-8")
    handler.unlink()
    built_here(root)
    assert handler.read_text("utf-8") == written


def test_packages_that_pip_installs_are_not_left_to_others_too(tmp_path: Path) -> None:
    root = write_site(tmp_path, FILES)
    built_here(root)
    listed = (root / FOLDER / "requirements.txt").read_text().splitlines()[1:]
    assert listed == requirements_of(loaded(root, FILES), MANGUM)
    assert set(MANGUM) <= set(listed)
