"""Forms in a real browser, with scripts and without: errors beside their fields, and nothing is posted twice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.browsers import browser
from tests.e2e.support import Server, write_site
from tests.e2e.test_browser import EXAMPLE, sign_in

__all__ = ["browser"]
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    site = tmp_path_factory.mktemp("forms") / "site"
    shutil.copytree(EXAMPLE, site, ignore=shutil.ignore_patterns("dist", ".hybridsite", "__pycache__"))
    with Server(site) as server:
        yield server


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def visitor(request: pytest.FixtureRequest, browser: Browser, server: Server) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=server.url, java_script_enabled=request.param)
    context.set_default_timeout(20_000)
    yield context
    context.close()


def posts(visitor: BrowserContext) -> list[str]:
    """Gives a list that grows with each form that the browser sends."""
    sent: list[str] = []
    visitor.on("request", lambda asked: sent.append(asked.url) if asked.method == "POST" else None)
    return sent


def ask_the_shop(page: Page, name: str, text: str) -> None:
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Your question").fill(text)
    page.locator("main").get_by_role("button", name="Ask").click()
    page.wait_for_url("**/ask/")


def test_an_error_stands_beside_its_field_and_what_was_typed_is_kept(visitor: BrowserContext) -> None:
    # case B4
    page = visitor.new_page()
    page.goto("/ask/")
    ask_the_shop(page, "", "Why is it green?")
    field = page.locator(".field", has=page.get_by_label("Your name"))
    expect(field.locator(".problem")).to_have_text("Please fill this in.")
    name = page.get_by_label("Your name")
    expect(name).to_have_attribute("aria-invalid", "true")
    described = name.get_attribute("aria-describedby")
    assert page.locator(f"#{described}").inner_text() == "Please fill this in."
    wrong, box = field.locator(".problem").bounding_box(), name.bounding_box()
    assert wrong is not None
    assert box is not None
    assert 0 <= box["y"] - (wrong["y"] + wrong["height"]) < 40  # above its own field, and near
    expect(page.get_by_label("Your question")).to_have_value("Why is it green?")
    expect(page.get_by_label("Your question")).not_to_have_attribute("aria-invalid", "true")
    ask_the_shop(page, "Ann", "Why is it green?")
    expect(page.get_by_role("status")).to_contain_text("Thank you, Ann.")
    expect(page.locator(".problem")).to_have_count(0)


def test_reload_and_back_post_nothing_again(visitor: BrowserContext) -> None:
    page = visitor.new_page()
    sent = posts(visitor)
    page.goto("/ask/")
    ask_the_shop(page, "Ann", "Why is it green?")
    expect(page.get_by_role("status")).to_be_visible()
    page.reload()
    expect(page.get_by_role("status")).to_have_count(0)  # shown once
    page.goto("/shop/")
    page.go_back()
    page.wait_for_url("**/ask/")
    page.go_back()
    page.go_forward()
    assert len(sent) == 1, sent


def test_a_bottle_is_added_once_whatever_the_visitor_does_after(visitor: BrowserContext) -> None:
    page = visitor.new_page()
    sent = posts(visitor)
    page.goto("/shop/woad/")
    page.locator("form[action='/cart/'] button").first.click()
    page.wait_for_url("**/cart/")
    page.reload()
    page.go_back()
    page.wait_for_url("**/shop/woad/")
    page.go_forward()
    page.wait_for_url("**/cart/")
    assert page.locator("nav .count").inner_text().split()[0] == "1"
    assert len(sent) == 1, sent


def test_a_guarded_page_is_gone_with_the_sign_in(visitor: BrowserContext) -> None:
    # case P2
    page = visitor.new_page()
    page.goto("/account/pot-book/")
    assert page.url.endswith("/login/")
    sign_in(page, "Ann Inkwell")
    page.get_by_role("link", name="the pot book").click()
    page.wait_for_url("**/account/pot-book/")
    expect(page.locator("main")).to_contain_text("beside the copper")
    page.get_by_role("link", name="Back to your account").click()
    page.locator("form[action*='logout'] button").click()
    page.wait_for_url(lambda url: "/account/" not in url)
    page.go_back()
    page.go_back()  # to the pot book, which the browser may not have kept
    assert "beside the copper" not in page.locator("body").inner_text()
    page.goto("/account/pot-book/")
    assert page.url.endswith("/login/")


def test_a_policy_lets_a_page_s_own_scripts_run_and_no_others(browser: Browser, tmp_path: Path) -> None:
    # case X1
    shown = "<p id=own></p><p id=evil></p><script>own.textContent = 'ran'</script>"
    shown += "<style>#own { color: rgb(1, 2, 3) }</style>"
    evil = "<script>evil.textContent = 'ran'</script><img src=x onerror=\"evil.textContent = 'ran'\">"
    files = {
        "site.toml": "[security]\ncsp = true\n",
        "pages/built.html": shown + "<script src='/own.js'></script>",
        "pages/now.html": "---\nprerender: false\n---\n" + shown + "<< typed | safe >>",
        "pages/now.py": "from urllib.parse import unquote\n"
        "def load(context):\n    return {'typed': unquote(context.url.query)}",
        "public/own.js": "own.dataset.file = 'ran'",
        "public/x": "",
    }
    with Server(write_site(tmp_path / "site", files)) as server:
        page = browser.new_page(base_url=server.url)
        for path in ("/built/", f"/now/?{evil}"):
            page.goto(path)
            assert page.locator("#own").inner_text() == "ran"
            assert page.locator("#own").evaluate("own => getComputedStyle(own).color") == "rgb(1, 2, 3)"
            assert page.locator("#evil").inner_text() == ""
        assert "onerror" in page.content()  # it came, and did nothing
        page.goto("/built/")
        assert page.locator("#own").get_attribute("data-file") == "ran"
        page.close()
