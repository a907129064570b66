"""Islands in a real browser: what is fetched and when, and what stays where nothing can be fetched."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, expect

from tests.e2e.browsers import SIZES, visitor
from tests.e2e.browsers import coming_back as browser
from tests.e2e.support import MakeSite, Server, built, wait_until

__all__ = ["browser", "visitor"]
pytestmark = pytest.mark.browser

EXAMPLE = Path(__file__).parents[2] / "example-site"
# Adds up how far what is on the page moves (Layout Instability).
SHIFTS = """
window.shifted = 0
new PerformanceObserver(list => list.getEntries().forEach(entry => window.shifted += entry.value))
  .observe({type: "layout-shift", buffered: true})
"""
HEAD = "<!doctype html>\n<html lang='en'><meta charset='utf-8'><title>x</title><link rel='icon' href='data:,'><body>"
SITE = {
    "pages/index.html": HEAD
    + """
        <p id="count">{% island "components/count.html" %}<i>none</i>{% endisland %}</p>
        <p id="one">{% island "components/text.html", text="one" %}<i>none</i>{% endisland %}</p>
        <p id="again">{% island "components/text.html", text="one" %}<i>none</i>{% endisland %}</p>
        """,
    "pages/moments.html": HEAD
    + """
        <p id="idle">{% island "components/text.html", text="idle", when="idle" %}<i>none</i>{% endisland %}</p>
        <div style="height: 3000px"></div>
        <p id="low">{% island "components/text.html", text="low", when="visible" %}<i>none</i>{% endisland %}</p>
        <p id="bare">{% island "components/text.html", text="bare", when="visible" %}words{% endisland %}</p>
        """,
    "pages/many.html": HEAD + "{% for n in range(120) %}"
    '{% island "components/text.html", text="n%d" % n %}<i>none</i>{% endisland %}{% endfor %}',
    "pages/focus.html": HEAD
    + """
        <p id="link">{% island "components/link.html" %}<a href="/old/">old</a>{% endisland %}</p>
        <button>other</button>
        """,
    "pages/strict.html": "---\nheaders: {Content-Security-Policy: \"default-src 'self'; img-src data:\"}\n---\n"
    + HEAD
    + '<div id="row">{% island "components/block.html" %}<i>none</i>{% endisland %}</div>',
    "pages/form.html": HEAD + '{% island "components/form.html" %}<i>none</i>{% endisland %}',
    "pages/count.py": """
        def POST(context):
            context.session.update("count", lambda n: n + 1, 0)
            return context.redirect("/", 303)
        """,
    "pages/elsewhere.html": HEAD + "elsewhere",
    "components/count.html": "<b><< session.get('count', 0) >></b>",
    "components/text.html": "<b><< text >></b>",
    "components/link.html": '<a href="/new/">new</a>',
    "components/block.html": "<div>a</div><div>b</div><script>document.title = 'ran'</script>",
    "components/form.html": '<form method="post" action="/count"><button>Count</button></form>',
}


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Path:
    site = make_site(SITE)
    built(site)
    return site


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[Server]:
    with Server(site, "--no-build") as server:
        yield server


def island_requests(page: Page) -> list[str]:
    """Collects the requests for pieces that a page sends from now on."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith(".json"):
            asked.append(request.url)

    page.on("request", note)
    return asked


