"""Files become routes, the more specific one answers, and url_for writes what match reads."""

from __future__ import annotations

import itertools
import sys
import time
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hybridsite.errors import RouteError, SiteErrors
from hybridsite.routes import Route, pair_modules, read_route
from hybridsite.routing import Router
from hybridsite.urls import UrlPolicy


def router(*files: str, on_demand: tuple[str, ...] = ()) -> Router:
    """Makes a router of files, all prerendered but those named."""
    routes = pair_modules(route for file in files if (route := read_route(f"pages/{file}")))
    return Router([_kind(route, route.source.removeprefix("pages/") not in on_demand) for route in routes], UrlPolicy())


def _kind(route: Route, prerender: bool) -> Route:
    return Route(route.segments, route.kind, route.template, route.module, prerender, route.status)


def winner(found: Router, path: str) -> str | None:
    """Gives the file that answers a path first."""
    match = next(found.match(tuple(part for part in path.split("/") if part)), None)
    return match.route.source.removeprefix("pages/") if match else None


def fault(*files: str, on_demand: tuple[str, ...] = ()) -> str:
    with pytest.raises(RouteError) as caught:
        router(*files, on_demand=on_demand)
    return str(caught.value)


@pytest.mark.parametrize(
    ("file", "pattern", "kind"),
    [
        ("index.html", "/", "page"),
        ("about.html", "/about/", "page"),
        ("about.md", "/about/", "page"),
        ("about/index.html", "/about/", "page"),
        ("blog/[slug].html", "/blog/[slug]/", "page"),
        ("docs/[...path].html", "/docs/[...path]/", "page"),
        ("[lang]/[year]-[slug].html", "/[lang]/[year]-[slug]/", "page"),
        ("robots.txt", "/robots.txt", "file"),
        ("feeds/[tag].xml", "/feeds/[tag].xml", "file"),
        ("api/cart.py", "/api/cart", "endpoint"),
        ("api/index.py", "/api", "endpoint"),
        ("stats.json.py", "/stats.json", "endpoint"),
        ("v1.2/a.html", "/v1.2/a/", "page"),
        ("404.html", "/404", "error"),
        ("500.md", "/500", "error"),
        ("sub/404.html", "/sub/404/", "page"),
        ("405.html", "/405/", "page"),
    ],
)
def test_the_route_of_a_file(file: str, pattern: str, kind: str) -> None:
    route = read_route(f"pages/{file}")
    assert route is not None
    assert (route.pattern, route.kind) == (pattern, kind)


@pytest.mark.parametrize(
    "file", ["_draft.html", "_parts/a.html", "a/_b/c.html", ".hidden.html", ".git/a.html", "_a.py"]
)
def test_names_that_make_no_route(file: str) -> None:
    assert read_route(f"pages/{file}") is None


@pytest.mark.parametrize(
    "file",
    [
        "[a][b].html",
        "[a]-[a].html",
        "[a]/[a].html",
        "[...a]/[...b].html",
        "x-[...rest].html",
        "[].html",
        "[a.html",
        "a].html",
        "[1a].html",
        "[a b].html",
        "a\\b.html",
        "a\nb.html",
        "caf\udce9.html",
    ],
)
def test_names_that_no_path_can_match_are_errors(file: str) -> None:
    with pytest.raises(RouteError) as caught:
        read_route(f"pages/{file}")
    assert str(caught.value).startswith("pages/")


@pytest.mark.parametrize(
    ("files", "sources"),
    [
        (("cart.html", "cart.py"), [("cart.html", "cart.py")]),
        (("cart.md", "cart.py"), [("cart.md", "cart.py")]),
        (("robots.txt", "robots.txt.py"), [("robots.txt", "robots.txt.py")]),
        (("404.html", "404.py"), [("404.html", "404.py")]),
        (("cart.html", "card.py"), [("cart.html", None), (None, "card.py")]),
        (("a/index.html", "a/index.py"), [("a/index.html", "a/index.py")]),
    ],
)
def test_a_page_and_its_module(files: tuple[str, ...], sources: list[tuple[str | None, str | None]]) -> None:
    paired = pair_modules(route for file in reversed(files) if (route := read_route(f"pages/{file}")))
    found = {(route.template, route.module) for route in paired}
    assert found == {tuple(name and f"pages/{name}" for name in pair) for pair in sources}


