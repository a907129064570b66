"""From files under pages/ to addresses: the table, precedence, slashes, base, and error pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.support import Hybridsite, MakeSite, Serve, Server, built, page, tree

ON_DEMAND = "---\nprerender: false\n---\n"
SITE = {
    "pages/index.html": "index",
    "pages/about.html": "about",
    "pages/team.md": "# Team",
    "pages/help/index.html": "help",
    "pages/now.html": ON_DEMAND + "now [<< request.query_params.get('q', '') >>]",
    "pages/now.py": """
        from starlette.responses import PlainTextResponse

        def POST(context):
            return PlainTextResponse("posted")
        """,
    "pages/robots.txt": "User-agent: << '*' >>",
    "pages/feed.xml": "<feed>{% if true %}entries{% endif %}</feed>",
    "pages/data.json": '{"answer": << 6 * 7 >>}',
    "pages/live.txt": ON_DEMAND + "live << url.path >>",
    "pages/api/cart.py": "def GET(context):\n    return 'cart'",
    "pages/stats.json.py": "prerender = True\ndef GET(context):\n    return {'visits': 3}",
    "pages/live.json.py": "def GET(context):\n    return {'live': True}",
    "pages/404.html": "<h1>Nothing at << url.path >></h1>",
    "pages/500.html": "<h1>Our fault</h1>",
    "pages/broken.html": ON_DEMAND + "<< nothing >>",
    "pages/broken.py": "def load(context):\n    raise RuntimeError('the till is open')",
    "pages/gone.html": ON_DEMAND + "gone",
    "pages/gone.py": "from hybridsite import NotFound\ndef load(context):\n    raise NotFound",
    "pages/_notes.html": "notes",
    "pages/_parts/part.html": "part",
    "pages/parts/_one.py": "def GET(context):\n    return 'one'",
    # parameters
    "pages/blog/[slug].html": "<< params.slug >> is << props.title >>",
    "pages/blog/[slug].py": """
        def paths(site):
            for slug in ("first", "a b", "grün", "50%"):
                yield {"params": {"slug": slug}, "props": {"title": slug.upper()}}
        """,
    "pages/[lang]/[year]-[slug].html": ON_DEMAND + "<< params.lang >>/<< params.year >>/<< params.slug >>",
    "pages/docs/[...path].html": ON_DEMAND + "docs [<< params.path | default('', true) >>]",
    "pages/guide/[...path].html": "guide [<< params.path | default('', true) >>]",
    "pages/guide/[...path].py": """
        def paths(site):
            return [{"params": {"path": path}} for path in ("", "one", "one/two")]
        """,
    # the more specific one wins
    "pages/win/[a].html": ON_DEMAND + "parameter",
    "pages/win/fixed.html": ON_DEMAND + "fixed",
    "pages/win/item-[a].html": ON_DEMAND + "text with parameter",
    "pages/win/[...rest].html": ON_DEMAND + "rest",
    "pages/win/[a]/end.html": ON_DEMAND + "parameter, fixed",
    "pages/win/fixed/[b].html": ON_DEMAND + "fixed, parameter",
    # one prerendered, one on demand, of the same shape
    "pages/shop/[slug].html": "built << params.slug >>",
    "pages/shop/[slug].py": "def paths(site):\n    return [{'params': {'slug': 'tea'}}]",
    "pages/shop/[name].html": ON_DEMAND + "rendered << params.name >>",
}

ANSWERS = [
    ("/", "index"),
    ("/about/", "about"),
    ("/help/", "help"),
    ("/now/?q=1%202", "now [1 2]"),
    ("/robots.txt", "User-agent: *"),
    ("/feed.xml", "<feed>entries</feed>"),
    ("/data.json", '{"answer": 42}'),
    ("/live.txt", "live /live.txt"),
    ("/api/cart", "cart"),
    ("/blog/first/", "first is FIRST"),
    ("/blog/a%20b/", "a b is A B"),
    ("/blog/gr%C3%BCn/", "grün is GRÜN"),
    ("/blog/50%25/", "50% is 50%"),
    ("/de/2026-tee-und-tasse/", "de/2026/tee-und-tasse"),
    ("/docs/", "docs []"),
    ("/docs/a/", "docs [a]"),
    ("/docs/a/b%20c/d/", "docs [a/b c/d]"),
    ("/guide/", "guide []"),
    ("/guide/one/", "guide [one]"),
    ("/guide/one/two/", "guide [one/two]"),
    ("/win/fixed/", "fixed"),
    ("/win/item-7/", "text with parameter"),
    ("/win/else/", "parameter"),
    ("/win/else/more/", "rest"),
    ("/win/else/end/", "parameter, fixed"),
    ("/win/fixed/end/", "fixed, parameter"),
    ("/win/", "rest"),
    ("/shop/tea/", "built tea"),
    ("/shop/cup/", "rendered cup"),
]
NOT_FOUND = [
    "/nowhere/",
    "/About/",
    "/_notes/",
    "/_parts/part/",
    "/parts/_one",
    "/blog/",
    "/blog/second/",
    "/blog/first/more/",
    "/guide/two/",
    "/de/2026/",
    "/about.html",
    "/api/",
    "/api/cart.py",
    "/now.py",
    "/gone/",
]
REDIRECTS = [
    ("/about", "/about/"),
    ("/about?a=1&b=%20", "/about/?a=1&b=%20"),
    ("/now", "/now/"),
    ("/now?q=x", "/now/?q=x"),
    ("/blog/a%20b", "/blog/a%20b/"),
    ("/docs", "/docs/"),
    ("/docs/a/b", "/docs/a/b/"),
    ("/shop/cup?x=", "/shop/cup/?x="),
    ("/api/cart/", "/api/cart"),
    ("/api/cart/?a=1", "/api/cart?a=1"),
    ("/robots.txt/", "/robots.txt"),
    ("/live.txt/", "/live.txt"),
]


@pytest.fixture(scope="module")
def server(make_site: MakeSite) -> Iterator[Server]:
    with Server(make_site(SITE)) as server:
        yield server


def location(server: Server, text: str) -> str:
    """Gives a Location without the server's own origin, which may stand there or not."""
    return text.removeprefix(server.url)


