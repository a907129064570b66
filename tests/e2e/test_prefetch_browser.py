"""[prefetch] in a real browser, under a Content-Security-Policy: what it fetches ahead, and what it never does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect

from hybridsite.prefetch import HEADER
from tests.e2e.browsers import browser, visitor
from tests.e2e.support import MakeSite, Server, built, wait_until
from tests.test_prefetch import matches

__all__ = ["browser", "visitor"]
pytestmark = pytest.mark.browser

HEAD = "<!doctype html>\n<html lang='en'><meta charset='utf-8'><title>x</title><link rel='icon' href='data:,'><body>"
LINKS = """
<p><a id="cart" href="/cart/">Cart</a></p>
<p><a id="api" href="/api">API</a></p>
<p><a id="query" href="/about/?a=1">About, with a query</a></p>
<p><a id="about" href="/about/">About</a></p>
<p><a id="post" href="/b/one/">One</a></p>
"""
SITE = {
    "site.toml": '[prefetch]\nwhen = "hover"\n[security]\ncsp = true\n',
    "pages/index.html": HEAD + LINKS,
    "pages/about.html": HEAD + "about",
    "pages/b/[slug].html": HEAD + "post",
    "pages/b/[slug].py": "def paths(site):\n    return [{'params': {'slug': 'one'}}]",
    "pages/cart.html": f"---\nprerender: false\n---\n{HEAD}<< session.get('a') >>{LINKS}",
    "pages/api.py": "def GET(context):\n    return {}",
}


@pytest.fixture(scope="module")
def server(make_site: MakeSite) -> Iterator[Server]:
    site = make_site(SITE)
    built(site)
    with Server(site, "--no-build") as server:
        yield server


class Ahead:
    """What a page fetches ahead, by the word of the browser's own developer tools."""

    def __init__(self, page: Page) -> None:
        self.rules: list[str] = []
        self.faults: list[str] = []
        self.states: dict[str, set[str]] = {}
        self.purposes: dict[str, str | None] = {}
        tools = page.context.new_cdp_session(page)
        tools.on("Preload.ruleSetUpdated", self._ruled)
        tools.on("Preload.prefetchStatusUpdated", self._told)
        tools.send("Preload.enable")
        page.on("request", self._note)
        page.on("console", lambda line: self.faults.append(line.text))

    def _ruled(self, event: dict[str, dict[str, str]]) -> None:
        self.rules.append(event["ruleSet"].get("url", ""))
        if "errorType" in event["ruleSet"]:
            self.faults.append(event["ruleSet"].get("errorMessage", event["ruleSet"]["errorType"]))

    def _told(self, event: dict[str, str]) -> None:
        path = "/" + event["prefetchUrl"].partition("://")[2].partition("/")[2]
        self.states.setdefault(path, set()).add(event["status"])

    def _note(self, request: Request) -> None:
        self.purposes["/" + request.url.partition("://")[2].partition("/")[2]] = request.headers.get("sec-purpose")

    def rest(self, page: Page, link: str, path: str) -> None:
        """Lets the pointer rest on a link until its page is there."""
        page.hover(link)
        self.wait(page, lambda: "Ready" in self.states.get(path, ()), f"{path}, fetched ahead")

    def wait(self, page: Page, condition: Callable[[], bool], what: str) -> None:
        """Waits for something that the browser tells."""

        def holds() -> bool:
            page.wait_for_timeout(20)  # lets its word come in
            return condition()

        wait_until(holds, what)


@pytest.mark.parametrize("start", ["/", "/cart/"])  # a built page, and one on demand
def test_a_page_for_all_is_fetched_when_the_pointer_rests_on_its_link(visitor: BrowserContext, start: str) -> None:
    page = visitor.new_page()
    ahead = Ahead(page)
    page.goto(start)
    ahead.wait(page, lambda: bool(ahead.rules), "the rules")
    # None of these may be fetched: the pointer rests on each for longer than the browser waits for.
    for link in ("#cart", "#api", "#query"):
        page.hover(link)
        page.wait_for_timeout(600)
    ahead.rest(page, "#about", "/about/")
    ahead.rest(page, "#post", "/b/one/")
    assert ahead.states.keys() == {"/about/", "/b/one/"}
    assert ahead.purposes["/about/"] == "prefetch"
    assert not {"/api", "/about/?a=1"} & ahead.purposes.keys()
    assert ahead.purposes.get("/cart/") is None
    assert ahead.faults == []
    page.click("#post")
    expect(page.locator("body")).to_have_text("post")
    delivered = page.evaluate("performance.getEntriesByType('navigation')[0].deliveryType")
    assert delivered == "navigational-prefetch"  # it isn't asked for again


def test_the_browser_reads_the_patterns_as_the_tests_do(visitor: BrowserContext) -> None:
    page = visitor.new_page()
    answer = page.goto("/")
    assert answer is not None
    url = answer.headers[HEADER].strip('"')
    patterns = {
        *rules_text(page, url),
        r"/a/\(b\)\+%7Bc%7D/",
        "/:p0/:p1/",
        "/:p0{/}?",
        "/a{/*}?",
        "/a{/*}?/",
        "/a/_*",
        "/*%4*",
        "/{:a0}?%{:b0}?{/}?",
        "/a/{:a1}?%{:b1}?/",
        "/*.*",
        "{/*}?",
    }
    paths = [
        "/",
        "/a",
        "/a/",
        "/a/b",
        "/a/b/",
        "/a/_b/c",
        "/%41b",
        "/%C3%A9/",
        "/a/x%C3%A9y/",
        "/a/%/",
        "/a/(b)+%7Bc%7D/",
        "/b.pdf",
        "/b/one/",
        "/api",
        "/cart/",
    ]
    asked = [(pattern, path) for pattern in sorted(patterns) for path in paths]
    told = page.evaluate(
        """pairs => pairs.map(([pathname, path]) =>
            new URLPattern({pathname, search: "", baseURL: location.href}).test(path, location.href))""",
        asked,
    )
    wanted = [matches(pattern, path) for pattern, path in asked]
    assert [pair for pair, one, other in zip(asked, told, wanted, strict=True) if one != other] == []


def rules_text(page: Page, url: str) -> set[str]:
    """Gives the patterns of the site's own rules."""
    found: set[str] = set()

    def collect(value: object) -> None:
        if isinstance(value, dict):
            found.update([value["pathname"]] if "pathname" in value else [])
            collect(list(value.values()))
        elif isinstance(value, list):
            for one in value:
                collect(one)

    collect(page.request.get(url).json())
    return found