# Each beats all that come after it, on every path that both answer.
ORDERED = ("a/b.html", "a/b-[x].html", "a/[x].html", "[y]/b.html", "[y]/b-[x].html", "[y]/[x].html", "[...z].html")


@given(st.permutations(ORDERED), st.sampled_from(["a/b", "a/b-1", "a/c", "q/b", "q/b-1", "q/c", "q", "", "a/b/c"]))
def test_the_more_specific_one_wins_in_any_order(files: list[str], path: str) -> None:
    found = router(*files)
    matches = [
        match.route.source.removeprefix("pages/") for match in found.match(tuple(p for p in path.split("/") if p))
    ]
    assert matches == sorted(matches, key=ORDERED.index)
    assert matches[-1] == "[...z].html"
    assert winner(found, path) == winner(router(*ORDERED), path)


SHAPES = st.lists(
    st.lists(st.sampled_from(["a", "b", "[x]", "a-[x]", "[x]-b"]), min_size=1, max_size=3).map(tuple),
    min_size=1,
    max_size=6,
    unique=True,
)
RANKS = {"a": 0, "b": 0, "a-[x]": 1, "[x]-b": 1, "[x]": 2}


@given(SHAPES, st.lists(st.sampled_from(["a", "b", "c", "a-c", "a-b", "c-b"]), min_size=1, max_size=3))
def test_matches_come_by_rank_segment_by_segment(shapes: list[tuple[str, ...]], path: list[str]) -> None:
    files = ["/".join(part.replace("x", f"x{n}") for n, part in enumerate(shape)) + ".html" for shape in shapes]
    found = router(*files)
    ranks = []
    for match in found.match(tuple(path)):
        shape = shapes[files.index(match.route.source.removeprefix("pages/"))]
        ranks.append([RANKS[part] for part in shape])
        assert found.fill(match.route, match.params) == tuple(path)
    assert ranks == sorted(ranks)
    assert len(ranks) == sum(_answers(shape, path) for shape in shapes)


def _answers(shape: tuple[str, ...], path: list[str]) -> bool:
    def one(part: str, text: str) -> bool:
        before, is_parameter, after = part.partition("[x]")
        fits = text.startswith(before) and text.endswith(after) and len(text) > len(before + after)
        return fits if is_parameter else part == text

    return len(shape) == len(path) and all(map(one, shape, path))


@pytest.mark.parametrize(
    ("files", "path", "first"),
    [
        (("item-[a].html", "[a].html"), "item-7", "item-[a].html"),
        (("i[a].html", "item-[a].html"), "item-7", "item-[a].html"),
        (("-[a].html", "[a]bc.html"), "-xbc", "[a]bc.html"),
        (("[...r].html", "[a].html"), "x", "[a].html"),
        (("[...r].html", "index.html"), "", "index.html"),
        (("docs/[...r].html", "docs/[a]/[b].html"), "docs/x/y", "docs/[a]/[b].html"),
        (("[...r]/end.html", "[a]/end.html"), "x/end", "[a]/end.html"),
    ],
)
def test_precedence(files: tuple[str, ...], path: str, first: str) -> None:
    for order in itertools.permutations(files):
        assert winner(router(*order), path) == first


@pytest.mark.parametrize(
    ("file", "path", "params"),
    [
        ("[year]-[slug].html", "2026-tee-und-tasse", {"year": "2026", "slug": "tee-und-tasse"}),
        ("[a].[b].html", "x.y", {"a": "x", "b": "y"}),
        ("[a].html", "a.html", {"a": "a.html"}),
        ("[a].html", "+-*", {"a": "+-*"}),
        ("x.[a].html", "xyz", None),
        ("docs/[...p].html", "docs", {"p": ""}),
        ("docs/[...p].html", "docs/a/b", {"p": "a/b"}),
        ("docs/[...p]/edit.html", "docs/edit", {"p": ""}),
        ("docs/[...p]/edit.html", "docs/a/edit/edit", {"p": "a/edit"}),
        ("[a]-[b].html", "-x", None),
        ("[a].html", "", None),
    ],
)
def test_parameters(file: str, path: str, params: dict[str, str] | None) -> None:
    match = next(router(file).match(tuple(part for part in path.split("/") if part)), None)
    assert (dict(match.params) if match else None) == params


