"""Chromium as the tests use it: Debian's, with nothing going on in its background."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.e2e.support import Server

SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
# What a browser does by itself in the background is no part of a test.
_ARGUMENTS = ["--no-sandbox", "--disable-background-networking"]


@contextmanager
def chromium(*, without: Sequence[str] = ()) -> Iterator[Browser]:
    """Starts Chromium, without some of the arguments that Playwright gives it. Skips the test where there is none."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if found is None:
        pytest.skip("there is no chromium on the PATH, and CHROMIUM is not set")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=_ARGUMENTS, ignore_default_args=[*without])
        yield started
        started.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of a module, each of which makes a context of its own."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def coming_back() -> Iterator[Browser]:
    """A browser with the cache of pages that one comes back to, which people have and Playwright turns off."""
    with chromium(without=["--disable-back-forward-cache"]) as started:
        yield started


@pytest.fixture
def visitor(browser: Browser, server: Server) -> Iterator[BrowserContext]:
    """Gives a browser without a history, at the server of its module."""
    context = browser.new_context(base_url=server.url, viewport={"width": 800, "height": 600})
    context.set_default_timeout(20_000)
    yield context
    context.close()
