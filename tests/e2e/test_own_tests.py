"""Sites that test themselves with hybridsite.testing, run as their authors would: by pytest, in their folder."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.support import environment, tree

EXAMPLE = Path(__file__).parents[2] / "example-site"
STARTERS = EXAMPLE.parent / "hybridsite/starters"
LEFT_OUT = shutil.ignore_patterns("dist", ".hybridsite", "__pycache__", ".pytest_cache")


def own_tests(site: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Runs a site's tests in its folder. With -P, since pytest was started by its own name."""
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *args]
    env = environment({"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(EXAMPLE.parent)})
    return subprocess.run(command, cwd=site, env=env, capture_output=True, encoding="utf-8", timeout=100)


@pytest.mark.parametrize(
    "place", [EXAMPLE, *(toml.parent for toml in sorted(STARTERS.glob("*/site.toml")))], ids=lambda place: place.name
)
def test_a_sites_tests_go_by_its_own_settings_inside_another_project(tmp_path: Path, place: Path) -> None:
    around = "[tool.pytest.ini_options]\naddopts = '--option-of-the-project-around'\n"
    (tmp_path / "pyproject.toml").write_text(around, "utf-8")
    shutil.copytree(place, tmp_path / "site", ignore=LEFT_OUT)
    done = own_tests(tmp_path, "site", "--collect-only")  # as the README has it: by the name of the folder
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_examples_own_tests_pass_and_leave_it_as_it_is(tmp_path: Path) -> None:
    site = shutil.copytree(EXAMPLE, tmp_path / "site", ignore=LEFT_OUT)
    before = tree(site)
    done = own_tests(site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^9 passed", done.stdout, re.MULTILINE), done.stdout
    assert tree(site) == before


def test_the_examples_own_tests_fail_where_the_shop_breaks_its_promise(tmp_path: Path) -> None:
    site = shutil.copytree(EXAMPLE, tmp_path / "site", ignore=LEFT_OUT)
    cart = site / "pages/cart.py"
    cart.write_text(cart.read_text("utf-8").replace('update("cart", changed, {})', 'get("cart")'), "utf-8")
    done = own_tests(site, "-k", "cart and session")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "test_what_is_put_into_the_cart_is_in_the_session" in done.stdout


def test_a_site_that_does_not_build_is_told_by_its_sentence_without_lines_of_hybridsite(tmp_path: Path) -> None:
    site = shutil.copytree(STARTERS / "minimal", tmp_path / "site", ignore=LEFT_OUT)
    page = site / "pages/index.html"
    page.write_text(page.read_text("utf-8").replace("Hello. This", "<< page.titel >>"), "utf-8")
    done = own_tests(site, "-k", "visits")
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r'^E +hybridsite\.errors\.TemplateError: pages/index\.html:7:\d+: .*"titel"', done.stdout, re.M)
    told = [line for line in done.stdout.splitlines() if re.match(r"\S+\.py:\d+: ", line)]
    assert {line.split(":")[0] for line in told} == {"tests/test_site.py"}, done.stdout
    assert "direct cause" not in done.stdout