@pytest.mark.parametrize(
    ("files", "pattern"),
    [
        (("about.html", "about.md"), "/about/"),
        (("about.html", "about/index.html"), "/about/"),
        (("[a].html", "[b].html"), "/[b]/"),
        (("[a]-[b].html", "[c]-[d].html"), "/[c]-[d]/"),
        (("x/[...a].html", "x/[...b].html"), "/x/[...b]/"),
        (("api/a.py", "api/a/index.py"), "/api/a"),
        (("404.html", "404.md"), "/404"),
    ],
)
def test_two_files_of_one_shape_are_named(files: tuple[str, ...], pattern: str) -> None:
    # case P7
    for order in itertools.permutations(files):
        text = fault(*order)
        assert all(f"pages/{file}" in text for file in files)
    text = fault(*files, on_demand=files)
    assert f"both answer {pattern}" in text


def test_of_one_of_each_kind_the_prerendered_one_comes_first() -> None:
    files = ("[a].html", "[b].html")
    for order in itertools.permutations(files):
        matches = router(*order, on_demand=("[a].html",)).match(("x",))
        assert [match.route.source for match in matches] == ["pages/[b].html", "pages/[a].html"]


VALUE = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\\x7f"), min_size=1, max_size=8
).map(lambda text: unicodedata.normalize("NFC", text))


@given(VALUE, VALUE, st.lists(VALUE, max_size=3))
def test_what_url_for_writes_is_read_again(one: str, two: str, rest: list[str]) -> None:
    # case P5
    assume(not {".", ".."} & {one, two, *rest})
    found = router("shop/[a]/x-[b]/[...c].html")
    url = found.url_for("pages/shop/[a]/x-[b]/[...c].html", a=one, b=two, c="/".join(rest))
    match = next(found.match(found.policy.read(url.encode()).segments))
    assert dict(match.params) == {"a": one, "b": two, "c": "/".join(rest)}


@given(st.text("ab-1", min_size=1, max_size=5), st.text("ab-1", min_size=1, max_size=5))
def test_text_with_two_parameters_is_read_as_written_or_refused(one: str, two: str) -> None:
    found = router("[a]-[b].html")
    try:
        url = found.url_for("pages/[a]-[b].html", a=one, b=two)
    except RouteError:
        assert "-" in one
        return
    match = next(found.match(found.policy.read(url.encode()).segments))
    assert dict(match.params) == {"a": one, "b": two}


@pytest.mark.parametrize(
    ("params", "url"),
    [
        ({"a": "a b", "b": "c"}, "/a%20b-c/"),
        ({"a": 0, "b": 7}, "/0-7/"),
        ({"a": "e\u0301", "b": "x"}, "/%C3%A9-x/"),
        ({"a": "1", "b": "2-3"}, "/1-2-3/"),
        ({"a": "50%", "b": "?#"}, "/50%25-%3F%23/"),
    ],
)
def test_url_for_several_parameters_in_one_segment(params: dict[str, object], url: str) -> None:
    # case P5
    assert router("[a]-[b].html").url_for("pages/[a]-[b].html", **params) == url


@pytest.mark.parametrize("rest", [{}, {"r": None}, {"r": ""}, {"r": "/"}])
def test_a_rest_parameter_may_be_left_out(rest: dict[str, object]) -> None:
    found = router("[a]-[b]/[...r].html")
    assert found.url_for("pages/[a]-[b]/[...r].html", a=1, b=2, **rest) == "/1-2/"
    assert found.url_for("pages/[a]-[b]/[...r].html", a=1, b=2, r="/x/y/") == "/1-2/x/y/"


