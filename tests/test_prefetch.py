"""[prefetch]: what the rules let a browser fetch ahead, asked of a small matcher, and what the build makes of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hybridsite.errors import RouteError, SiteErrors
from hybridsite.prefetch import HEADER, rules
from hybridsite.routes import Route
from hybridsite.site import BUILD, Site, load_site
from hybridsite.testing import BuiltSite, build_site, client
from tests.e2e.support import MakeSite

PAGE = "<!doctype html><title>x</title>"
ON_DEMAND = f"---\nprerender: false\n---\n{PAGE}"
OWN = f"{ON_DEMAND}<< session.get('a') >>"
KEPT = f"---\nprerender: false\ncache: {{max_age: 60}}\n---\n{PAGE}"
HOVER = '[prefetch]\nwhen = "hover"\n'
MIDDLEWARE = "async def on_request(context, call_next):\n    return await call_next()"
POSTS = "def paths(site):\n    return [{'params': {'slug': 'one'}}]"


def matches(pattern: str, text: str) -> bool:
    """Reads as much of URL Pattern's language as the rules use."""
    parts = re.findall(r"\\.|\{/\*?\}\?|\{:\w+\}\?|:\w+|\*|.", pattern)
    spelt = {"{/}?": "/?", "{/*}?": "(?:/.*)?", "*": ".*"}
    expression = "".join(
        spelt.get(part)
        or (
            "[^/]*?"
            if part.startswith("{:")
            else "[^/]+?"
            if part.startswith(":")
            else re.escape(part.removeprefix("\\"))
        )
        for part in parts
    )
    return re.fullmatch(expression, text) is not None


def holds(condition: Mapping[str, Any], path: str, query: str = "") -> bool:
    [(word, inner)] = condition.items()
    if word == "or":
        return any(holds(one, path, query) for one in inner)
    if word == "and":
        return all(holds(one, path, query) for one in inner)
    if word == "not":
        return not holds(inner, path, query)
    assert word == "href_matches"
    return any(matches(one["pathname"], path) and one.get("search", query) == query for one in inner)


def fetched(told: bytes, path: str, query: str = "") -> bool:
    return any(holds(rule["where"], path, query) for rule in json.loads(told)["prefetch"])


def rules_of(site: BuiltSite) -> bytes:
    value = client(site).get("/").header[HEADER]
    assert re.fullmatch(r'"/[\w./-]+"', value)
    answer = client(site).get(value.strip('"'))
    assert answer.header["content-type"] == "application/speculationrules+json"
    assert answer.header["cache-control"] == "public, max-age=31536000, immutable"
    return answer.body


def site_of(files: Mapping[str, str], toml: str = HOVER) -> BuiltSite:
    return build_site({"site.toml": toml, "pages/index.html": PAGE, **files})


def test_what_all_visitors_share_is_fetched_ahead() -> None:
    with site_of({"pages/about.html": PAGE, "pages/b/[slug].html": PAGE, "pages/b/[slug].py": POSTS}) as site:
        told = rules_of(site)
    assert json.loads(told)["prefetch"][0]["eagerness"] == "moderate"
    for path in ("/", "/about/", "/b/one/"):
        assert fetched(told, path)
    for path in ("/about", "/b/one", "/b/", "/b/one/two/", "/other/", "/robots.txt"):
        assert not fetched(told, path)
    assert not fetched(told, "/about/", "out=1")


def test_what_may_be_a_visitors_own_is_never_fetched_ahead() -> None:
    files = {
        "pages/[slug].html": PAGE,
        "pages/[slug].py": POSTS,
        "pages/cart.html": OWN,
        "pages/café.html": OWN,
        "pages/members.html": f"---\nguard: true\n---\n{PAGE}",
        "pages/api.py": "def GET(context):\n    return {}",
        "pages/shop.html": ON_DEMAND,
        "pages/shop.py": "def load(context):\n    return {}",
        "middleware.py": MIDDLEWARE,
        "actions.py": "from hybridsite import action\n\n\n@action\ndef out(context):\n    pass",
    }
    toml = f'{HOVER}[redirects]\n"/old" = "https://other.example/"\n'
    with site_of(files, toml) as site:
        told = rules_of(site)
    assert fetched(told, "/one/")
    own = (
        "/cart/",
        "/cart",
        "/caf%C3%A9/",
        "/caf%c3%a9/",
        "/cafe%CC%81/",
        "/members/",
        "/api",
        "/api/",
        "/shop/",
        "/old",
        "/old/",
    )
    for path in (*own, "/%63art/", "/c%61rt/", "/_actions/out", "/_islands/x/", "/_prefetch/"):
        assert not fetched(told, path)


