"""What code may ask about a request, and what it may put into the answer."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.context import Context
from hybridsite.errors import ContextError
from hybridsite.exchange import Cookies, Locals, PrerenderRequest
from hybridsite.notices import SessionNotices
from hybridsite.routes import Match
from hybridsite.site import Site
from tests.inprocess import ON_DEMAND, loaded, request

FILES = {
    "site.toml": '[site]\nlanguage = "de"\nbase = "/app"\n',
    "pages/now.html": ON_DEMAND + "{% include 'components/one.html' %}",
    "pages/about.html": "about",
    "components/one.html": "<b><< url.path >> << word | default('none') >></b>",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return loaded(tmp_path_factory.mktemp("context") / "site", FILES)


def context_of(site: Site, page: str = "pages/now.html", **headers: str) -> Context:
    resource = site.resources[page]
    target = f"/app/{page.removeprefix('pages/').removesuffix('.html')}/"
    asked = request(f"{target}?q=%20", headers=headers)
    return Context(site, Match(resource.route, {}), resource, asked, site.policy.read(target.encode()), None)


@pytest.mark.parametrize(
    "to",
    [
        "/cart/",
        "/",
        "cart/",
        "../",
        "?page=2",
        "#end",
        "/a//b",
        "/next?to=//x",
        "https://bank.example/pay",
        "HTTP://bank.example/",
    ],
)
def test_a_redirect_leads_where_it_says(site: Site, to: str) -> None:
    answer = context_of(site).redirect(to, 303)
    assert (answer.status_code, answer.headers["location"]) == (303, to)


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example/",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "\\/evil.example",
        "/ /evil.example",
        "/\t/evil.example",
        "\t//evil.example",
        " //evil.example",
        "/\n/evil.example",
        "/x\r\nSet-Cookie: a=b",
        "/x\0",
        "/\x0b/evil.example",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,x",
        "ftp://files.example/",
    ],
)
def test_a_redirect_that_would_lead_elsewhere_is_refused(site: Site, to: str) -> None:
    # case R2
    with pytest.raises(ContextError):
        context_of(site).redirect(to)


@given(to=st.text(st.sampled_from("/\\ \t\r\n\x00.:@?evil"), max_size=8))
def test_what_is_not_refused_stays_or_names_its_scheme(site: Site, to: str) -> None:
    # case R2
    try:
        answer = context_of(site).redirect(to)
    except ContextError:
        return
    seen = re.sub(r"[\t\r\n]", "", answer.headers["location"].strip("\x00 ")).replace("\\", "/")
    assert not seen.startswith("//")
    assert not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", seen)


@pytest.mark.parametrize("status", [200, 204, 300, 304, 404, 0])
def test_a_redirect_has_a_status_of_one(site: Site, status: int) -> None:
    with pytest.raises(ContextError, match="is no status of a redirect"):
        context_of(site).redirect("/", status)


@pytest.mark.parametrize("value", ["", "plain", "a b", 'say "hi"', "a;b,c", "a\\b", "50%", "ü"])
def test_a_cookie_comes_back_as_it_was(value: str) -> None:
    cookies = Cookies(request())
    cookies.set("name", value)
    pair = cookies.outgoing[0].partition("; HttpOnly")[0]
    assert Cookies(request(headers={"Cookie": pair})).get("name") == value
    assert pair.isascii()


@given(value=st.text(max_size=10))
def test_no_value_brings_a_line_or_an_attribute(value: str) -> None:
    # case X4
    cookies = Cookies(request())
    try:
        cookies.set("name", value)
    except ContextError:
        assert cookies.outgoing == []
        return
    (header,) = cookies.outgoing
    assert not set(header) & {"\r", "\n", "\0"}
    assert header.isascii()
    assert [part.strip().partition("=")[0] for part in header.split(";")] == ["name", "HttpOnly", "Path", "SameSite"]


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("a b", {}),
        ("a;b", {}),
        ("a=b", {}),
        ("", {}),
        ("a\r\nb", {}),
        ("ü", {}),
        ("a", {"path": "/; Domain=evil.example"}),
        ("a", {"path": "/\r\nX: y"}),
        ("a", {"path": "/ü"}),
        ("a", {"domain": "shop.example; Secure"}),
        ("a", {"domain": "shop.example\n"}),
    ],
)
def test_what_no_cookie_can_carry_is_refused(name: str, more: dict[str, str]) -> None:
    # case X4
    cookies = Cookies(request())
    with pytest.raises(ContextError, match="what no cookie can carry"):
        cookies.set(name, "x", path=more.get("path", "/"), domain=more.get("domain"))
    with pytest.raises(ContextError, match="what no cookie can carry"):
        cookies.delete(name, path=more.get("path", "/"), domain=more.get("domain"))
    assert cookies.outgoing == []


def test_a_cookie_is_set_and_deleted_with_its_attributes() -> None:
    cookies = Cookies(request())
    cookies.set("a", "1", max_age=60, path="/x", domain="d.example", secure=True, same_site="strict")
    cookies.delete("a", path="/x", domain="d.example")
    one, two = (set(header.split("; ")) for header in cookies.outgoing)
    assert one == {"a=1", "Max-Age=60", "Path=/x", "Domain=d.example", "Secure", "HttpOnly", "SameSite=strict"}
    assert {"Path=/x", "Domain=d.example", "Max-Age=0"} < two


def test_reading_a_cookie_makes_the_answer_the_visitors_own() -> None:
    cookies = Cookies(request(headers={"Cookie": "a=1"}))
    assert not cookies.touched
    assert (cookies.get("a"), cookies.get("b", "none")) == ("1", "none")
    assert cookies.touched


def test_a_prerendered_page_has_url_and_method_alone(site: Site) -> None:
    context = context_of(site, "pages/about.html")
    assert isinstance(context.request, PrerenderRequest)
    assert context.request.method == "GET"
    assert context.request.url.path == "/app/about/"
    assert (context.client_address, context.url.query) == (None, "")
    for name in ("headers", "query_params", "cookies", "client", "body"):
        with pytest.raises(ContextError, match=rf"request\.{name} .+ give pages/about\.html prerender: false"):
            getattr(context.request, name)
    with pytest.raises(ContextError, match="cookies are asked for on a prerendered page"):
        _ = context.cookies
    with pytest.raises(ContextError, match="no sessions"):
        _ = context.sessions


def test_the_rest_of_an_on_demand_context(site: Site) -> None:
    context = context_of(site)
    assert (context.route, context.locale, context.client_address) == ("/now/", "de", "127.0.0.1")
    assert (context.url.path, context.url.query, context.prerendering) == ("/app/now/", "q=%20", False)
    assert (context.response.status, context.touched("response"), context.touched("cookies")) == (200, True, False)


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("shop.example", "http://shop.example"),
        ("shop.example:8080", "http://shop.example:8080"),
        ("[::1]:80", "http://[::1]:80"),
        ("example.com/abc?bar=", "http://localhost"),
        ("user@evil.example", "http://localhost"),
        ("evil.example<script>", "http://localhost"),
        ("a:b:c", "http://localhost"),
        ("-x", "http://localhost"),
        ("", "http://localhost"),
    ],
)
def test_a_hostile_host_is_no_origin(site: Site, host: str, origin: str) -> None:
    # case H2, case L4
    assert context_of(site, host=host).url.origin == origin


def test_the_settings_know_the_origin_better(site: Site) -> None:
    # case H2
    named = site.settings.site.model_copy(update={"url": "https://shop.example"})
    known = dataclasses.replace(site, settings=site.settings.model_copy(update={"site": named}))
    assert context_of(known, host="evil.example").url.origin == "https://shop.example"


def test_a_missing_session_is_none_and_noted_where_it_was_asked(site: Site) -> None:
    off = site.settings.session.model_copy(update={"driver": False})
    without = dataclasses.replace(site, settings=site.settings.model_copy(update={"session": off}))
    context = context_of(without)
    assert not context.has_session
    before = len(site.notices.faults())
    assert context.session is None
    assert len(site.notices.faults()) == before + 1


def test_a_page_that_has_none_because_of_an_error_is_not_noted(site: Site) -> None:
    fresh = dataclasses.replace(site, notices=SessionNotices())
    now = fresh.resources["pages/now.html"]
    error = dataclasses.replace(now, route=dataclasses.replace(now.route, kind="error"))
    path = fresh.policy.read(b"/app/now/")
    assert Context(fresh, Match(error.route, {}), error, request("/app/now/"), path, None).session is None
    assert fresh.notices.faults() == []


def test_locals_by_attribute_and_by_key() -> None:
    names = Locals(user="ann")
    names.role = "reader"
    assert (names.user, names["user"], names["role"]) == ("ann", "ann", "reader")
    with pytest.raises(KeyError):
        names["nobody"]
    assert not hasattr(names, "nobody")


def test_render_gives_html_with_the_context_and_values(site: Site) -> None:
    context = context_of(site)
    assert str(context.render("components/one.html")) == "<b>/app/now/ none</b>"
    answer = context.render("components/one.html", word="<i>")
    assert answer.__html__() == "<b>/app/now/ &lt;i&gt;</b>"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_code_that_asks_for_the_session_is_named(tmp_path: Path) -> None:
    site = loaded(
        tmp_path / "site",
        {"pages/a.html": "a", "pages/a.py": "\ndef load(context):\n    context.session\n    return {}\n"},
    )
    module = site.resources["pages/a.html"].module
    assert module is not None
    load = module.function("load")
    assert load is not None
    resource = site.resources["pages/a.html"]
    load(Context(site, Match(resource.route, {}), resource, request("/a/"), site.policy.read(b"/a/"), None))
    assert [str(fault.location) for fault in site.notices.faults()] == ["pages/a.py:2"]
