"""[redirects] on the server: the status by method, the query kept, prerendered pages first, and the table of routes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.support import Hybridsite, MakeSite, Server, errors_at

SITE = {
    "site.toml": """
        [site]
        base = "/app"
        [redirects]
        "/old/[slug]" = "/new/[slug]"
        "/temporary" = { to = "/new/a", status = 302 }
        "/away/[...rest]" = "https://other.example/x/[...rest]"
        "/new/[slug]" = "/gone/[slug]"
    """,
    "pages/new/[slug].html": "new",
    "pages/new/[slug].py": "def paths(site):\n    return [{'params': {'slug': 'a b'}}]",
    "pages/live.html": "---\nprerender: false\n---\nlive",
}


@pytest.fixture(scope="module")
def server(make_site: MakeSite) -> Iterator[Server]:
    with Server(make_site(SITE)) as running:
        yield running


@pytest.mark.parametrize(
    ("method", "path", "status", "to"),
    [
        ("GET", "/app/old/a%20b", 301, "/app/new/a%20b/"),
        ("HEAD", "/app/old/a%20b/", 301, "/app/new/a%20b/"),
        ("POST", "/app/old/a", 308, "/app/new/a/"),
        ("GET", "/app/old/a?x=%2F&y", 301, "/app/new/a/?x=%2F&y"),
        ("GET", "/app/temporary", 302, "/app/new/a/"),
        ("POST", "/app/temporary", 302, "/app/new/a/"),
        ("GET", "/app/away", 301, "https://other.example/x/"),
        ("GET", "/app/away/a/b%3F", 301, "https://other.example/x/a/b%3F"),
        # The prerendered page owns the paths that it gave, the redirect has the rest.
        ("GET", "/app/new/a%20b/", 200, None),
        ("GET", "/app/new/other/", 301, "/app/gone/other"),
        ("GET", "/old/a", 404, None),
    ],
)
def test_where_an_old_path_leads(server: Server, method: str, path: str, status: int, to: str | None) -> None:
    answer = server.client().request(method, path)
    assert (answer.status_code, answer.headers.get("location")) == (status, to)
    assert "set-cookie" not in answer.headers
    if to is not None:
        assert answer.content == b""
        assert answer.headers["cache-control"] == "no-cache"


def test_the_table_shows_redirects(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    done = hybridsite("routes", make_site(SITE))
    assert done.returncode == 0
    row = next(line for line in done.stdout.splitlines() if line.startswith("/temporary"))
    assert row.split() == ["/temporary", "redirect", "302", "to", "/new/a", "site.toml"]


def test_all_faults_of_redirects_come_at_once_with_those_of_pages(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    settings = '[redirects]\n"/a" = "/b/[x]"\n"/c" = "/c"\n"/p" = "/q"\n'
    site = make_site({"site.toml": settings, "pages/p.html": "x", "pages/r.html": "{% if %}"})
    done = hybridsite("build", site)
    assert done.returncode == 1
    assert [len(errors_at(done.stderr, "site.toml", line)) for line in (2, 3, 4)] == [1, 1, 1], done.stderr
    assert len(errors_at(done.stderr, "pages/r.html", 1)) == 1