def test_a_page_on_demand_is_fetched_ahead_where_it_is_kept_for_all() -> None:
    files = {
        "pages/kept.html": KEPT,
        "pages/asks.html": KEPT + "<< cookies.get('a') >>",
        "pages/code.html": KEPT,
        "pages/code.py": "def load(context):\n    return {}",
        "pages/on-demand.html": ON_DEMAND,
    }
    with site_of(files) as site:
        told = rules_of(site)
    assert fetched(told, "/kept/")
    assert not any(fetched(told, path) for path in ("/asks/", "/code/", "/on-demand/"))
    with site_of({**files, "middleware.py": MIDDLEWARE}) as site:
        assert not fetched(rules_of(site), "/kept/")  # it may look at the visitor
    with site_of(files, f"{HOVER}[cache]\ndriver = false\n") as site:
        assert not fetched(rules_of(site), "/kept/")


def test_a_page_of_its_own_name_goes_before_a_route_that_would_take_its_path() -> None:
    with site_of({"pages/[...all].html": OWN, "pages/about.html": PAGE, "pages/a/(b)+{c}.html": PAGE}) as site:
        told = rules_of(site)
    assert fetched(told, "/")
    assert fetched(told, "/about/")
    assert fetched(told, "/a/(b)+%7Bc%7D/")
    assert not fetched(told, "/abouts/")


def test_a_page_for_what_isnt_there_that_uses_the_session_leaves_named_pages_alone() -> None:
    files = {"pages/404.html": OWN, "pages/[slug].html": PAGE, "pages/[slug].py": POSTS, "pages/about.html": PAGE}
    with site_of(files) as site:
        told = rules_of(site)
    assert fetched(told, "/about/")
    assert not fetched(told, "/one/")


@pytest.mark.parametrize("name", ["cart", "[page]"])
def test_a_path_that_leads_to_another_languages_page_is_not_fetched_ahead(name: str) -> None:
    files = {
        "pages/[locale]/[slug].html": PAGE,
        "pages/[locale]/[slug].py": "def paths(site):\n    return [{'params': {'locale': 'de', 'slug': 'one'}}]",
        f"pages/{name}.html": OWN,
    }
    toml = f'{HOVER}[i18n]\nlocales = ["en", "de"]\ndefault = "en"\nfallback = {{ de = "en" }}\n'
    with site_of(files, toml) as site:
        told = rules_of(site)
        assert client(site).get("/de/cart/").url.endswith("/cart/")
    assert fetched(told, "/de/one/") is (name == "cart")  # by its pattern the other route may stand in for it
    assert not fetched(told, "/de/cart/")


@pytest.mark.parametrize(
    ("slash", "yes", "no"),
    [("never", ("/a/about", "/a/b/one"), ("/a/about/", "/a/b/one.pdf")), ("ignore", ("/a/about/", "/a/b/one/"), ())],
)
def test_addresses_look_as_the_site_says(slash: str, yes: Iterable[str], no: Iterable[str]) -> None:
    toml = f'{HOVER}[site]\nbase = "/a"\n[routing]\ntrailing_slash = "{slash}"\n'
    files = {"pages/about.html": PAGE, "pages/b/[slug].html": PAGE, "pages/b/[slug].py": POSTS, "pages/cart.html": OWN}
    with site_of(files, toml) as site:
        told = (site.folder / "dist/client").glob("_prefetch/*.speculationrules")
        [text] = [file.read_bytes() for file in told]
        value = (
            client(site).get("/a/cart").header[HEADER]
        )  # the client follows the redirect to the one form or the other
        assert value.startswith('"/a/_prefetch/')
    assert all(fetched(text, path) for path in yes)
    assert not any(fetched(text, path) for path in (*no, "/about/", "/about", "/a/cart", "/a/cart/", "/a/_prefetch/x"))