def test_what_is_written(make_site: MakeSite) -> None:
    site = make_site(SITE)
    built(site)
    assert set(tree(site / "dist/client")) == {
        "index.html",
        "about/index.html",
        "team/index.html",
        "help/index.html",
        "robots.txt",
        "feed.xml",
        "data.json",
        "stats.json",
        "404.html",
        "500.html",
        "blog/first/index.html",
        "blog/a b/index.html",
        "blog/grün/index.html",
        "blog/50%/index.html",
        "guide/index.html",
        "guide/one/index.html",
        "guide/one/two/index.html",
        "shop/tea/index.html",
    }


@pytest.mark.parametrize(("path", "text"), ANSWERS)
def test_a_path_is_answered_by_its_route(server: Server, path: str, text: str) -> None:
    answer = server.client().get(path)
    assert (answer.status_code, answer.text.strip()) == (200, text)


@pytest.mark.parametrize("path", NOT_FOUND)
def test_anything_else_is_404_with_the_site_s_page(server: Server, path: str) -> None:
    answer = server.client().get(path)
    assert answer.status_code == 404
    assert "<h1>Nothing at " in answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(("path", "canonical"), REDIRECTS)
def test_the_other_slash_is_308_with_its_query(server: Server, path: str, canonical: str) -> None:
    answer = server.client().get(path)
    assert answer.status_code == 308
    assert location(server, answer.headers["location"]) == canonical


def test_the_other_slash_keeps_method_and_body(server: Server) -> None:
    client = server.client()
    for answer in (client.post("/now"), client.head("/now"), client.post("/api/cart/")):
        assert answer.status_code == 308
        assert location(server, answer.headers["location"]) in ("/now/", "/api/cart")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/now/", "text/html; charset=utf-8"),
        ("/robots.txt", "text/plain; charset=utf-8"),
        ("/live.txt", "text/plain; charset=utf-8"),
        ("/data.json", "application/json"),
        ("/stats.json", "application/json"),
        ("/live.json", "application/json"),
    ],
)
def test_the_content_type_is_that_of_the_file(server: Server, path: str, kind: str) -> None:
    # case X8
    assert server.client().get(path).headers["content-type"].startswith(kind)


@pytest.mark.parametrize("path", ["/", "/now/", "/robots.txt", "/api/cart", "/shop/tea/", "/nowhere/"])
def test_head_is_get_without_the_body(server: Server, path: str) -> None:
    client = server.client()
    get, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    for name in ("content-type", "content-length"):
        assert head.headers[name] == get.headers[name]


