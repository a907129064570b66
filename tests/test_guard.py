"""`guard: true`: a page that is built, and given to nobody whom the middleware refuses."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from urllib.parse import quote

import brotli
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp

from hybridsite.errors import FrontMatterError
from tests.e2e.support import bytes_below, page, write_site
from tests.inprocess import MEMORY, ON_DEMAND, app_of, ask, built_here

SECRET = "for members alone"
GUARDED = "---\nguard: true\n---\n"
MIDDLEWARE = """
from starlette.responses import PlainTextResponse

async def on_request(context, call_next):
    if context.prerendering or context.page.get("members") or context.url.path.startswith("/open/"):
        return await call_next(context)
    if context.request.headers.get("authorization") == "let me" or context.session.get("user"):
        answer = await call_next(context)
        answer.headers["x-route"] = context.route
        return answer
    return PlainTextResponse("who are you?", 401)
"""
FILES = {
    "site.toml": MEMORY,
    "middleware.py": MIDDLEWARE,
    "pages/members/index.html": GUARDED + f"<p>{SECRET}</p> << prerendering >> " + "more " * 300,
    "pages/members/[slug].html": GUARDED + f"<< params.slug >> {SECRET}",
    "pages/members/[slug].py": "def paths(site):\n    return [{'params': {'slug': slug}} for slug in ('one', 'café')]",
    "pages/members/list.txt": GUARDED + SECRET,
    "pages/members/[...rest].html": ON_DEMAND + "on demand << params.rest >>",
    "pages/index.html": "<a href=\"<< url_for('pages/members/index.html') >>\">members</a>",
    "pages/in.py": "def GET(context):\n    context.session['user'] = 1\n    return ''",
    "pages/open/to.py": "def GET(context):\n    return context.rewrite(context.request.query_params['path'])",
    "pages/404.html": "none",
}
MEMBER = {"authorization": "let me"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("guard") / "site", FILES)


@pytest.fixture(scope="module")
def app(root: Path) -> ASGIApp:
    return app_of(root)


def test_it_is_built_where_no_host_gives_it_out(app: ASGIApp, root: Path) -> None:
    assert SECRET.encode() not in bytes_below(root / "dist/client")
    assert SECRET in (root / "dist/server/_guarded/members/index.html").read_text()
    assert "members" in page(root, "index.html")
    files = json.loads((root / "dist/server/manifest.json").read_text())["files"]
    assert {file["file"] for file in files if "guard" in file} == {
        *("members/index.html", "members/one/index.html", "members/café/index.html", "members/list.txt")
    }


@pytest.mark.parametrize(
    ("path", "route", "text"),
    [
        ("/members/", "/members/", f"<p>{SECRET}</p> True"),
        ("/members/one/", "/members/[slug]/", f"one {SECRET}"),
        ("/members/caf%C3%A9/", "/members/[slug]/", f"café {SECRET}"),
        ("/members/list.txt", "/members/list.txt", SECRET),
    ],
)
def test_it_is_given_to_whom_the_middleware_lets_through(app: ASGIApp, path: str, route: str, text: str) -> None:
    answer = ask(app, path, headers=MEMBER)
    assert (answer.status, answer.header["x-route"]) == (200, route)
    assert answer.text.startswith(text)
    assert answer.header["cache-control"] == "private, no-cache"
    assert (ask(app, path).status, ask(app, path).text) == (401, "who are you?")


def test_it_is_private_where_the_middleware_asked_the_session(app: ASGIApp) -> None:
    cookie = next(v for n, v in ask(app, "/in", headers=MEMBER).headers if n == "set-cookie").partition(";")[0]
    answer = ask(app, "/members/", headers={"cookie": cookie})
    assert answer.status == 200
    assert (answer.header["cache-control"], answer.header["vary"]) == ("private, no-store", "Accept-Encoding, Cookie")


def test_conditions_ranges_codings_and_head_are_answered_behind_the_guard_alone(app: ASGIApp) -> None:
    whole = ask(app, "/members/", headers=MEMBER)
    asked = {
        "If-None-Match": whole.header["etag"],
        "If-Modified-Since": "Fri, 06 Nov 2099 08:49:37 GMT",
        "Range": "bytes=3-5",
        "Accept-Encoding": "gzip",
    }
    told = []
    for name, value in asked.items():
        answer = ask(app, "/members/", headers={**MEMBER, name: value})
        told.append((answer.status, gzip.decompress(answer.body) if name == "Accept-Encoding" else answer.body))
        assert answer.header["cache-control"] == "private, no-cache"
        for method in ("GET", "HEAD"):
            refused = ask(app, "/members/", method, headers={name: value})
            assert (refused.status, "etag" in refused.header) == (401, False)
    assert told == [(304, b""), (304, b""), (206, b"for"), (200, whole.body)]
    head = ask(app, "/members/", "HEAD", headers=MEMBER)
    assert (head.status, head.body, head.header["content-length"]) == (200, b"", str(len(whole.body)))


def test_other_methods_are_answered_behind_the_guard_too(app: ASGIApp) -> None:
    own = {"origin": "http://127.0.0.1"}
    assert ask(app, "/members/", "POST", headers=own).status == 401
    answer = ask(app, "/members/", "POST", headers={**own, **MEMBER})
    assert (answer.status, answer.header["allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize(
    ("path", "to"), [("/members?a=1", "/members/?a=1"), ("/members/list.txt/", "/members/list.txt")]
)
def test_its_other_form_redirects(app: ASGIApp, path: str, to: str) -> None:
    answer = ask(app, path)
    assert (answer.status, answer.header["location"]) == (308, to)


def test_a_rewrite_to_it_meets_the_middleware(app: ASGIApp) -> None:
    for path in ("/members/", "/members", "/%6dembers/", "/members/list.txt"):
        assert ask(app, f"/open/to?path={quote(path)}").text == "who are you?"
        assert SECRET in ask(app, f"/open/to?path={quote(path)}", headers=MEMBER).text


def test_its_paths_are_its_own_and_the_rest_is_on_demand(app: ASGIApp) -> None:
    assert ask(app, "/members/two/", headers=MEMBER).text == "on demand two"


PARTS = st.lists(
    st.sampled_from(
        [
            *("members", "Members", "%6dembers", "%256dembers", "mem%62ers", "one", "caf%C3%A9", "list.txt", "café"),
            *("index.html", "index", ".", "..", "%2e", "%2E%2e", "", "x", ";", "members;a=1", "_guarded", "server"),
            *("%2f", "%5c", "\\", "%00", "%ff", "dist", "client", "manifest.json", "members%2fone", "..%2f"),
        ]
    ),
    max_size=6,
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *("x-middleware-subrequest", "x-forwarded-prefix", "x-original-url", "x-rewrite-url", "x-hybridsite-guard"),
            *("range", "if-none-match", "accept-encoding", "x-http-method-override", "cookie", "sec-purpose"),
        ]
    ),
    st.sampled_from(["1", "*", "/members/", "bytes=0-9", "gzip", "br", "GET", "hybridsite-session=x", "prefetch"]),
    max_size=2,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    PARTS,
    st.sampled_from(["", "/", "?a=/members/", "#x", ".html", "/index.html"]),
    st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "PUT", "TRACE"]),
    HEADERS,
)
@example(["members"], "/", "GET", {})
@example(["members"], "/index.html", "GET", {})
@example(["members", "one"], "/", "GET", {"if-none-match": "*"})
def test_no_spelling_gives_it_to_whom_the_middleware_refuses(
    app: ASGIApp, parts: list[str], end: str, method: str, headers: dict[str, str]
) -> None:
    # case P2, case H5, case H6
    answer = ask(app, ("/" + "/".join(parts) + end).encode(), method, headers=headers)
    unpack = {"gzip": gzip.decompress, "br": brotli.decompress}.get(answer.header.get("content-encoding", ""), bytes)
    assert SECRET.encode() not in unpack(answer.body)
    assert "x-route" not in answer.header  # which the middleware gives to whom it lets through


@pytest.mark.parametrize("slash", ["always", "never", "ignore"])
@pytest.mark.parametrize("base", ["", "/app"])
def test_every_form_of_its_address_is_guarded(tmp_path: Path, slash: str, base: str) -> None:
    # case P2, case P2b
    toml = MEMORY + f'[site]\nbase = "{base}"\n[routing]\ntrailing_slash = "{slash}"\n'
    files = {**FILES, "site.toml": toml}
    app = app_of(write_site(tmp_path / "site", files))
    let_in = set()
    for path in ("/members", "/members/", "/members/one", "/members/one/", "/members/index.html"):
        for prefix in ("", "/app", "/appX"):
            answer = ask(app, prefix + path)
            assert SECRET not in answer.text
            if SECRET in ask(app, prefix + path, headers=MEMBER).text:
                let_in.add(prefix + path)
    forms = {"always": ("/",), "never": ("",), "ignore": ("", "/")}[slash]
    assert let_in == {f"{base}{path}{end}" for path in ("/members", "/members/one") for end in forms}


def test_at_build_the_middleware_does_not_run_for_it(tmp_path: Path) -> None:
    code = "async def on_request(context, call_next):\n    raise ZeroDivisionError"
    root = write_site(tmp_path / "site", {"middleware.py": code, "pages/a.html": GUARDED + "<< locals | length >>a"})
    (root / "pages/a.html").write_text(GUARDED + "a")
    built_here(root)
    assert (root / "dist/server/_guarded/a/index.html").read_text() == "a"


def test_the_table_of_routes_tells_it(tmp_path: Path) -> None:
    rows = {row.source: row.reason for row in built_here(write_site(tmp_path / "site", FILES)).rows}
    assert rows["pages/members/list.txt"].endswith(", guarded")
    assert "guarded" not in rows["pages/index.html"]


def test_middleware_knows_its_front_matter(tmp_path: Path) -> None:
    files = {**FILES, "pages/open.html": "---\nguard: true\nmembers: true\nheaders: {X-Own: a}\n---\nopen"}
    answer = ask(app_of(write_site(tmp_path / "site", files)), "/open/")
    assert (answer.status, answer.text, answer.header["x-own"]) == (200, "open", "a")


@pytest.mark.parametrize(
    ("front", "told"),
    [
        ("guard: yes please", '"guard" has to be true or false'),
        ("guard: true\nprerender: false", "guard: true stands on a page that is rendered on demand"),
        ("guard: true\nheaders: {Cache-Control: 'max-age=60'}", "stands on a page that is guarded"),
    ],
)
def test_what_can_t_be_guarded_is_an_error(tmp_path: Path, front: str, told: str) -> None:
    root = write_site(tmp_path / "site", {"middleware.py": MIDDLEWARE, "pages/a.html": f"---\n{front}\n---\n"})
    with pytest.raises(FrontMatterError) as caught:
        built_here(root)
    assert told in str(caught.value)
    assert caught.value.location is not None
    assert caught.value.location.line >= 2


def test_an_error_page_can_t_be_guarded(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", {"middleware.py": MIDDLEWARE, "pages/404.html": GUARDED})
    with pytest.raises(FrontMatterError, match="an error page can't be guarded"):
        built_here(root)


def test_a_site_without_middleware_guards_nothing_which_is_an_error(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", {"pages/a.html": GUARDED})
    with pytest.raises(FrontMatterError) as caught:
        built_here(root)
    assert str(caught.value).startswith("pages/a.html:2:1: guard: true guards nothing: the site has no middleware")


def test_a_stricter_cache_control_of_its_own_is_kept(tmp_path: Path) -> None:
    files = {**FILES, "pages/open.html": "---\nguard: true\nmembers: true\nheaders: {Cache-Control: no-store}\n---\n"}
    assert ask(app_of(write_site(tmp_path / "site", files)), "/open/").header["cache-control"] == "no-store"


def test_a_public_file_of_the_same_address_is_a_fault(tmp_path: Path) -> None:
    files = {"middleware.py": MIDDLEWARE, "pages/a.html": GUARDED, "public/a/index.html": "for all"}
    with pytest.raises(Exception, match=r"public/a/index.html and pages/a.html both write"):
        built_here(write_site(tmp_path / "site", files))


def test_a_form_that_stands_on_it_shows_its_outcome_without_the_page(tmp_path: Path) -> None:
    files = {
        **FILES,
        "site.toml": "[session]\ndriver = false\n",
        "middleware.py": MIDDLEWARE.replace(' or context.session.get("user")', ""),
        "pages/in.py": "def GET(context):\n    return ''",
        "actions.py": "from hybridsite import action\n@action\ndef go(context):\n    return None",
    }
    app = app_of(write_site(tmp_path / "site", files))
    headers = {**MEMBER, "origin": "http://127.0.0.1", "referer": "http://127.0.0.1/members/"}
    answer = ask(app, "/_actions/go", "POST", headers=headers)
    assert (answer.status, SECRET in answer.text) == (200, False)
