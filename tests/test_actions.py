"""A browser's form: what it is answered, and where the outcome is shown, with sessions and without."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from starlette.types import ASGIApp

from tests.acting import FILES, OWN, Browser
from tests.e2e.support import write_site
from tests.inprocess import MEMORY, ON_DEMAND, app_of, ask, loaded


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> ASGIApp:
    return app_of(write_site(tmp_path_factory.mktemp("actions") / "site", FILES))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> ASGIApp:
    """The same site without a session driver, with a page that was built and middleware that guards one."""
    files = FILES | {
        "site.toml": "[session]\ndriver = false\n",
        "pages/built.html": "<form action=\"<< action('write') >>\">",
        "pages/guarded.html": ON_DEMAND + "secret",
        "middleware.py": "from starlette.responses import Response\n"
        "async def on_request(context, call_next):\n"
        "    if context.url.path == '/guarded/':\n        return Response('no', 401)\n"
        "    response = await call_next(context)\n"
        "    response.headers['X-Action'] = str(context.action)\n    return response",
    }
    return app_of(write_site(tmp_path_factory.mktemp("plain") / "site", files))


@pytest.fixture
def browser(app: ASGIApp) -> Browser:
    return Browser(app)


def test_an_outcome_is_shown_once_on_the_page_that_the_form_stands_on(browser: Browser) -> None:
    answer = browser.post("write", {"name": "Ann", "copies": "2", "topics": ["a", "b"]}, f"{OWN}/letter/?page=2")
    assert (answer.status, answer.header["location"]) == (303, "/letter/?page=2")
    assert (answer.header["cache-control"], answer.header["vary"]) == ("private, no-store", "Cookie")
    assert "write:" not in browser.get("/other/").text
    assert browser.get("/untaken/").status == 200
    page = browser.get("/letter/?page=2")
    assert "write:True::" in page.text
    assert "&#39;topics&#39;: [&#39;a&#39;, &#39;b&#39;], &#39;price&#39;: Decimal(&#39;1.50&#39;)" in page.text
    assert 'value=""' in page.text  # what went through is not typed again
    assert page.header["cache-control"] == "private, no-store"
    assert "write:" not in browser.get("/letter/").text


def test_what_is_wrong_stands_beside_the_fields_with_what_was_typed(browser: Browser) -> None:
    # case B4
    before = browser.ask("count", {}).text
    answer = browser.post(
        "write", {"name": "<", "copies": "1", "topics": ["a"], "password": "hunter2", "other": "kept?"}
    )
    assert (answer.status, answer.header["location"]) == (303, "/letter/")
    assert browser.ask("count", {}).text == before
    assert browser.get("/wrote").text == "None"
    text = browser.get("/letter/").text
    assert "write:False:Something is missing, or not as it should be.:invalid" in text
    assert 'value="&lt;"' in text
    assert "<b>String should have at least 2 characters</b>" in text
    assert "topic a" in text
    assert "hunter2" not in text
    assert "other" not in text
    assert "write:" not in browser.get("/letter/").text


def test_a_model_refuses_as_a_whole(browser: Browser) -> None:
    browser.post("write", {"name": "nobody", "copies": "2"})
    assert "write:False:Nobody takes one copy.:invalid" in browser.get("/letter/").text


def test_an_action_refuses_and_its_session_is_saved(browser: Browser) -> None:
    assert browser.post("write", {"name": "taken"}).status == 303
    text = browser.get("/letter/").text
    assert "write:False:That name is taken.:conflict" in text
    assert "<b>is taken</b>" in text
    assert browser.get("/wrote").text == "taken"


def test_an_answer_that_nobody_sees_uses_nothing_up(browser: Browser) -> None:
    browser.post("write", {"name": "Ann"})
    browser.get("/letter/", "HEAD")
    assert "write:True" in browser.get("/letter/", sec_purpose="prefetch").text
    assert "write:True" in browser.get("/letter/", sec_purpose="prefetch;prerender").text
    assert "write:True" in browser.get("/letter/").text
    assert "write:" not in browser.get("/letter/").text


def test_code_asks_by_the_context(browser: Browser) -> None:
    browser.post("write", {"name": "Ann", "copies": "3"}, f"{OWN}/seen")
    assert browser.get("/seen").text.startswith("{'name': 'Ann', 'copies': 3")
    assert browser.get("/seen").text == "None"
    assert browser.ask("name_of_it", {}).text == '{"data":["name_of_it",null,"/_actions/name_of_it"]}'


def test_an_action_leads_on(browser: Browser) -> None:
    answer = browser.post("write", {"name": "moves"})
    assert (answer.status, answer.header["location"]) == (303, "/thanks/?for=moves")
    assert "write:" not in browser.get("/letter/").text
    assert "write:True" in browser.get("/thanks/?for=moves").text
    answer = browser.post("write", {"name": "leaves"})
    assert (answer.status, answer.header["location"]) == (303, "https://pay.example/")


@pytest.mark.parametrize(
    "sender",
    [
        None,
        "https://127.0.0.1/letter/",
        "http://127.0.0.1:81/letter/",
        "http://127.0.0.1.evil.example/letter/",
        "http://evil.example/letter/",
        "http://127.0.0.1@evil.example/letter/",
        "http://127.0.0.1//evil.example/letter/",
        "http://127.0.0.1/\\evil.example/",
        "http://127.0.0.1/%5c%5cevil.example/",
        "http://127.0.0.1/../letter/",
        "http://127.0.0.1/_actions/write",
        "http://127.0.0.1/a\tb",
        "http://[::1",
        "//127.0.0.1/letter/",
        "/letter/",
        "about:client",
    ],
)
def test_who_comes_from_elsewhere_is_sent_to_the_root(browser: Browser, sender: str | None) -> None:
    # case R2
    assert browser.post("write", {"name": "Ann"}, sender).header["location"] == "/"


def test_behind_a_proxy_the_address_in_the_settings_counts(tmp_path: Path) -> None:
    # case H2
    files = FILES | {"site.toml": MEMORY + '[site]\nurl = "https://shop.example"\n'}
    browser = Browser(app_of(write_site(tmp_path / "site", files)))
    for sender, place in (("https://shop.example/letter/?a", "/letter/?a"), ("http://shop.example/letter/", "/")):
        assert browser.post("write", {"name": "Ann"}, sender).header["location"] == place


def test_an_action_error_of_a_page_is_an_answer(tmp_path: Path) -> None:
    code = "from hybridsite import ActionError\ndef load(context):\n    raise ActionError('conflict', 'no')"
    files = {"site.toml": MEMORY, "pages/a.html": ON_DEMAND, "pages/a.py": code}
    assert ask(app_of(write_site(tmp_path / "site", files)), "/a/").status == 409


def test_what_raises_saves_nothing_and_tells_nothing(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    # case C7, case X5
    with caplog.at_level(logging.CRITICAL, "hybridsite"):
        answers = [browser.post("write", {"name": "boom"}), browser.ask("write", {"name": "boom"})]
        answers.append(browser.post("write", {"name": "odd"}))
        answers.append(browser.ask("write", {"name": "odd"}))
    assert [answer.status for answer in answers] == [500] * 4
    assert not any("4242" in answer.text or "set-cookie" in answer.header for answer in answers)
    assert json.loads(answers[1].text)["error"]["code"] == "internal"
    assert browser.get("/wrote").text == "None"


def test_an_answer_of_http_is_one_and_the_session_is_saved(browser: Browser) -> None:
    assert browser.post("write", {"name": "teapot"}).status == 418
    assert browser.get("/wrote").text == "teapot"
    assert browser.post("write", {"name": "missing"}).status == 404
    answer = browser.ask("write", {"name": "teapot"})
    assert (answer.status, json.loads(answer.text)["error"]["message"]) == (418, "short and stout")
    assert json.loads(browser.ask("write", {"name": "missing"}).text)["error"]["code"] == "not_found"


def test_who_is_signed_out_gets_no_new_session(browser: Browser) -> None:
    # case S6
    browser.post("write", {"name": "Ann"})
    answer = browser.post("sign_out", {})
    assert answer.status == 303
    assert "max-age=0" in answer.header["set-cookie"].lower()


def test_typed_values_never_burst_the_session(tmp_path: Path) -> None:
    files = FILES | {"site.toml": MEMORY}
    browser = Browser(app_of(write_site(tmp_path / "site", files)))
    data = {"name": "x", "copies": "0", "topics": "y" * 900_000}
    assert browser.post("write", data).status == 303
    text = browser.get("/letter/").text
    assert "yyy" not in text
    assert 'value="x"' in text


def test_a_store_that_is_down_is_told_before_the_action_runs(tmp_path: Path, browser: Browser) -> None:
    browser.post("write", {"name": "Ann"})
    # The store of this one was never opened; its cookies are signed with the same key.
    other = Browser(app_of(write_site(tmp_path / "site", FILES | {"site.toml": ""})))
    other.cookie = browser.cookie
    answer = other.post("write", {"name": "Bob"})
    assert (answer.status, "retry-after" in answer.header) == (503, True)
    assert other.ask("count", {}).text == '{"data":0}'
    answer = other.ask("sign_out", {})
    assert (answer.status, json.loads(answer.text)["error"]["code"]) == (503, "unavailable")


# Where the page can't show it.

NEWS = """
from hybridsite import ActionError, action