def test_methods_that_a_page_has_not_are_405_with_allow(server: Server) -> None:
    client = server.client()
    for path in ("/about/", "/shop/cup/", "/robots.txt"):
        answer = client.post(path)
        assert answer.status_code == 405, path
        assert {"GET", "HEAD"} <= set(answer.headers["allow"].replace(" ", "").split(",")), path
        assert "POST" not in answer.headers["allow"]
    assert client.post("/now/").text == "posted"
    assert "POST" in client.put("/now/").headers["allow"]
    assert client.post("/nowhere/").status_code == 404


def test_options_tells_the_methods_and_does_not_run_the_page(server: Server) -> None:
    answer = server.client().options("/now/")
    assert answer.status_code in (200, 204)
    assert answer.text == ""
    assert {"GET", "HEAD", "POST", "OPTIONS"} == set(answer.headers["allow"].replace(" ", "").split(","))


def test_an_unexpected_exception_gives_the_site_s_500_and_no_detail(server: Server) -> None:
    answer = server.client().get("/broken/")
    assert (answer.status_code, answer.text.strip()) == (500, "<h1>Our fault</h1>")
    assert "the till is open" in server.log()
    assert "pages/broken.py" in server.log()
    assert server.client().get("/now/").status_code == 200


def test_without_error_pages_of_its_own_nothing_leaks(make_site: MakeSite, serve: Serve) -> None:
    # case X5
    site = make_site(
        {
            "pages/index.html": "home",
            "pages/broken.py": "def GET(context):\n    password = 'hunter2'\n    raise RuntimeError(password)",
        }
    )
    client = serve(site).client()
    for path, status in (("/broken", 500), ("/nowhere/", 404)):
        answer = client.get(path)
        assert answer.status_code == status
        assert answer.text.strip() != ""
        for detail in ("hunter2", "Traceback", "broken.py", str(site), "Python"):
            assert detail not in answer.text


@pytest.mark.parametrize(
    ("setting", "canonical", "other"),
    [("never", "/about", "/about/"), ("never", "/now", "/now/"), ("always", "/about/", "/about")],
)
def test_trailing_slash(make_site: MakeSite, serve: Serve, setting: str, canonical: str, other: str) -> None:
    settings = f'[routing]\ntrailing_slash = "{setting}"'
    files = {"pages/index.html": "home", "pages/about.html": "about", "pages/now.html": ON_DEMAND + "now"}
    links = "<< url_for('pages/about.html') >> << url_for('pages/now.html') >> << url_for('pages/index.html') >>"
    server = serve(make_site({**files, "site.toml": settings, "pages/links.txt": links}))
    client = server.client()
    assert client.get("/").text == "home"
    assert client.get(canonical).text.strip() == canonical.strip("/")
    answer = client.get(other + "?a=1")
    assert answer.status_code == 308
    assert location(server, answer.headers["location"]) == canonical + "?a=1"
    end = "/" if setting == "always" else ""
    assert client.get("/links.txt").text.split() == ["/about" + end, "/now" + end, "/"]


def test_trailing_slash_ignore(make_site: MakeSite, serve: Serve) -> None:
    files = {"pages/index.html": "home", "pages/about.html": "about", "pages/now.html": ON_DEMAND + "now"}
    client = serve(make_site({**files, "site.toml": '[routing]\ntrailing_slash = "ignore"'})).client()
    for path in ("/about", "/about/", "/now", "/now/"):
        answer = client.get(path)
        assert (answer.status_code, answer.text.strip()) == (200, path.strip("/"))


def test_base_puts_the_whole_site_under_a_prefix(make_site: MakeSite, serve: Serve) -> None:
    # case P2b
    files = {
        "site.toml": '[site]\nbase = "/app"',
        "pages/index.html": "home << url_for('pages/about.html') >>",
        "pages/about.html": "about",
        "pages/now.html": ON_DEMAND + "now << url_for('pages/[slug].html', slug='a b') >>",
        "pages/[slug].html": ON_DEMAND + "<< params.slug >>",
        "pages/api.py": "def GET(context):\n    context.session['a'] = 1\n    return 'api'",
        "pages/404.html": "nothing",
        "public/site.css": "css",
    }
    server = serve(make_site(files))
    client = server.client()
    answers = {
        "/app/": "home /app/about/",
        "/app/about/": "about",
        "/app/now/": "now /app/a%20b/",
        "/app/else/": "else",
        "/app/api": "api",
        "/app/site.css": "css",
    }
    for path, text in answers.items():
        assert client.get(path).text.strip() == text
    for path in ("/", "/about/", "/now/", "/api", "/site.css", "/appX/", "/appX/about/", "/ap/", "/APP/about/"):
        assert client.get(path).status_code == 404, path
    for path, canonical in (("/app", "/app/"), ("/app/about?x=1", "/app/about/?x=1"), ("/app/api/", "/app/api")):
        assert location(server, client.get(path).headers["location"]) == canonical