@pytest.mark.parametrize(
    ("source", "params", "told"),
    [
        ("pages/blgo/[slug].html", {"slug": "a"}, 'did you mean "pages/blog/[slug].html"?'),
        ("blog", {}, "name it as it lies in the site"),
        ("pages/blog/[slug].html", {}, 'needs the parameter "slug"'),
        ("pages/blog/[slug].html", {"slag": "a"}, 'did you mean "slug"?'),
        ("pages/about.html", {"slug": "a"}, 'has no parameter "slug"; its parameters: none'),
        ("pages/blog/[slug].html", {"slug": ""}, "one segment of a path"),
        ("pages/blog/[slug].html", {"slug": "a/b"}, "one segment of a path"),
        ("pages/blog/[slug].html", {"slug": ".."}, "no URL can hold it"),
        ("pages/blog/[slug].html", {"slug": "a\nb"}, "no URL can hold it"),
        ("pages/blog/[slug].html", {"slug": "a\\b"}, "no URL can hold it"),
        ("pages/blog/[slug].html", {"slug": "\ud800"}, "no URL can hold it"),
        ("pages/blog/[slug].html", {"slug": None}, "is NoneType"),
        ("pages/blog/[slug].html", {"slug": True}, "is bool"),
        ("pages/docs/[...path].html", {"path": "a//b"}, "no URL can hold it"),
        ("pages/docs/[...path].html", {"path": "a/../b"}, "no URL can hold it"),
    ],
)
def test_url_for_what_is_wrong(source: str, params: dict[str, object], told: str) -> None:
    found = router("about.html", "blog/[slug].html", "docs/[...path].html")
    with pytest.raises(RouteError, match=r".+") as caught:
        found.url_for(source, **params)
    assert told in str(caught.value)


def test_names_of_files_are_composed() -> None:
    # case P5
    found = router("gru\u0308n.html")
    assert winner(found, "gr\u00fcn") == "gru\u0308n.html"
    assert found.url_for("pages/gru\u0308n.html") == "/gr%C3%BCn/"


def test_all_collisions_are_told_at_once() -> None:
    files = ("pages/a.html", "pages/a.md", "pages/b.html", "pages/b/index.html", "pages/404.html", "pages/404.md")
    with pytest.raises(SiteErrors) as caught:
        Router([route for file in files if (route := read_route(file))], UrlPolicy())
    assert [fault.what for fault in caught.value.faults] == [
        "pages/404.html and pages/404.md both answer /404",
        "pages/a.html and pages/a.md both answer /a/",
        "pages/b.html and pages/b/index.html both answer /b/",
    ]


def steps(found: Router, path: str) -> int:
    """Counts the calls that a match takes, those into C too."""
    number = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal number
        number += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        winner(found, path)
    finally:
        sys.setprofile(before)
    return number


@pytest.mark.parametrize(
    ("shape", "path"),
    [
        ("shop/{}.html", "/shop/0005/"),
        ("{}/[slug].html", "/0005/a/"),
        ("{}/[...rest].html", "/0005/a/b/"),
        ("ink-{}-[name].html", "/ink-0005-oak/"),
        ("[name]-by-{}.html", "/oak-by-0005/"),
        ("x{}-[name]/[id].html", "/x0005-oak/7/"),
        ("{}/[slug].html", "/nowhere/a/"),
        ("ink-{}-[name].html", "/ink-none-oak/"),
    ],
)
def test_a_thousand_routes_cost_what_ten_do(shape: str, path: str) -> None:
    few, many = (router(*(shape.format(f"{number:04}") for number in range(most))) for most in (10, 1000))
    assert winner(few, path) == winner(many, path)
    assert steps(many, path) == steps(few, path)


@pytest.mark.parametrize("name", ["[a]-[b]-[c].json", "[a]x[b]x[c]x[d]", "[a]--[b]"])
def test_the_time_of_a_match_grows_with_the_length_alone(name: str) -> None:
    # Twenty times as long takes some twenty times the time; what backtracks takes 400 or 8,000 times as long.
    route = read_route(f"pages/{name}.html")
    assert route is not None
    router = Router([route], UrlPolicy())
    times = []
    for length in (1_000, 20_000):
        began = time.perf_counter()
        assert list(router.match(("-" * length + "x" * length,))) is not None
        times.append(time.perf_counter() - began)
    assert times[1] < 1.0