@action
def subscribe(context):
    context.session["tried"] = True
    if context.cookies.get("ok") != "yes":
        raise ActionError("conflict", "You <have> it.", fields={"mail": "is known"})
"""
FORM_ON_IT = "<form method='post' action=\"<< action('subscribe') >>\"></form>"
SHARED = {
    "site.toml": MEMORY,
    "actions.py": NEWS,
    "pages/file.html": FORM_ON_IT + '{% island "components/badge.html" %}{% endisland %}',
    "pages/kept.html": "---\nprerender: false\ncache: {max_age: 60}\n---\n" + FORM_ON_IT,
    "pages/shows.html": FORM_ON_IT + '{% island "components/outcome.html" %}{% endisland %}',
    "pages/code.html": FORM_ON_IT + '{% island "components/code.html" %}{% endisland %}',
    "pages/kept-shows.html": "---\nprerender: false\ncache: {max_age: 60}\n---\n"
    + FORM_ON_IT
    + '{% island "components/outcome.html" %}{% endisland %}',
    "pages/silent.html": ON_DEMAND + FORM_ON_IT,
    "public/plain.html": "plain",
    "components/badge.html": "<< session.get('tried') >>",
    "components/outcome.html": "{% include 'components/error.html' %}",
    "components/error.html": "<< action_result.error >>",
    "components/code.html": "<< told >>",
    "components/code.py": "def load(context):\n    return {'told': str(context.action_result or '')}",
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> ASGIApp:
    return app_of(write_site(tmp_path_factory.mktemp("shared") / "site", SHARED))


@pytest.mark.parametrize("page", ["/file/", "/file/?from=mail", "/kept/", "/plain.html"])
def test_what_went_wrong_on_a_page_of_all_visitors_is_told_in_the_answer(shared: ASGIApp, page: str) -> None:
    browser = Browser(shared)
    answer = browser.post("subscribe", {}, OWN + page)
    assert (answer.status, answer.header["cache-control"]) == (409, "private, no-store")
    assert "<p>You &lt;have&gt; it.</p>\n<p>mail: is known</p>" in answer.text
    assert f'<a href="{page}">Back</a>' in answer.text
    assert browser.cookie  # an ActionError is an answer: what the action changed is saved


@pytest.mark.parametrize("page", ["/shows/", "/code/", "/kept-shows/", "/silent/"])
def test_an_island_that_asks_for_the_outcome_shows_it(shared: ASGIApp, page: str) -> None:
    browser = Browser(shared)
    answer = browser.post("subscribe", {}, OWN + page)
    assert (answer.status, answer.header["location"]) == (303, page)
    if page != "/silent/":
        digest = browser.get(page).text.partition('<slot name="')[2].partition('"')[0]
        assert browser.get(f"/_islands/{digest}", referer=OWN + page).text == "You &lt;have&gt; it."


def test_what_went_well_leads_back_to_a_page_of_all_visitors(shared: ASGIApp) -> None:
    browser = Browser(shared)
    browser.cookie = "ok=yes"
    answer = browser.post("subscribe", {}, f"{OWN}/file/")
    assert (answer.status, answer.header["location"]) == (303, "/file/")


def test_a_page_that_stands_in_for_another_language_s_is_known_by_its_islands(tmp_path: Path) -> None:
    languages = '[i18n]\nlocales = ["en", "de"]\nfallback = { de = "en" }\nfallback_type = "render"\n'
    browser = Browser(app_of(write_site(tmp_path / "site", SHARED | {"site.toml": MEMORY + languages})))
    assert browser.post("subscribe", {}, f"{OWN}/de/shows/").header["location"] == "/de/shows/"
    assert browser.post("subscribe", {}, f"{OWN}/de/file/").status == 409


# Without sessions.


def test_without_sessions_the_page_is_rendered_in_the_same_answer(plain: ASGIApp) -> None:
    browser = Browser(plain)
    answer = browser.post("write", {"name": "x", "topics": "a"}, f"{OWN}/letter/?page=2")
    assert answer.status == 400
    assert 'value="x"' in answer.text
    assert "topic a" in answer.text
    assert answer.header["cache-control"] == "private, no-store"
    assert answer.header["content-type"].startswith("text/html")
    assert browser.post("write", {"name": "taken"}).status == 409
    answer = browser.post("write", {"name": "Ann"})
    assert (answer.status, "write:True" in answer.text) == (200, True)
    assert "write:" not in browser.get("/letter/").text
    assert browser.post("write", {"name": "moves"}).header["location"] == "/thanks/?for=moves"
    assert browser.cookie == ""


@pytest.mark.parametrize("sender", ["/built/", "/seen", "/thanks", None])
def test_without_sessions_and_such_a_page_a_plain_one_tells(plain: ASGIApp, sender: str | None) -> None:
    browser = Browser(plain)
    answer = browser.post("write", {"name": "<"}, sender and OWN + sender)
    if sender is None:
        assert answer.text == "rest"  # the page of the root
        return
    assert answer.status == 400
    assert "<p>name: String should have at least 2 characters</p>" in answer.text
    assert f'<a href="{sender}">Back</a>' in answer.text


def test_middleware_runs_around_the_action_and_around_the_page(plain: ASGIApp) -> None:
    browser = Browser(plain)
    answer = browser.post("write", {"name": "Ann"}, f"{OWN}/guarded/")
    assert (answer.status, answer.text) == (401, "no")
    answers = [browser.ask("write", {"name": "Ann"}), browser.post("nowhere", {})]
    assert [(answer.status, answer.header["x-action"]) for answer in answers] == [(200, "write"), (404, "None")]


def test_the_places_that_are_reported(tmp_path: Path) -> None:
    files = {"pages/index.html": "a\n<< action_result.ok >>", "pages/on.html": ON_DEMAND + "<< action_result.ok >>"}
    site = loaded(tmp_path / "one", files, prerendering=True)
    assert [str(fault.location) for fault in site.notices.faults()] == ["pages/index.html:2"]
    off = {"site.toml": "[session]\ndriver = false\n", "pages/both.html": ON_DEMAND + "<< session.a >>"}
    site = loaded(tmp_path / "two", files | off, prerendering=True)
    assert [str(fault.location) for fault in site.notices.faults()] == ["pages/both.html:4", "pages/index.html:2"]
