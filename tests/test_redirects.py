"""[redirects]: which path leads where, escaped, canonical, and never in a circle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.errors import Location, RouteError, SiteErrors
from hybridsite.redirects import check_redirects, follow, read_redirect
from hybridsite.routes import Match, Redirect, read_route
from hybridsite.routing import Router
from hybridsite.urls import PathRefused, TrailingSlash, UrlPolicy

PLACE = Location("site.toml", 2, 1)
PAGES = (
    "pages/index.html",
    "pages/new/[slug].html",
    "pages/docs/[...path].html",
    "pages/feed.xml",
    "pages/api/cart.py",
)


def router(
    *entries: tuple[str, str], pages: tuple[str, ...] = PAGES, base: str = "", slash: TrailingSlash = "always"
) -> Router:
    routes = [route for page in pages if (route := read_route(page))]
    redirects = [read_redirect(path, Redirect(to, None, PLACE)) for path, to in entries]
    return Router([*routes, *redirects], UrlPolicy(base, slash))


def led(paths: Router, raw: bytes, query: str = "") -> str:
    match = next(paths.match(paths.policy.read(raw).segments))
    assert match.route.redirect is not None
    return follow(paths, match, query)


@pytest.mark.parametrize("base", ["", "/app"])
@pytest.mark.parametrize(("slash", "end"), [("always", "/"), ("never", ""), ("ignore", "/")])
@pytest.mark.parametrize("form", [b"", b"/"])
@pytest.mark.parametrize(
    ("path", "to", "raw", "kind", "url"),
    [
        ("/old", "/new/a", b"/old", "page", "/new/a"),
        ("/old/[slug]", "/new/[slug]/", b"/old/a%20b", "page", "/new/a%20b"),
        ("/a-[x]-[y]", "/new/[y].[x]", b"/a-1-2", "page", "/new/2.1"),
        ("/[...all]", "/docs/[...all]", b"/x/y%3Fz/%23", "page", "/docs/x/y%3Fz/%23"),
        ("/rss", "/feed.xml", b"/rss", "file", "/feed.xml"),
        ("/cart", "/api/cart", b"/cart", "file", "/api/cart"),
        ("/h", "/docs#install", b"/h", "page", "/docs#install"),
        ("/q/[x]", "/docs?page=[x]", b"/q/a%26b", "page", "/docs?page=a%26b"),
    ],
)
def test_a_path_leads_to_the_canonical_url(
    base: str, slash: TrailingSlash, end: str, form: bytes, path: str, to: str, raw: bytes, kind: str, url: str
) -> None:
    given = led(router((path, to), base=base, slash=slash), base.encode() + raw + form)
    at = min(url.find(mark) % 999 for mark in "?#")
    expected = url[:at] + (end if kind == "page" else "") + url[at:]
    assert given == base + expected


def test_an_address_elsewhere_is_led_to_as_it_is_written() -> None:
    paths = router(("/o/[x]", "https://other.example/[x]?y=1"), ("/r/[...x]", "https://other.example/a/[...x]#b"))
    assert led(paths, b"/o/a%2Ab%3F") == "https://other.example/a%2Ab%3F?y=1"
    assert led(paths, b"/r/a/b%20c") == "https://other.example/a/a/b%20c#b"


def test_the_query_goes_on_unless_the_target_has_one() -> None:
    paths = router(("/a", "/docs"), ("/b", "/docs?own=1"), ("/c", "https://other.example"), ("/d", "/docs#part"))
    assert led(paths, b"/a", "x=1&y=%20") == "/docs/?x=1&y=%20"
    assert led(paths, b"/b", "x=1") == "/docs/?own=1"
    assert led(paths, b"/c", "x=1") == "https://other.example?x=1"
    assert led(paths, b"/d", "x=1") == "/docs/?x=1#part"


def test_where_nothing_answers_the_target_keeps_its_slash() -> None:
    paths = router(("/a", "/gone"), ("/b", "/gone/"), pages=(), base="/app")
    assert (led(paths, b"/app/a"), led(paths, b"/app/b")) == ("/app/gone", "/app/gone/")


def test_the_more_specific_of_page_and_redirect_wins() -> None:
    paths = router(("/new/special", "/docs"), ("/[...all]", "/docs"), ("/docs/[one]", "/feed.xml"))
    assert next(paths.match(("new", "special"))).route.redirect
    assert next(paths.match(("new", "other"))).route.redirect is None
    assert next(paths.match(("docs", "one"))).route.redirect
    assert next(paths.match(("docs", "one", "two"))).route.redirect is None


# case R1, case R2
@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4))
def test_no_value_leads_to_another_host(segments: list[str]) -> None:
    paths = router(
        ("/old/[...x]", "/[...x]"), ("/one/[x]", "/[x]"), ("/out/[...x]", "https://other.example/[...x]"), pages=()
    )
    raw = paths.policy.url("page", ["old", *segments]).encode()
    try:
        path = paths.policy.read(raw)
    except PathRefused:
        return
    url = follow(paths, next(paths.match(path.segments)))
    assert url.startswith("/")
    assert not url.startswith(("//", "/\\"))
    assert url.isascii()
    assert url.isprintable()
    away = follow(paths, next(paths.match(("out", *path.segments[1:]))))
    assert away.startswith("https://other.example/")
    assert away.isascii()


@pytest.mark.parametrize(
    ("path", "to", "words"),
    [
        ("/a/[slug]", "/b/[slg]", ('no parameter "slg"', '"slug"')),
        ("/a", "/b/[x]", ('no parameter "x"',)),
        ("/a//b", "/c", ("empty segment",)),
        ("/a/[x][y]", "/c", ("follow each other",)),
        ("/a/[x]/[x]", "/c", ("stands twice",)),
        ("/a/[...x]/[...y]", "/c", ("rest parameter",)),
        ("/a]", "/c", ("no name for a route",)),
    ],
)
def test_a_wrong_entry_is_told_with_its_line(path: str, to: str, words: tuple[str, ...]) -> None:
    with pytest.raises(RouteError) as caught:
        read_redirect(path, Redirect(to, None, PLACE))
    assert caught.value.location == PLACE
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "entries",
    [
        [("/a", "/a")],
        [("/a", "/b"), ("/b", "/a/")],
        [("/a", "/b?x=1"), ("/b", "/c#y"), ("/c", "/a")],
        [("/x/[one]", "/x/[one]")],
        [("/x/[one]", "/y/[one]"), ("/y/[two]", "/x/[two]")],
        [("/[...all]", "/lost/[...all]")],
    ],
)
def test_a_circle_is_a_fault(entries: list[tuple[str, str]]) -> None:
    with pytest.raises((RouteError, SiteErrors), match="circle"):
        check_redirects(router(*entries, pages=()))


def test_a_chain_that_ends_and_a_page_in_between_are_none() -> None:
    check_redirects(router(("/a", "/b"), ("/b", "/new/c"), ("/x/[y]", "/x/z/[y]"), ("/[...all]", "/docs/[...all]")))


def test_what_a_page_answers_first_is_a_fault() -> None:
    with pytest.raises(RouteError, match=r"never taken; pages/about\.html answers there"):
        check_redirects(router(("/about", "/new/a"), pages=("pages/about.html",)))
    with pytest.raises(RouteError, match="both answer"):
        router(("/about", "/a"), ("/about/", "/b"))


def test_a_redirect_is_matched_like_any_route() -> None:
    paths = router(("/old/[slug]", "/new/[slug]"))
    match = next(paths.match(("old", "x")))
    assert match == Match(match.route, {"slug": "x"})
    assert match.route.location == PLACE
    assert match.route.files == ()
