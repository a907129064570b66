"""What `hybridsite new` makes, as whoever begins with it meets it: checked, built, served, tested, looked at."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser

from hybridsite.config import json_schema
from hybridsite.starting import SCHEMA, STARTERS
from tests.e2e.browsers import SIZES, browser
from tests.e2e.support import COMMAND, Hybridsite, Serve, Server, built, tree
from tests.e2e.test_own_tests import own_tests
from tests.tools import html_faults, package

__all__ = ["browser"]

ON_DEMAND = {"blog": ["/nowhere/"], "shop": ["/cart/", "/checkout/", "/nowhere/"], "minimal": ["/visits/", "/nowhere/"]}


@pytest.fixture(scope="module", params=STARTERS)
def starter(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def site(starter: str, tmp_path_factory: pytest.TempPathFactory, hybridsite: Hybridsite) -> Path:
    folder = tmp_path_factory.mktemp("new") / "my-site"
    done = hybridsite("new", folder, "--template", starter)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[Server]:
    done = built(site, "--strict")
    assert done.stderr == ""
    with Server(site, "--no-build") as server:
        yield server


def test_check_finds_nothing_not_even_to_warn_of(site: Path, hybridsite: Hybridsite) -> None:
    done = hybridsite("check", "--strict", site)
    assert (done.returncode, done.stdout, done.stderr) == (0, "nothing is wrong\n", "")


def test_its_own_tests_pass_and_there_are_some(site: Path) -> None:
    before = {name for name in tree(site) if not name.startswith((".hybridsite", "dist"))}
    done = own_tests(site)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"^(\d+) passed in", done.stdout, re.MULTILINE)
    assert passed, done.stdout
    assert int(passed[1]) >= 5
    assert {name for name in tree(site) if not name.startswith((".hybridsite", "dist"))} == before


def test_dev_writes_the_schema_that_a_fresh_copy_lacks(tmp_path: Path, hybridsite: Hybridsite) -> None:
    site = tmp_path / "site"
    hybridsite("new", site, "--template", "minimal")
    shutil.rmtree(site / ".hybridsite")
    with Server(site, command=lambda port: [*COMMAND, "dev", str(site), "--port", str(port)]):
        assert json.loads((site / SCHEMA).read_bytes()) == json_schema()


def test_it_is_small_and_needs_no_script_of_its_own(site: Path, server: Server) -> None:
    sheets = list((site / "dist/client/assets/css").glob("*.css"))
    assert sum(sheet.stat().st_size for sheet in sheets) < 6000
    assert list(site.glob("assets/**/*.js")) == []
    templates = [*site.glob("layouts/*.html"), *site.glob("pages/**/*.html"), *site.glob("components/*.html")]
    assert max(len(path.read_text("utf-8").splitlines()) for path in templates) <= 45


def pages(site: Path, starter: str, server: Server) -> dict[str, str]:
    """Gives every page by its path, those of a visitor who has something in the cart."""
    client = site / "dist/client"
    found = {f"/{path.relative_to(client).as_posix()}": path.read_text("utf-8") for path in client.rglob("*.html")}
    with httpx.Client(base_url=server.url, headers={"Origin": server.url}, follow_redirects=True) as visitor:
        if starter == "shop":
            visitor.post("/_actions/add_to_cart", data={"product": "harbour"})
        found |= {path: visitor.get(path).text for path in ON_DEMAND[starter]}
        if starter == "shop":
            found["/checkout/?"] = visitor.post(
                "/_actions/place_order", data={"name": ""}, headers={"Referer": f"{server.url}/checkout/"}
            ).text
            order = {"name": "Ann", "address": "Lane 1"}
            found["/thanks/"] = visitor.post("/_actions/place_order", data=order).text
            assert "Please fill this in." in found["/checkout/?"]
            assert "Thank you, Ann." in found["/thanks/"]
    return found


def test_html_validate_finds_nothing(site: Path, starter: str, server: Server, tmp_path: Path) -> None:
    found = pages(site, starter, server)
    assert html_faults(found, tmp_path) == ""
    assert len(found) >= 4


@pytest.mark.browser
@pytest.mark.parametrize(
    ("scheme", "size"),
    [
        ("light", "desktop"),
        ("dark", "phone"),
        pytest.param("dark", "desktop", marks=pytest.mark.long),
        pytest.param("light", "phone", marks=pytest.mark.long),
    ],
)
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(
    browser: Browser, site: Path, starter: str, server: Server, scheme: Literal["light", "dark"], size: str
) -> None:
    axe = (package("axe-core") / "axe.min.js").read_text("utf-8")
    width, height = SIZES[size]
    context = browser.new_context(
        base_url=server.url,
        color_scheme=scheme,
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
    )
    page = context.new_page()
    client = site / "dist/client"
    folders = [path.parent.relative_to(client) for path in client.rglob("index.html")]
    paths = {f"/{folder.as_posix()}/".replace("/./", "/") for folder in folders}
    if starter == "shop":  # by the buttons, as a visitor would
        page.goto("/prints/harbour/")
        page.get_by_role("button", name="Add to cart").click()
        page.wait_for_url("**/cart/")
    told = {}
    for path in sorted(paths | {*ON_DEMAND[starter]}):
        page.goto(path)
        page.evaluate(axe)  # not as a script of the page: its Content-Security-Policy would refuse one
        for fault in page.evaluate("async () => (await axe.run()).violations"):
            told[path] = [fault["id"], [node["html"] for node in fault["nodes"]]]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            told[path] = ["wider than the screen"]
    context.close()
    assert told == {}


@pytest.mark.browser
def test_the_number_beside_the_cart_follows_on_pages_that_all_share(
    browser: Browser, tmp_path: Path, hybridsite: Hybridsite, serve: Serve
) -> None:
    hybridsite("new", tmp_path / "till", "--template", "shop")
    context = browser.new_context(base_url=serve(tmp_path / "till").url)
    faults: list[str] = []
    context.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page = context.new_page()
    page.goto("/prints/noon/")
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_role("link", name="Till").click()
    page.get_by_role("link", name="Cart 1 print").wait_for()
    context.close()
    assert faults == []  # none of its Content-Security-Policy either
