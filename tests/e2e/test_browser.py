"""The example shop in a real browser, at the sizes of a desk and of a hand: what one tab does, the other sees."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.browsers import SIZES, browser
from tests.e2e.support import COOKIE, Server

__all__ = ["browser"]
pytestmark = pytest.mark.browser

EXAMPLE = Path(__file__).parents[2] / "example-site"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    site = tmp_path_factory.mktemp("shop") / "site"
    shutil.copytree(EXAMPLE, site, ignore=shutil.ignore_patterns("dist", ".hybridsite", "__pycache__"))
    with Server(site) as server:
        yield server


@pytest.fixture(params=SIZES)
def visitor(request: pytest.FixtureRequest, browser: Browser, server: Server) -> Iterator[BrowserContext]:
    """Gives a browser without a history. Errors on its console, and each answer that is one, are failures."""
    width, height = SIZES[request.param]
    context = browser.new_context(
        base_url=server.url,
        viewport={"width": width, "height": height},
        has_touch=request.param == "phone",
        is_mobile=request.param == "phone",
        reduced_motion="reduce",
    )
    context.set_default_timeout(20_000)
    faults: list[str] = []
    context.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    context.on("weberror", lambda error: faults.append(str(error.error)))
    context.on("response", lambda answer: faults.append(answer.url) if answer.status >= 400 else None)
    yield context
    assert faults == []
    context.close()


def add_a_bottle(page: Page) -> str:
    """Goes through the shop to the first ink, puts a bottle into the cart, and gives the ink's name."""
    page.goto("/")
    page.get_by_role("navigation").get_by_role("link", name="Inks").click()
    page.wait_for_url("**/shop/")
    page.locator("main a[href^='/shop/']").first.click()
    page.wait_for_url(re.compile(r"/shop/[^/]+/$"))
    name = page.get_by_role("heading", level=1).inner_text()
    page.locator("form[action='/cart/'] button").first.click()
    page.wait_for_url("**/cart/")
    return name


def sign_in(page: Page, name: str) -> None:
    page.goto("/login/")
    page.get_by_label("Your name").fill(name)
    page.locator("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/account/")


def bottles(page: Page) -> str:
    return page.locator("nav .count").inner_text().split()[0]


def session_cookies(visitor: BrowserContext) -> list[dict[str, object]]:
    return [dict(cookie) for cookie in visitor.cookies() if cookie.get("name") == COOKIE]


def test_what_one_tab_adds_the_other_sees(visitor: BrowserContext) -> None:
    first, second = visitor.new_page(), visitor.new_page()
    second.goto("/cart/")
    assert bottles(second) == "0"
    assert session_cookies(visitor) == []  # a looker has none
    name = add_a_bottle(first)
    assert bottles(first) == "1"
    second.reload()
    assert bottles(second) == "1"
    expect(second.locator("main").get_by_role("link", name=name)).to_be_visible()
    add_a_bottle(second)
    first.reload()
    assert bottles(first) == "2"
    expect(first.get_by_label(f"Bottles of {name}")).to_have_value("2")


def test_who_signs_out_in_one_tab_is_out_in_the_other(visitor: BrowserContext) -> None:
    # case S5, case S6
    first, second = visitor.new_page(), visitor.new_page()
    name = add_a_bottle(first)
    before = session_cookies(visitor)
    sign_in(first, "Ann Inkwell")
    assert session_cookies(visitor)[0]["value"] != before[0]["value"]
    second.goto("/account/")
    expect(second.get_by_role("navigation").get_by_role("link", name="Ann Inkwell")).to_be_visible()
    second.goto("/cart/")
    expect(second.locator("main").get_by_role("link", name=name)).to_be_visible()  # what was in the cart is kept
    first.locator("form[action*='logout'] button").click()
    first.wait_for_url(lambda url: "/account/" not in url)
    assert session_cookies(visitor) == []
    second.goto("/account/")
    assert second.url.endswith("/login/")
    second.goto("/cart/")
    assert bottles(second) == "0"
    second.go_back()  # a page that nobody may keep is asked for again
    assert "Ann Inkwell" not in second.locator("body").inner_text()


def test_the_cookie_is_the_browsers_alone(visitor: BrowserContext) -> None:
    page = visitor.new_page()
    add_a_bottle(page)
    (cookie,) = session_cookies(visitor)
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("Object.keys(localStorage).concat(Object.keys(sessionStorage))") == []


def test_another_browser_sees_nothing_of_it(visitor: BrowserContext, browser: Browser, server: Server) -> None:
    sign_in(visitor.new_page(), "Ann Inkwell")
    stranger = browser.new_context(base_url=server.url)
    page = stranger.new_page()
    page.goto("/account/")
    assert page.url.endswith("/login/")
    assert "Ann Inkwell" not in page.content()
    stranger.close()


@pytest.mark.parametrize("path", ["/", "/shop/", "/cart/", "/login/", "/about/", "/journal/"])
def test_no_page_is_wider_than_the_window(visitor: BrowserContext, path: str) -> None:
    page = visitor.new_page()
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
