"""The search of the example in a browser: by typing, by keys, and without a script."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browsers import browser
from tests.e2e.support import Server
from tests.e2e.test_quality import EXAMPLE, LEFT_OUT

__all__ = ["browser"]

pytestmark = pytest.mark.browser
WITH_CSP = "\n[security]\ncsp = { style-src-attr = [\"'unsafe-inline'\"] }\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    site: Path = tmp_path_factory.mktemp("search") / "site"
    shutil.copytree(EXAMPLE, site, ignore=LEFT_OUT)
    with (site / "site.toml").open("a") as file:
        file.write(WITH_CSP)
    with Server(site) as server:
        yield server


def test_what_is_typed_is_found_told_and_reached_by_keys(browser: Browser, server: Server) -> None:
    page = browser.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(f"{server.url}/search/")
    page.get_by_label("Words").press_sequentially("madder")
    outcome = page.get_by_role("status")
    expect(outcome).to_contain_text("found")
    expect(page.locator("#found a").first).to_be_visible()
    assert page.locator("#found a").first.inner_text().startswith("Madder")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#found a").first).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label("Words")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Find")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#found a").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Madder")
    assert errors == []
    page.close()


def test_an_address_holds_the_words_and_nothing_found_is_told(browser: Browser, server: Server) -> None:
    page = browser.new_page()
    page.goto(f"{server.url}/search/?q=zzzzqqq")
    expect(page.get_by_role("status")).to_have_text("Nothing found")
    page.get_by_label("Words").fill("woad")
    expect(page.get_by_role("status")).to_contain_text("found")
    expect(page.locator("#found a").first).to_be_visible()
    assert page.url.endswith("?q=woad")
    page.close()


def test_without_a_script_there_is_a_list(browser: Browser, server: Server) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{server.url}/search/")
        expect(page.get_by_label("Words")).to_be_hidden()
        page.get_by_role("main").get_by_role("link", name="Woad ink").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Woad")
