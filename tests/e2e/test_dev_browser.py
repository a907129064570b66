"""`hybridsite dev` in a real browser: what is changed is on the screen, and what the visitor did stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browsers import browser
from tests.e2e.support import COMMAND, Server, wait_until, write_site

__all__ = ["browser"]
pytestmark = pytest.mark.browser

LAYOUT = """
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><title><< page.title >></title>
<link rel="stylesheet" href="<< asset("site.css") >>">
</head>
<body>
<h1><< page.title >></h1>
{% block body %}{% endblock %}
</body>
</html>
"""
FORM = """
---
title: Form
---
{% extends "layouts/base.html" %}
{% block body %}
<p id="told">first</p>
{% include "components/form.html" %}
<p id="end">end</p>
{% endblock %}
"""
FIELDS = """
<form><label>Name <input name="name"></label><textarea name="text">as it was</textarea></form>
<details><summary>More</summary><p>inside</p></details>
<div id="long"></div>
"""
POST = """
---
paths: blog
title: Post
---
{% extends "layouts/base.html" %}
{% block body %}<div id="told"><< entry.html >></div>{% include "components/form.html" %}{% endblock %}
"""
COUNT = """
---
title: Count
prerender: false
---
{% extends "layouts/base.html" %}
{% block body %}<p id="told"><< word >> << session.get("visits", 0) >></p>
{% include "components/form.html" %}{% endblock %}
"""
MODULE = """
import helper

def load(context):
    context.session["visits"] = context.session.get("visits", 0) + 1
    return {"word": helper.WORD}
