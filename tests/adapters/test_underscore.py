"""`_redirects`, `_headers` and `_routes.json`: order, placeholders, what the site has itself, and the hosts' limits."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.adapters.rules import Rule, Rules, header_rules
from hybridsite.adapters.underscore import ordered, routes_json, source, target
from hybridsite.errors import AdapterError, SiteError
from hybridsite.manifest import BuiltFile
from hybridsite.routes import Part, Segment
from tests.e2e.support import page, write_site
from tests.inprocess import ON_DEMAND, built_here

URL = '[site]\nurl = "https://shop.example"\n'
NETLIFY = URL + '[build]\nadapter = "netlify"\norigin = "https://app.example"\n'
CLOUDFLARE = NETLIFY.replace("netlify", "cloudflare")


def lines(root: Path, name: str = "_redirects") -> list[str]:
    return [line for line in page(root, name).splitlines() if line and not line.startswith("#")]


def test_rules_without_parameters_come_first_then_the_more_specific(tmp_path: Path) -> None:
    files = {
        "site.toml": NETLIFY + '[redirects]\n"/[...any]" = "/"\n"/shop/old" = "/shop"\n"/shop/[a]/[b]" = "/[b]"\n',
        "pages/index.html": "",
        "pages/shop/index.html": ON_DEMAND,
        "pages/shop/[slug].html": ON_DEMAND,
        "pages/shop/[year]-[slug].html": ON_DEMAND,
        "pages/api/[...path].py": "def GET(context):\n    return ''",
    }
    root = write_site(tmp_path / "site", files)
    built_here(root)
    assert lines(root) == [
        "/ / 301",
        "/shop https://app.example/shop/ 200",
        "/shop/old /shop/ 301",
        "/api/* https://app.example/api/:splat 200",
        "/shop/:p1 https://app.example/shop/:p1/ 200",
        "/shop/:slug https://app.example/shop/:slug/ 200",
        "/shop/:a/:b /:b 301",
        "/* / 301",
    ]


def test_the_site_s_own_lines_stand_first_as_they_are(tmp_path: Path) -> None:
    own = "# mine\n/a  /b   302!\n/c/* /d/:splat"
    files = {
        "site.toml": NETLIFY + '[redirects]\n"/was" = "/"\n',
        "pages/index.html": "",
        "public/_redirects": own,
        "public/_headers": "/x\n  X-Mine: 1\n/*\n  X-Frame-Options: DENY\n",
    }
    root = write_site(tmp_path / "site", files)
    for _ in range(2):  # and not twice
        built_here(root)
        assert page(root, "_redirects") == f"{own}\n# Written by hybridsite build\n/was / 301\n"
        headers = page(root, "_headers")
        assert headers.startswith("/x\n  X-Mine: 1\n/*\n  X-Frame-Options: DENY\n# Written by")
        assert "SAMEORIGIN" not in headers  # two values of one header would be joined
        assert "X-Content-Type-Options: nosniff" in headers


def test_a_redirect_keeps_its_status_and_a_rest_is_a_splat(tmp_path: Path) -> None:
    # case R9
    toml = (
        NETLIFY.replace("[site]\n", '[site]\nbase = "/app"\n')
        + '[redirects]\n"/old/[...path]" = { to = "https://other.example/x/[...path]", status = 307 }\n'
        '"/a/[_id]/[id]/[identity]" = { to = "/[identity]?a=[id]", status = 302 }\n'
    )
    root = write_site(tmp_path / "site", {"site.toml": toml, "pages/[x].html": ON_DEMAND})
    built_here(root)
    text = (root / "dist/cdn/_redirects").read_text()
    assert "/app/old/* https://other.example/x/:splat 307\n" in text
    assert "/app/a/:pa/:pb/:pc /app/:pc/?a=:pb 302\n" in text  # a name could be taken for the beginning of another
    assert "/app/:x https://app.example/app/:x/ 200\n" in text


def test_what_no_rule_can_say_is_the_origin_s_or_told(tmp_path: Path) -> None:
    toml = '[redirects]\n"/[year]-[month]" = "/[year]/[month]"\n'
    at_origin = write_site(tmp_path / "one", {"site.toml": NETLIFY + toml, "pages/index.html": ""})
    assert built_here(at_origin).warnings == ()
    assert lines(at_origin) == ["/:p0 https://app.example/:p0/ 200"]
    alone = NETLIFY.replace('origin = "https://app.example"\n', "") + toml
    (warning,) = built_here(write_site(tmp_path / "two", {"site.toml": alone, "pages/index.html": ""})).warnings
    assert str(warning).startswith('site.toml:6:1: the redirect "/[year]-[month]" is left out; no rule of the host')


def test_a_redirect_that_a_file_hides_is_told(tmp_path: Path) -> None:
    files = {"site.toml": NETLIFY + '[redirects]\n"/a.txt" = "/"\n', "pages/index.html": "", "public/a.txt": ""}
    (warning,) = built_here(write_site(tmp_path / "site", files)).warnings
    assert "is never taken, since there is a.txt" in str(warning)


@pytest.mark.parametrize("adapter", ["netlify", "cloudflare"])
def test_without_an_origin_what_is_on_demand_is_an_error_that_says_what_to_set(tmp_path: Path, adapter: str) -> None:
    files = {
        "site.toml": f'[build]\nadapter = "{adapter}"\noutput = "server"\n',
        "pages/a.html": "",
        "pages/b.html": "",
    }
    with pytest.raises(AdapterError) as caught:
        built_here(write_site(tmp_path / "site", files))
    assert (
        "which 2 routes would have to be; /a/ (pages/a.html), /b/ (pages/b.html); set [build] origin to where"
        in str(caught.value)
    )


@pytest.mark.parametrize(
    ("redirects", "told"),
    [
        ("".join(f'"/a{n}" = "/"\n' for n in range(1001)), "2,002 static rules, and the host reads 2,000"),
        ("".join(f'"/a{n}/[x]" = "/"\n' for n in range(51)), "102 dynamic rules, and the host reads 100"),
        (f'"/a" = "/{"b" * 1000}"\n', "line 2 of _redirects would have 1,008 characters, and the host reads 1,000"),
    ],
)
def test_what_cloudflare_would_not_read_is_an_error(tmp_path: Path, redirects: str, told: str) -> None:
    files = {"site.toml": f"{CLOUDFLARE}[redirects]\n{redirects}", "pages/index.html": ""}
    with pytest.raises(AdapterError, match=told):
        built_here(write_site(tmp_path / "site", files))
    netlify = write_site(tmp_path / "netlify", {**files, "site.toml": f"{NETLIFY}[redirects]\n{redirects}"})
    assert built_here(netlify).warnings == ()


def test_static_rules_behind_a_dynamic_one_count_as_dynamic(tmp_path: Path) -> None:
    redirects = "".join(f'"/a{n}" = "/"\n' for n in range(50))
    files = {"site.toml": f"{CLOUDFLARE}[redirects]\n{redirects}", "pages/index.html": ""}
    assert built_here(write_site(tmp_path / "site", files)).warnings == ()
    with pytest.raises(AdapterError, match="101 dynamic rules"):
        built_here(write_site(tmp_path / "own", {**files, "public/_redirects": "/x/* /y 302\n"}))


def test_too_many_pages_with_headers_of_their_own_are_an_error_on_cloudflare(tmp_path: Path) -> None:
    pages = {f"pages/p{n}.html": f"---\nheaders: {{X-Page: '{n}'}}\n---\n" for n in range(100)}
    with pytest.raises(SiteError, match="_headers would have 101 rules, and the host reads 100"):
        built_here(write_site(tmp_path / "site", {"site.toml": CLOUDFLARE, **pages}))
    assert built_here(write_site(tmp_path / "netlify", {"site.toml": NETLIFY, **pages})).pages == 100


def test_routes_json_has_what_the_worker_is_for(tmp_path: Path) -> None:
    files = {
        "site.toml": CLOUDFLARE,
        "pages/index.html": "",
        "pages/cart.html": ON_DEMAND,
        "pages/shop/[slug].html": ON_DEMAND,
        "pages/shop/x/y.html": ON_DEMAND,
    }
    root = write_site(tmp_path / "site", files)
    built_here(root)
    assert json.loads(page(root, "_routes.json")) == {
        "version": 1,
        "include": ["/cart", "/cart/", "/shop/*"],
        "exclude": [],
    }
    assert 'pages_build_output_dir = "./client"' in (root / "dist/wrangler.toml").read_text()
    assert "404 Not Found" in page(root, "404.html")  # or the host would answer everything with the home page


def test_no_worker_where_there_is_nothing_for_it(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", {"site.toml": CLOUDFLARE, "pages/index.html": ""})
    built_here(root)
    assert not (root / "dist/client/_worker.js").exists()
    assert not (root / "dist/client/_routes.json").exists()


def test_a_worker_of_the_site_s_own_beside_ours_is_an_error(tmp_path: Path) -> None:
    files = {"site.toml": CLOUDFLARE, "pages/cart.html": ON_DEMAND, "public/_worker.js": "export default {}"}
    with pytest.raises(AdapterError, match=r"public/_worker.js and the adapter both write _worker.js"):
        built_here(write_site(tmp_path / "site", files))


def test_a_404_page_on_demand_gets_all_that_is_unknown(tmp_path: Path) -> None:
    files = {"pages/index.html": "", "pages/404.html": ON_DEMAND}
    netlify = write_site(tmp_path / "netlify", {"site.toml": NETLIFY, **files})
    built_here(netlify)
    assert lines(netlify)[-1] == "/* https://app.example/:splat 200"
    cloudflare = write_site(tmp_path / "cloudflare", {"site.toml": CLOUDFLARE, **files})
    built_here(cloudflare)
    assert json.loads(page(cloudflare, "_routes.json"))["include"] == ["/*"]


def rule(*segments: Segment, to: str | None = None) -> Rule:
    return Rule(segments, "x", to)


TEXT = st.text("abc.-~é", min_size=1, max_size=4).map(lambda text: (Part(text, "text"),))
PARAMS = st.integers(0, 30).map(lambda number: (Part(f"n{number}", "param"),))
MIXED = st.just((Part("a", "param"), Part("-", "text"), Part("b", "param")))
SEGMENTS = st.lists(TEXT | PARAMS | MIXED, max_size=4).map(tuple)


def matches(path: str, pattern: str) -> bool:
    """Whether placeholders match a path, as hosts read them."""
    expression = re.sub(r":[A-Za-z]\w*", "[^/]+", re.escape(pattern).replace(r"\*", ".*").replace(r"\:", ":"))
    return re.fullmatch(expression.rstrip("/") + "/?", path) is not None


@given(
    SEGMENTS, st.booleans(), st.sampled_from(["", "/app"]), st.lists(st.sampled_from("abxyz"), min_size=9, max_size=9)
)
def test_a_widened_rule_matches_no_less(
    segments: tuple[Segment, ...], rest: bool, base: str, values: list[str]
) -> None:
    one = rule(*segments, *([(Part("r", "rest"),)] if rest else []))
    wide = one.widened()
    assert wide.is_sayable
    path, given_values = base, iter(values)
    for segment in one.segments:
        path += "/" + "".join(part.text if part.kind == "text" else next(given_values) for part in segment)
    sent = path.replace("é", "%C3%A9") or "/"
    assert re.match(one.pattern(base), sent)
    assert matches(sent, source(wide, base))
    starts = [text.rstrip("*") for text in json.loads(routes_json(Rules(base, (one,))))["include"]]
    assert any(sent.startswith(start) for start in starts)


@given(st.lists(SEGMENTS, max_size=6))
def test_lines_without_placeholders_come_first_and_keep_their_order(several: list[tuple[Segment, ...]]) -> None:
    found = [f"{source(rule(*segments).widened(), '')} /x 301" for segments in several]
    made = ordered(found)
    dynamic = [":" in line for line in made]
    assert dynamic == sorted(dynamic)
    assert set(made) == set(found)


def test_names_of_parameters_decide_nothing() -> None:
    fixed = rule((Part("z", "param"),), (Part("x", "text"),))
    free = rule((Part("a", "param"),), (Part("b", "param"),))
    assert sorted([free, fixed], key=lambda one: one.weight) == [fixed, free]


def test_escapes_are_matched_in_either_case_and_names_never_meet() -> None:
    one = rule((Part("é~x", "text"),), (Part("p0", "param"),))
    assert re.match(one.pattern(""), "/%C3%A9~x/1")
    assert re.match(one.pattern(""), "/%c3%a9~x/1/")
    mixed = rule((Part("a", "param"), Part("-", "text"), Part("b", "param")), (Part("p0", "param"),)).widened()
    assert source(mixed, "") == "/:pa/:pb"


def test_several_values_of_one_header_are_one_line() -> None:
    built = [BuiltFile("/a", "a", "", "", (("Link", "<x>"), ("link", "<y>")))]
    assert ("Link", "<x>, <y>") in header_rules(built, lambda file: file.url)["/*"]


def test_a_target_has_the_placeholders_of_its_source() -> None:
    one = rule((Part("a", "param"),), (Part("r", "rest"),), to="https://h.example:80/:x/{0}/{1}/?q={0}")
    assert target(one) == "https://h.example:80/%3Ax/:a/:splat/?q=:a"
    assert target(rule((Part("r", "rest"),), to="/new/{0}/")) == "/new/:splat"


FILES = st.dictionaries(
    st.lists(st.sampled_from(["a", "b", "c.css", ""]), min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts)),
    st.dictionaries(st.sampled_from(["X-A", "X-B", "Referrer-Policy"]), st.sampled_from(["1", "2"]), max_size=2),
    max_size=12,
)


@given(FILES)
def test_header_rules_say_exactly_what_each_file_has(files: dict[str, dict[str, str]]) -> None:
    built = [BuiltFile(url, url, "", "", tuple(headers.items())) for url, headers in files.items()]
    rules = header_rules(built, lambda file: file.url)
    for file in built:
        applied = [
            pair
            for pattern, pairs in rules.items()
            if (file.url.startswith(pattern[:-1]) if pattern.endswith("/*") else file.url == pattern)
            for pair in pairs
        ]
        assert len({name for name, _ in applied}) == len(applied)  # none twice
        wanted = {"X-Content-Type-Options", "Cross-Origin-Opener-Policy", "X-Frame-Options", "Referrer-Policy"}
        assert {name for name, _ in applied} == wanted | set(files[file.url])
        assert {name: value for name, value in applied if name in files[file.url]} == files[file.url]
