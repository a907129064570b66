"""The example by the measures of others: html-validate, axe in light and dark, sizes of pictures, shifts of layout."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from tests.check.test_planted import found
from tests.e2e.browsers import browser
from tests.e2e.support import Server
from tests.tools import html_faults, package

__all__ = ["browser"]

EXAMPLE = Path(__file__).parents[2] / "example-site"
LEFT_OUT = shutil.ignore_patterns("dist", ".hybridsite", "__pycache__", ".dist-*")
ON_DEMAND = ("/cart/", "/login/", "/ask/", "/checkout/", "/account/", "/nowhere/")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("quality") / "site"
    shutil.copytree(EXAMPLE, site, ignore=LEFT_OUT)
    return site


@pytest.fixture(scope="module")
def server(shop: Path) -> Iterator[Server]:
    with Server(shop) as server:
        yield server


@pytest.fixture(scope="module")
def pages(shop: Path, server: Server) -> dict[str, str]:
    """Every page of the shop by its path, the built ones and those rendered on demand."""
    client = shop / "dist/client"
    built = {f"/{path.relative_to(client).as_posix()}": path.read_text("utf-8") for path in client.rglob("*.html")}
    with httpx.Client(base_url=server.url) as visitor:
        home = visitor.get("/shop/woad/").text
        action = re.findall(r'<form class="buy" method="post" action="([^"]+)"', home)[0]
        visitor.post(action, data={"product": "woad", "quantity": "2", "do": "add"}, headers={"Origin": server.url})
        return built | {path: visitor.get(path, follow_redirects=True).text for path in ON_DEMAND}


def test_the_example_passes_its_own_check(shop: Path) -> None:
    assert found(shop) == ()


def test_html_validate_finds_nothing(pages: dict[str, str], tmp_path: Path) -> None:
    assert html_faults(pages, tmp_path) == ""
    assert len(pages) > 18


def test_every_picture_keeps_its_place(pages: dict[str, str]) -> None:
    pictures = [tag for html in pages.values() for tag in re.findall(r"<img[^>]*>", html)]
    assert len(pictures) > 20
    assert [tag for tag in pictures if not re.search(r' width="\d+" height="\d+"', tag) or " alt=" not in tag] == []


def test_the_style_sheet_is_small(shop: Path, server: Server) -> None:
    sheets = list((shop / "dist/client/assets/css").glob("*.css"))
    assert sheets
    assert sum(sheet.stat().st_size for sheet in sheets) < 20_000


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, server: Server, pages: dict[str, str], scheme: str) -> None:
    axe = (package("axe-core") / "axe.min.js").read_text("utf-8")
    context = browser.new_context(base_url=server.url, color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    told = {}
    for path in sorted({path.removesuffix("index.html") for path in pages} - {"/404.html", "/500.html"}):
        page.goto(path)
        page.evaluate(axe)  # not as a script of the page: its Content-Security-Policy would refuse one
        for fault in page.evaluate("async () => (await axe.run()).violations"):
            told[path] = [fault["id"], [node["html"] for node in fault["nodes"]]]
    context.close()
    assert told == {}


@pytest.mark.browser
def test_nothing_shifts_as_the_page_comes(browser: Browser, server: Server) -> None:
    context = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    for path in ("/", "/shop/", "/shop/woad/", "/journal/"):
        page.goto(path, wait_until="networkidle")
        shift = page.evaluate(
            """() => new Promise(done => {
                let sum = 0
                new PerformanceObserver(list => { for (const one of list.getEntries()) sum += one.value })
                    .observe({ type: "layout-shift", buffered: true })
                requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(sum))))
            })"""
        )
        assert shift == 0, path
    context.close()