"""
FILES = {
    "layouts/base.html": LAYOUT,
    "pages/index.html": FORM,
    "pages/count.html": COUNT,
    "pages/count.py": MODULE,
    "helper.py": 'WORD = "visits"\n',
    "components/form.html": FIELDS,
    "pages/blog/[slug].html": POST,
    "content/blog/one.md": "---\ndraft: false\n---\n\nHello *you*.\n",
    "assets/site.css": "h1 { color: rgb(1, 2, 3) }\n#long { height: 3000px }\n",
    "site.toml": '[session]\ndriver = "memory"\n',
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_site(tmp_path / "site", FILES)


@pytest.fixture
def server(site: Path) -> Iterator[Server]:
    with Server(site, command=lambda port: [*COMMAND, "dev", str(site), "--port", str(port)]) as server:
        yield server


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    context = browser.new_context(base_url=server.url)
    context.set_default_timeout(20_000)
    faults: list[str] = []
    context.on("weberror", lambda error: faults.append(str(error.error)))
    yield context.new_page()
    assert faults == []
    context.close()


def edit(site: Path, name: str, before: str, after: str) -> None:
    text = (site / name).read_text("utf-8")
    assert before in text
    (site / name).write_text(text.replace(before, after), "utf-8")


def opened(page: Page, path: str = "/") -> None:
    """Opens a page, and marks its document: a reload would lose the mark."""
    page.goto(path)
    page.evaluate("window.mark = 1")


def is_the_same_document(page: Page) -> bool:
    return bool(page.evaluate("window.mark === 1"))


def use(page: Page) -> None:
    """Scrolls, types half of a form, and unfolds what is folded."""
    page.locator("textarea").fill("half typed")
    page.locator("details summary").click()
    page.locator("input").fill("Ann")
    page.locator("input").evaluate("input => { input.setSelectionRange(1, 2); scrollTo(0, 1200) }")


def assert_kept(page: Page) -> None:
    assert is_the_same_document(page)
    assert page.evaluate("scrollY") == 1200
    expect(page.locator("input")).to_have_value("Ann")
    expect(page.locator("input")).to_be_focused()
    assert page.locator("input").evaluate("input => [input.selectionStart, input.selectionEnd]") == [1, 2]
    expect(page.locator("textarea")).to_have_value("half typed")
    assert page.locator("details").evaluate("details => details.open")


def test_a_changed_page_is_shown_and_what_the_visitor_did_stays(site: Path, page: Page) -> None:
    opened(page)
    use(page)
    edit(site, "pages/index.html", '<p id="told">first</p>', '<p id="told">second</p>')
    edit(site, "pages/index.html", '<p id="end">', '<p id="new">new</p>\n<p id="end">')
    expect(page.locator("#told")).to_have_text("second")
    expect(page.locator("#new")).to_have_text("new")
    assert_kept(page)
    edit(site, "pages/index.html", '<p id="new">new</p>', "")
    expect(page.locator("#new")).to_have_count(0)
    assert_kept(page)


def test_a_changed_layout_is_shown_in_place(site: Path, page: Page) -> None:
    opened(page)
    use(page)
    edit(site, "layouts/base.html", "<h1>", '<nav class="top">above</nav>\n<h1 class="big">')
    expect(page.locator("nav.top")).to_have_text("above")
    expect(page.locator("h1.big")).to_have_text("Form")
    expect(page.locator("input")).to_have_value("Ann")
    assert is_the_same_document(page)


def test_a_changed_style_sheet_is_exchanged_without_a_reload(site: Path, page: Page) -> None:
    opened(page)
    use(page)
    expect(page.locator("h1")).to_have_css("color", "rgb(1, 2, 3)")
    edit(site, "assets/site.css", "rgb(1, 2, 3)", "rgb(9, 8, 7)")
    expect(page.locator("h1")).to_have_css("color", "rgb(9, 8, 7)")
    expect(page.locator("link[rel=stylesheet]")).to_have_count(1)
    assert_kept(page)


def test_a_changed_entry_is_shown(site: Path, page: Page) -> None:
    opened(page, "/blog/one/")
    use(page)
    edit(site, "content/blog/one.md", "Hello *you*", "Goodbye *you*")
    expect(page.locator("#told")).to_contain_text("Goodbye you")
    assert_kept(page)


def test_a_changed_helper_module_is_run_again_and_the_session_stays(site: Path, page: Page) -> None:
    opened(page, "/count/")
    expect(page.locator("#told")).to_have_text("visits 1")
    use(page)
    edit(site, "helper.py", "visits", "times")
    expect(page.locator("#told")).to_have_text("times 2")
    assert_kept(page)
    edit(site, "site.toml", "[session]", '[site]\ntitle = "Other"\n\n[session]')
    expect(page.locator("#told")).to_have_text("times 3")


@pytest.mark.parametrize(
    ("path", "name", "before", "after", "place"),
    [
        ("/", "pages/index.html", '<p id="told">first</p>', '<p id="told"><< frist >></p>', "pages/index.html:6"),
        ("/", "layouts/base.html", "{% endblock %}", "{% endblok %}", "layouts/base.html:9"),
        ("/", "site.toml", "[session]", "[sesion]", "site.toml:1"),
        ("/", "assets/site.css", "h1 { color", "h1 { } } color", "assets/site.css:1"),
        ("/blog/one/", "content/blog/one.md", "draft: false", "draft: maybe", "content/blog/one.md:2"),
        ("/count/", "pages/count.py", "helper.WORD", "helper.WORT", "pages/count.py:5"),
        ("/count/", "helper.py", "WORD =", "WORD = =", "helper.py:1"),
    ],
)
def test_a_fault_is_shown_with_its_line_and_goes_when_it_is_mended(
    site: Path, page: Page, path: str, name: str, before: str, after: str, place: str
) -> None:
    opened(page, path)
    use(page)
    edit(site, name, before, after)
    fault = page.locator("hybridsite-fault")
    expect(fault.locator(".where").first).to_contain_text(place)
    expect(fault.locator("pre .at").first).to_contain_text(after.split(">")[0].split("{")[0])
    edit(site, name, after, before)
    expect(fault).to_have_count(0)
    assert_kept(page)


def test_a_fault_in_a_module_is_shown_to_who_opens_the_page_and_goes_by_itself(
    site: Path, server: Server, page: Page
) -> None:
    edit(site, "pages/count.py", "helper.WORD", "helper.WORT")
    wait_until(lambda: httpx.get(f"{server.url}/count/").status_code == 500, "the fault")
    page.goto("/count/")
    expect(page.locator("h1").first).to_contain_text("WORT")
    expect(page.locator(".where").first).to_contain_text("pages/count.py:5")
    edit(site, "pages/count.py", "helper.WORT", "helper.WORD")
    expect(page.locator("#told")).to_contain_text("visits")


@pytest.mark.long
def test_fifty_edits_in_a_row_leave_no_stale_page(site: Path, page: Page) -> None:
    opened(page, "/blog/one/")
    use(page)
    edit(site, "layouts/base.html", "<h1>", '<p id="word">w0</p>\n<h1>')
    edit(site, "assets/site.css", "rgb(1, 2, 3)", "rgb(0, 0, 99)")
    places = ("content/blog/one.md", "Hello ", "#told"), ("layouts/base.html", 'id="word">w', "#word")
    words = dict.fromkeys(places, "0")
    edit(site, "content/blog/one.md", "Hello *you*", "Hello 0")
    for number in range(1, 51):
        place = places[number % 2]
        name, before, where = place
        edit(site, name, f"{before}{words[place]}", f"{before}{number}")
        words[place] = str(number)
        if number % 5 == 0:
            edit(site, "assets/site.css", f"rgb({max(number - 5, 0)}, 0, 99)", f"rgb({number}, 0, 99)")
        if number % 7 == 0:  # the others come while the page is still being updated
            expect(page.locator(where)).to_contain_text(str(number))
    for name, before, where in places:
        expect(page.locator(where)).to_contain_text(f"{before.rpartition('>')[2]}{words[name, before, where]}")
    expect(page.locator("h1")).to_have_css("color", "rgb(50, 0, 99)")
    assert is_the_same_document(page)
    expect(page.locator("input")).to_have_value("Ann")
    expect(page.locator("textarea")).to_have_value("half typed")