def test_output_server_makes_pages_render_on_demand(make_site: MakeSite, serve: Serve) -> None:
    site = make_site(
        {
            "site.toml": '[build]\noutput = "server"',
            "pages/index.html": "<< session is defined >>",
            "pages/about.html": "---\nprerender: true\n---\n<< prerendering >>",
            "pages/now.html": "<< prerendering >>",
        }
    )
    client = serve(site).client()
    assert set(tree(site / "dist/client")) == {"about/index.html"}
    assert client.get("/").text.strip() == "True"
    assert client.get("/about/").text.strip() == "True"
    assert client.get("/now/").text.strip() == "False"


def test_the_routes_command_lists_them(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site(SITE)
    done = hybridsite("routes", site)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (site / "dist").exists()
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.startswith("/")}
    assert "prerendered" in lines["/about/"]
    assert "pages/about.html" in lines["/about/"]
    assert "demand" in lines["/api/cart"]
    assert "pages/api/cart.py" in lines["/api/cart"]
    assert "/_notes/" not in lines


CLASHES = [
    ({"pages/about.html": "a", "pages/about.md": "b"}, ["pages/about.html", "pages/about.md"]),
    ({"pages/about.html": "a", "pages/about/index.html": "b"}, ["pages/about.html", "pages/about/index.html"]),
    (
        {"pages/[a].html": ON_DEMAND + "a", "pages/[b].html": ON_DEMAND + "b"},
        ["pages/[a].html", "pages/[b].html"],
    ),
    ({"pages/robots.txt": "a", "public/robots.txt": "b"}, ["pages/robots.txt", "public/robots.txt"]),
    (
        {"pages/x/[...a].html": ON_DEMAND, "pages/x/[...b].html": ON_DEMAND},
        ["pages/x/[...a].html", "pages/x/[...b].html"],
    ),
]


@pytest.mark.parametrize(("files", "named"), CLASHES)
def test_two_files_for_one_route_fail_and_are_named(
    make_site: MakeSite, hybridsite: Hybridsite, files: dict[str, str], named: list[str]
) -> None:
    done = hybridsite("build", make_site({"pages/index.html": "home", **files}))
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if all(name in line for name in named)], done.stderr


def test_two_pages_that_write_one_path_fail_and_are_named(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    # case P7
    site = make_site(
        {
            "pages/shop/[a].html": "a",
            "pages/shop/[a].py": "def paths(site):\n    return [{'params': {'a': 'tea'}}] * 2",
        }
    )
    done = hybridsite("build", site)
    assert done.returncode == 1
    assert "pages/shop/[a]" in done.stderr
    assert "shop/tea/" in done.stderr


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ("{}", "slug"),
        ("{'slug': ''}", "slug"),
        ("{'slag': 'x'}", "slag"),
        ("{'slug': 'a/b'}", "a/b"),
        ("{'slug': '..'}", '".."'),
        ("{'slug': '../../escape'}", "../../escape"),
    ],
)
def test_paths_that_the_route_can_not_take_are_errors(
    make_site: MakeSite, hybridsite: Hybridsite, params: str, named: str
) -> None:
    site = make_site(
        {
            "pages/blog/[slug].html": "x",
            "pages/blog/[slug].py": f"def paths(site):\n    return [{{'params': {params}}}]",
        }
    )
    done = hybridsite("build", site)
    assert done.returncode == 1
    assert "pages/blog/[slug]" in done.stderr
    assert named in done.stderr.replace("[slug]", "")
    assert "Traceback" not in done.stderr
    assert not list(site.parent.rglob("*escape*"))


def test_a_prerendered_route_with_parameters_needs_paths(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    done = hybridsite("build", make_site({"pages/blog/[slug].html": "x"}))
    assert done.returncode == 1
    assert done.stderr.startswith("pages/blog/[slug].html")
    assert "paths" in done.stderr
    assert "prerender: false" in done.stderr


def test_error_pages_are_written_for_static_hosts(make_site: MakeSite) -> None:
    site = make_site({"pages/index.html": "home", "pages/404.html": "<h1>No</h1>"})
    built(site)
    assert page(site, "404.html").strip() == "<h1>No</h1>"