def test_every_page_names_the_rules_and_nothing_else_does() -> None:
    files = {"pages/404.html": PAGE, "pages/cart.html": OWN, "pages/feed.xml": "<a/>", "public/own.html": PAGE}
    files["pages/said.html"] = f"---\nheaders: {{Speculation-Rules: '\"/mine.json\"'}}\n---\n{PAGE}"
    with site_of(files) as site:
        asked = {path: client(site).get(path).header.get(HEADER) for path in ("/", "/cart/", "/no/", "/own.html")}
        assert len(set(asked.values())) == 1
        assert None not in asked.values()
        assert client(site).get("/said/").header[HEADER] == '"/mine.json"'
        assert HEADER not in client(site).get("/feed.xml").header
        assert "speculation" not in site.read("index.html")


@pytest.mark.parametrize("toml", ["", '[prefetch]\nwhen = "never"\n'])
def test_without_the_setting_nothing_is_fetched_ahead(toml: str) -> None:
    with site_of({"pages/cart.html": OWN}, toml) as site:
        assert HEADER not in client(site).get("/").header
        assert HEADER not in client(site).get("/cart/").header
        assert not (site.folder / "dist/client/_prefetch").exists()


# What stands in a name: fixed text, some of it escaped in URLs, parameters, and both.
NAMES = st.sampled_from(["a", "b", "é", "x y", "(b)", "|", "[p]", "a-[p]", "[p].[q]"])
PATHS = st.lists(NAMES, min_size=1, max_size=2, unique=True).filter(
    lambda names: sum(name.count("[p]") for name in names) < 2
)
ASKED = st.lists(
    st.sampled_from(["a", "b", "é", "x y", "a-b", "b.a", "%61", "c", "e%CC%81", "%c3%a9", "(b)", "|", "%7C"]),
    min_size=1,
    max_size=3,
)


@example(shared=[["[p]"]], own=[["é"]], asked=[["é"], ["%c3%a9"], ["e%CC%81"]])
@example(shared=[["[p]"]], own=[["|"], ["(b)"]], asked=[["|"], ["%7C"], ["(b)"], ["%28b)"]])
@given(shared=st.lists(PATHS, max_size=3), own=st.lists(PATHS, min_size=1, max_size=3), asked=st.lists(ASKED))
def test_no_path_that_a_visitors_own_route_answers_is_fetched_ahead(
    shared: list[list[str]], own: list[list[str]], asked: list[list[str]], make_site: MakeSite
) -> None:
    files: dict[str, str] = {"site.toml": HOVER}
    for names in own:
        files[f"pages/{'/'.join(names)}.html"] = OWN
    for names in shared:
        files.setdefault(f"pages/{'/'.join(names)}.html", PAGE)
    try:
        site = load_site(make_site(files), BUILD, environ={})
    except (RouteError, SiteErrors) as fault:
        assert "both answer" in str(fault)  # noqa: PT017 - two files of one shape
        return
    told = rules(site, _planned(site))
    for names in asked:
        for ending in ("", "/"):
            path = "/" + "/".join(name if "%" in name else _escaped(name) for name in names) + ending
            segments = site.policy.read(path.encode()).segments
            first = next(site.router.match(segments), None)
            answered_by_file = first is not None and first.route.prerender and not first.route.parameters
            if fetched(told, path) and not answered_by_file:
                assert all(match.route.prerender for match in site.router.match(segments))


def _planned(site: Site) -> list[tuple[Route, tuple[str, ...]]]:
    return [(route, site.router.fill(route, {})) for route in site.router.routes if not route.parameters]


def _escaped(text: str) -> str:
    return text.replace("é", "%C3%A9").replace(" ", "%20")