def faults_of(page: Page) -> list[str]:
    """Collects what the page's own code complains of; the browser's lines about the network are its own."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: None if "Failed to load resource" in line.text else faults.append(line.text))
    return faults


def test_all_that_is_due_at_once_comes_in_one_request(visitor: BrowserContext) -> None:
    page = visitor.new_page()
    asked, faults = island_requests(page), faults_of(page)
    page.goto("/")
    for place, text in (("#count b", "0"), ("#one b", "one"), ("#again b", "one")):
        expect(page.locator(place)).to_have_text(text)
    (url,) = asked
    assert len(url.rpartition("/")[2].split(",")) == 2  # the same piece is fetched once
    assert page.locator("i").count() == 0
    assert faults == []


def test_a_page_with_many_islands_asks_for_fifty_at_once(visitor: BrowserContext) -> None:
    page = visitor.new_page()
    asked = island_requests(page)
    page.goto("/many/")
    expect(page.locator("b")).to_have_count(120)
    assert [len(url.rpartition("/")[2].split(",")) for url in asked] == [50, 50, 20]
    assert page.locator("b").nth(119).inner_text() == "n119"


def test_visible_waits_until_it_is_seen_and_idle_until_there_is_time(visitor: BrowserContext) -> None:
    page = visitor.new_page()
    asked, faults = island_requests(page), faults_of(page)
    page.goto("/moments/")
    expect(page.locator("#idle b")).to_have_text("idle")
    assert len(asked) == 1
    expect(page.locator("#low i")).to_have_text("none")
    page.locator("#bare").scroll_into_view_if_needed()
    expect(page.locator("#low b")).to_have_text("low")
    expect(page.locator("#bare b")).to_have_text("bare")
    assert len(asked) == 2
    assert faults == []


def test_without_scripts_the_fallback_stays(browser: Browser, server: Server) -> None:
    context = browser.new_context(base_url=server.url, java_script_enabled=False)
    page = context.new_page()
    asked = island_requests(page)
    page.goto("/")
    expect(page.locator("#count i")).to_have_text("none")
    assert page.locator("b").count() == 0
    assert asked == []
    context.close()


def test_where_the_server_has_gone_the_fallback_stays(browser: Browser, site: Path) -> None:
    with Server(site, "--no-build") as server:
        context = browser.new_context(base_url=server.url, viewport={"width": 800, "height": 600})
        page = context.new_page()
        faults = faults_of(page)
        page.goto("/moments/")
        expect(page.locator("#idle b")).to_have_text("idle")
        server.kill()
        failed: list[Request] = []
        page.on("requestfailed", lambda request: failed.append(request))
        page.locator("#bare").scroll_into_view_if_needed()
        wait_for(page, lambda: bool(failed), "the request that fails")
        expect(page.locator("#low i")).to_have_text("none")
        assert faults == []
        context.close()


def wait_for(page: Page, condition: Any, what: str) -> None:
    """Waits for a condition while the browser's events are heard."""

    def met() -> bool:
        page.wait_for_timeout(20)  # which lets them come
        return bool(condition())

    wait_until(met, what)


class _Everything(http.server.SimpleHTTPRequestHandler):
    """A static host that answers with its front page what it doesn't have, as hosts of single-page applications do."""

    everything = False

    def send_head(self) -> Any:
        if self.everything and not Path(self.translate_path(self.path)).exists():
            self.path = "/index.html"
        return super().send_head()

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""


