"""The pages below /_dev/ in a real browser, by mouse and by keys, at a desk and on a phone, in light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from hybridsite.dev.run import _names
from tests.e2e.browsers import SIZES, browser
from tests.e2e.support import COMMAND, Server, built, bytes_below, write_files, write_site
from tests.tools import html_faults, package

__all__ = ["browser"]

LAYOUT = (
    '<!doctype html>\n<html lang="en"><head><title>t</title></head><body>{% block body %}{% endblock %}</body></html>\n'
)
CART = """
---
prerender: false
cache: {max_age: 60}
---
{% extends "layouts/base.html" %}
{% block body %}<p>kept</p>{% endblock %}
"""
FILL = """
def load(context):
    context.session["cart"] = {"tea": 2}
    context.session["api_token"] = "tok-SECRET"
    return {}
"""
ACTIONS = """
from pydantic import BaseModel, Field

from hybridsite import action


class Order(BaseModel):
    product: str
    quantity: int = Field(1, ge=1)
    tags: list[str] = []


@action
def order(context, form: Order):
    \"\"\"Orders something.\"\"\"
    context.session["ordered"] = form.product
    return form


@action
def fail(context):
    raise ValueError("it broke")
"""
FILES = {
    "site.toml": '[site]\ntitle = "Look"\n[session]\ndriver = "memory"\n[redirects]\n"/old" = "/"\n',
    "layouts/base.html": LAYOUT,
    "pages/index.html": '{% extends "layouts/base.html" %}\n{% block body %}<p>hello</p>{% endblock %}\n',
    "pages/blog/[slug].html": "---\npaths: blog\n---\n<!doctype html><html lang=en><title>b</title><< entry.slug >>",
    "pages/kept.html": CART,
    "pages/fill.html": "---\nprerender: false\n---\n<!doctype html><html lang=en><title>f</title><p>filled</p>",
    "pages/fill.py": FILL,
    "pages/show.py": "def GET(context):\n    return repr(sorted(context.session.items()))\n",
    "pages/broken.html": "---\nprerender: false\n---\n<p><< pgae >></p>\n",
    "content/blog/one.md": "# One\n",
    "content/blog/two.md": "# Two\n",
    "actions.py": ACTIONS,
}
PAGES = ("", "routes/?path=/", "routes/?path=/blog/[slug]/", "sessions/", "actions/", "settings/", "errors/")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("look") / "site", FILES)


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[Server]:
    with Server(site, command=lambda port: [*COMMAND, "dev", str(site), "--port", str(port)]) as server:
        yield server


@pytest.fixture
def context(browser: Browser, server: Server) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=server.url)
    context.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)
    faults: list[str] = []
    context.on("weberror", lambda error: faults.append(str(error.error)))
    yield context
    assert faults == []
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.mark.browser
def test_routes_are_found_by_keys_alone_and_measured(page: Page) -> None:
    page.goto("/kept/")
    page.goto("/_dev/")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Filter")).to_be_focused()
    page.keyboard.type("layouts/base.html kept")
    page.keyboard.press("Enter")
    rows = page.locator("table.routes tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(re.compile(r"/kept/.*on demand.*1 minute.*1×.*ms.* B", re.DOTALL))
    rows.get_by_role("link", name="/kept/", exact=True).click()
    expect(page.locator("h1")).to_have_text("/kept/")
    expect(page.locator(".tree").first).to_contain_text("layouts/base.html")
    page.get_by_role("link", name="/kept/", exact=True).click()
    expect(page.locator("body")).to_contain_text("kept")


@pytest.mark.browser
def test_a_change_of_the_site_is_shown_in_place_and_what_is_typed_stays(site: Path, page: Page) -> None:
    page.goto("/_dev/")
    page.evaluate("window.mark = 1")
    page.get_by_label("Filter").fill("half typed")
    write_files(site, {"pages/fresh.html": "<!doctype html><html lang=en><title>n</title><p>new</p>"})
    expect(page.get_by_role("link", name="/fresh/", exact=True)).to_be_visible()
    expect(page.get_by_label("Filter")).to_have_value("half typed")
    assert page.evaluate("window.mark") == 1


@pytest.mark.browser
def test_a_session_is_looked_at_changed_and_destroyed(page: Page) -> None:
    page.goto("/fill/")
    page.goto("/_dev/sessions/")
    page.locator("tr.own a").click()
    token = page.get_by_role("region", name="api_token", exact=True)
    secret = token.get_by_text("'tok-SECRET'").first
    expect(secret).to_be_hidden()
    token.get_by_text("Reveal").click()
    expect(secret).to_be_visible()
    cart = page.get_by_role("region", name="cart", exact=True)
    cart.get_by_text("Change").click()
    cart.get_by_role("textbox").fill("{'tea': 9")
    cart.get_by_role("button", name="Set").click()
    expect(page.get_by_role("alert")).to_contain_text("can't be read")
    expect(cart.get_by_role("textbox")).to_have_value("{'tea': 9")
    cart.get_by_role("textbox").fill("{'tea': 9}")
    cart.get_by_role("button", name="Set").click()
    expect(page.get_by_role("status")).to_have_text("“cart” is set.")
    token.get_by_role("button", name="Delete").click()
    expect(token).to_have_count(0)
    assert page.request.get("/show").text() == "[('cart', {'tea': 9})]"
    page.get_by_text("Add a key").click()
    page.get_by_label("Key", exact=True).fill("born")
    page.get_by_label("Value, in Python’s notation").fill("date(2026, 1, 2)")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("region", name="born")).to_contain_text("datetime.date(2026, 1, 2)")
    page.get_by_role("button", name="Destroy the session").click()
    expect(page.get_by_role("status")).to_have_text("The session is destroyed.")
    assert page.request.get("/show").text() == "[]"


@pytest.mark.browser
def test_an_action_is_tried_with_the_browsers_own_session(page: Page) -> None:
    page.goto("/_dev/actions/")
    order = page.get_by_role("region", name="order")
    order.get_by_label("product required").fill("tea")
    order.get_by_label("quantity").fill("3")
    order.get_by_label("tags").fill("one\ntwo")
    order.get_by_role("button", name="Send as a form").click()
    expect(order.get_by_role("status")).to_contain_text("200 in ")
    expect(order.locator("pre")).to_contain_text('"quantity": 3')
    expect(order.get_by_label("product required")).to_have_value("tea")
    page.reload()  # asks nobody whether the form is to be sent again, and sends nothing
    expect(order.locator("pre")).to_contain_text('"quantity": 3')
    assert page.request.get("/show").text() == "[('ordered', 'tea')]"
    order.locator("summary").click()
    order.get_by_label("JSON for order").fill('{"product": 1}')
    order.get_by_role("button", name="Send as JSON").click()
    expect(order.get_by_role("status")).to_contain_text("400 in ")
    fail = page.get_by_role("region", name="fail")
    fail.get_by_role("button", name="Send as a form").click()
    fail.get_by_role("link", name="what went wrong").click()
    expect(page.locator("h1")).to_have_text("ValueError: it broke")


@pytest.mark.browser
def test_settings_and_errors_are_told(page: Page) -> None:
    page.goto("/_dev/settings/")
    page.get_by_label("set ones only").check()
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("row", name="title")).to_contain_text("site.toml:2:1")
    expect(page.get_by_role("row", name="port")).to_contain_text("flag --port")
    expect(page.get_by_role("row", name="trailing_slash")).to_have_count(0)
    page.goto("/broken/")
    page.goto("/_dev/errors/")
    fold = page.locator("details", has_text="pgae")
    expect(fold.locator("pre")).to_be_hidden()
    fold.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(fold.locator("pre")).to_contain_text("pgae")
    expect(fold.get_by_role("link", name="/broken/")).to_be_visible()
    fold.get_by_role("link", name="All that is known of it").click()
    expect(page.locator("h1")).to_have_text('"pgae" is not defined')


@pytest.mark.browser
@pytest.mark.parametrize(("scheme", "size"), [("light", "desktop"), ("dark", "phone")])
def test_axe_finds_nothing_all_fits_and_nothing_comes_from_elsewhere(
    browser: Browser, server: Server, scheme: Literal["light", "dark"], size: str
) -> None:
    axe = (package("axe-core") / "axe.min.js").read_text("utf-8")
    width, height = SIZES[size]
    context = browser.new_context(
        base_url=server.url,
        color_scheme=scheme,
        viewport={"width": width, "height": height},
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url.partition("/_dev/")[0]))
    page.goto("/fill/")
    page.goto("/broken/")
    page.goto("/_dev/sessions/")
    own = page.locator("tr.own a").get_attribute("href")
    told = {}
    asked.clear()
    for path in [*(f"/_dev/{name}" for name in PAGES), own or "", "/_dev/routes/?path=/none/"]:
        page.goto(path)
        for folded in page.locator("details").all():
            folded.evaluate("details => { details.open = true }")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        page.evaluate(axe)
        for fault in page.evaluate("async () => (await axe.run()).violations"):
            told[path] = [fault["id"], [node["html"] for node in fault["nodes"]]]
    context.close()
    assert told == {}
    assert asked == {server.url}


def test_html_validate_finds_nothing(server: Server, tmp_path: Path) -> None:
    with server.client() as visitor:
        visitor.get("/fill/")
        visitor.get("/broken/")
        own = re.findall(r'"/_dev/(sessions/\?id=[0-9a-f]+)"', visitor.get("/_dev/sessions/").text)
        names = (*PAGES, *own, "routes/?path=/none/", "?q=nothing")
        texts = [visitor.get(f"/_dev/{name}").text for name in names]
    assert html_faults({str(number): text for number, text in enumerate(texts)}, tmp_path) == ""
    assert len(texts) > 9


def test_another_address_of_this_machine_gets_the_site_and_none_of_these_pages(site: Path) -> None:
    # case H7
    others = [name for name in _names("0.0.0.0") if not name.startswith("127.")]
    if not others:
        pytest.skip("this machine has no address but its own loopback")
    command = ["dev", str(site), "--host", "0.0.0.0", "--port"]
    with Server(site, command=lambda port: [*COMMAND, *command, str(port)]) as server:
        there = f"http://{others[0]}:{server.port}"
        with httpx.Client(trust_env=False, timeout=30) as client:
            assert client.get(f"{there}/").status_code == 200
            assert client.get(f"{there}/_dev/client.js").status_code == 200
            for name in PAGES:
                assert client.get(f"{there}/_dev/{name}").status_code == 403, name
                assert client.get(f"{server.url}/_dev/{name}").status_code == 200, name
            for name in ("sessions/", "actions/?name=order"):
                assert client.post(f"{there}/_dev/{name}", headers={"Origin": there}).status_code == 403, name
            spoken_for = {"X-Forwarded-For": "127.0.0.1", "Host": f"127.0.0.1:{server.port}"}
            assert client.get(f"{there}/_dev/", headers=spoken_for).status_code == 403
            assert client.get(f"{there}/_dev/", headers={"Host": f"localhost:{server.port}"}).status_code == 403


def test_what_is_built_and_served_has_none_of_it(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", {name: text for name, text in FILES.items() if "broken" not in name})
    built(site)
    assert b"_dev" not in bytes_below(site / "dist")
    with Server(site) as server:
        for name in (*PAGES, "client.js", "events"):
            assert httpx.get(f"{server.url}/_dev/{name}", trust_env=False).status_code == 404, name