@pytest.mark.parametrize("everything", [False, True])
def test_on_a_host_of_files_the_fallback_stays(browser: Browser, site: Path, everything: bool) -> None:
    kind = type("_Host", (_Everything,), {"everything": everything})
    handler = functools.partial(kind, directory=str(site / "dist/client"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as host:
        threading.Thread(target=host.serve_forever, daemon=True).start()
        context = browser.new_context(base_url=f"http://127.0.0.1:{host.server_port}")
        page = context.new_page()
        faults, answers = faults_of(page), list[int]()
        page.on("response", lambda answer: answers.append(answer.status) if answer.url.endswith(".json") else None)
        page.goto("/")
        wait_for(page, lambda: bool(answers), "the answer for the pieces")
        assert answers == [200 if everything else 404]
        page.wait_for_load_state("networkidle")
        expect(page.locator("#count")).to_have_text("none")
        assert page.locator("h1").count() == 0
        assert faults == []
        context.close()
        host.shutdown()


def test_who_comes_back_sees_what_is_true_now(visitor: BrowserContext) -> None:
    page = visitor.new_page()
    page.goto("/")
    expect(page.locator("#count b")).to_have_text("0")
    page.evaluate("addEventListener('pageshow', event => window.persisted = event.persisted)")
    page.goto("/elsewhere/")
    visitor.request.post("/count", headers={"Origin": page.url.removesuffix("/elsewhere/")}, max_redirects=0)
    page.go_back(wait_until="commit")  # no page is loaded
    expect(page.locator("#count b")).to_have_text("1")
    assert page.evaluate("window.persisted") is True  # the page is the one that was left, kept by the browser
    page.reload()
    expect(page.locator("#count b")).to_have_text("1")


def test_a_form_in_a_piece_works(visitor: BrowserContext) -> None:
    page = visitor.new_page()
    page.goto("/form/")
    page.get_by_role("button", name="Count").click()
    page.wait_for_url(lambda url: url.endswith("/") and "form" not in url)
    expect(page.locator("#count b")).to_have_text("1")


def test_under_a_strict_policy_it_works_and_no_script_of_a_piece_runs(visitor: BrowserContext) -> None:
    page = visitor.new_page()
    faults = faults_of(page)
    page.goto("/strict/")
    expect(page.locator("#row div")).to_have_count(2)
    assert page.title() == "x"
    assert faults == []


def test_with_the_sites_own_policy_it_works_too(browser: Browser, make_site: MakeSite) -> None:
    site = make_site({**SITE, "site.toml": "[security]\ncsp = true\n"})
    with Server(site) as server:
        context = browser.new_context(base_url=server.url)
        page = context.new_page()
        faults = faults_of(page)
        answer = page.goto("/")
        assert answer is not None
        assert "script-src" in answer.headers["content-security-policy"]
        expect(page.locator("#one b")).to_have_text("one")
        assert faults == []
        context.close()


def test_it_has_no_box_of_its_own(visitor: BrowserContext) -> None:
    page = visitor.new_page()
    page.goto("/strict/")
    expect(page.locator("#row div")).to_have_count(2)
    assert page.evaluate("getComputedStyle(document.querySelector('slot')).display") == "contents"


def test_the_focus_is_never_taken_away(visitor: BrowserContext) -> None:
    page = visitor.new_page()

    def focus_first(route: Route) -> None:
        page.locator("#link a").focus()
        route.continue_()

    page.route("**/*.json", focus_first)
    with page.expect_response("**/*.json"):
        page.goto("/focus/")
    page.wait_for_load_state("networkidle")
    expect(page.locator("#link a")).to_have_text("old")
    expect(page.locator("#link a")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#link a")).to_have_text("new")
    expect(page.get_by_role("button")).to_be_focused()


def test_what_has_been_filled_is_told_by_an_event(visitor: BrowserContext) -> None:
    page = visitor.new_page()
    page.add_init_script(
        "window.heard = []; document.addEventListener('island', event => heard.push(event.target.innerText))"
    )
    page.goto("/")
    expect(page.locator("#again b")).to_have_text("one")
    assert page.evaluate("heard") == ["0", "one", "one"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    site = tmp_path_factory.mktemp("shop") / "site"
    shutil.copytree(EXAMPLE, site, ignore=shutil.ignore_patterns("dist", ".hybridsite", "__pycache__"))
    with Server(site) as server:
        yield server


@pytest.mark.parametrize("size", SIZES)
def test_the_shops_cart_is_each_visitors_own_on_pages_that_all_share(browser: Browser, shop: Server, size: str) -> None:
    width, height = SIZES[size]
    # Without motion: a transition between pages that is left early is told as an error, which is none of the island's.
    view: Any = {"base_url": shop.url, "viewport": {"width": width, "height": height}, "reduced_motion": "reduce"}
    visitor, stranger = browser.new_context(**view), browser.new_context(**view)
    page, other = visitor.new_page(), stranger.new_page()
    faults = faults_of(page)
    page.goto("/shop/woad/")
    page.locator("form[action='/cart/'] input[name=quantity]").fill("11")
    page.locator("form[action='/cart/'] button").first.click()
    page.wait_for_url("**/cart/")
    page.add_init_script(SHIFTS)
    other.add_init_script(SHIFTS)
    for path in ("/", "/shop/woad/", "/about/", "/ledger/"):
        here, there = page.goto(path), other.goto(path)
        assert here is not None
        assert there is not None
        assert here.body() == there.body()
        expect(page.locator("nav .count")).to_have_text("11 bottles")
        expect(other.locator("nav .count")).to_have_text("0 bottles")
        for one in (page, other):
            assert one.evaluate("shifted") == 0
            assert one.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        link = page.get_by_role("navigation").get_by_role("link", name="Cart")
        expect(link).to_have_accessible_name("Cart 11 bottles")
    assert stranger.cookies() == []
    assert faults == []
    visitor.close()
    stranger.close()


@pytest.mark.parametrize("size", SIZES)
def test_the_shops_header_is_the_same_on_built_kept_and_private_pages(
    browser: Browser, shop: Server, size: str
) -> None:
    width, height = SIZES[size]
    context = browser.new_context(base_url=shop.url, viewport={"width": width, "height": height})
    page = context.new_page()
    page.goto("/shop/woad/")
    page.locator("form[action='/cart/'] button").first.click()
    page.wait_for_url("**/cart/")
    boxes = []
    for path in ("/", "/ledger/", "/cart/"):
        page.goto(path)
        expect(page.locator("nav .count")).to_have_text("1 bottle")
        cart = page.get_by_role("navigation").get_by_role("link", name="Cart")
        boxes.append((page.locator(".masthead").bounding_box(), cart.locator(".count").bounding_box()))
    assert [box["height"] for box, _ in boxes if box] == [boxes[0][0]["height"]] * 3  # type: ignore[index]
    counts = [count for _, count in boxes if count]
    assert [(box["y"], box["width"], box["height"]) for box in counts] == [
        (counts[0]["y"], counts[0]["width"], counts[0]["height"])
    ] * 3
    context.close()
