"""Paths that try to leave the site, sent byte for byte, and files that are nobody's business."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.e2e.support import CONSOLE, MakeSite, Server, ask, write_files

CANARY = "canary-that-must-not-be-seen"
SITE = {
    "site.toml": f"# {CANARY}\n",
    "pages/index.html": f"{{# {CANARY} #}}home",
    "pages/about.html": "about",
    "pages/console.py": f"# {CANARY}\n{CONSOLE}",
    "pages/now.html": f"---\nprerender: false\n---\n{{# {CANARY} #}}now",
    "pages/rest/[...path].html": "---\nprerender: false\n---\n[<< params.path >>]",
    "layouts/base.html": f"{{# {CANARY} #}}",
    "data/prices.toml": f"# {CANARY}\n",
    "public/css/site.css": "css",
    ".env": CANARY,
    ".git/config": CANARY,
    "secret.txt": CANARY,
}
HOSTILE: list[str | bytes] = [
    "/..%2fsecret.txt",
    "/..%2f..%2fsecret.txt",
    "/..%2F..%2F..%2F..%2F..%2F..%2F..%2Fetc/passwd",
    "/%2e%2e/secret.txt",
    "/%2e%2e/%2e%2e/secret.txt",
    "/../secret.txt",
    "/../../secret.txt",
    "/css/../../../secret.txt",
    "/css/..%2f..%2f..%2fsecret.txt",
    "/css/%2e%2e/%2e%2e/server/manifest.json",
    "/..;/secret.txt",
    "/css/..;/..;/secret.txt",
    "/.%00/",
    "/secret.txt%00.html",
    "/about%00/",
    "/..\\secret.txt",
    "/..%5csecret.txt",
    "/css\\site.css",
    "/css%5csite.css",
    b"/\xc0\xae\xc0\xae/secret.txt",
    "/%c0%ae%c0%ae/secret.txt",
    "/%e0%80%ae%e0%80%ae/secret.txt",
    b"/\xff/",
    "/%ff/",
    "/%",
    "/%zz/",
    "/%2",
    "/%252e%252e/secret.txt",
    "/..%252fsecret.txt",
    "//evil.example/",
    "//evil.example/about",
    "//evil.example/%2e%2e",
    "///evil.example/about",
    "/\\evil.example/",
    "/\\evil.example/about",
    "/%5cevil.example/about",
    "/%2f%2fevil.example/about",
    "/%2fevil.example/about",
    "/%09/evil.example/about",
    "/%0a/evil.example/about",
    "/%0d%0aX-Evil:%201/about",
    "/about%2f",
    "/about/.",
    "/about/..",
    "//about/",
    "/about//",
    "/rest/%2e%2e/%2e%2e/secret.txt",
    "/rest/..%2f..%2fsecret.txt",
    "http://evil.example//about",
]
PRIVATE = [
    "/site.toml",
    "/secret.txt",
    "/pages/index.html",
    "/pages/now.html",
    "/pages/console.py",
    "/console.py",
    "/layouts/base.html",
    "/data/prices.toml",
    "/.hybridsite/",
    "/.hybridsite/secret",
    "/dist/server/manifest.json",
    "/dist/client/index.html",
    "/client/index.html",
    "/server/manifest.json",
    "/manifest.json",
    "/.env",
    "/.git/config",
    "/public/css/site.css",
    "/css/",
    "/css",
]


@pytest.fixture(scope="module")
def server(make_site: MakeSite) -> Iterator[Server]:
    site = make_site(SITE)
    write_files(site.parent, {"secret.txt": CANARY})
    with Server(site) as server:
        ask(server.client(), f"session['a'] = {CANARY!r}")  # so that there is a store, too
        yield server


@pytest.mark.parametrize("target", HOSTILE)
def test_a_hostile_path_leads_nowhere(server: Server, target: str | bytes) -> None:
    # case P1, case R1
    answer = server.raw(target)
    assert answer.status in (400, 404), answer.body
    assert answer.headers["location"] is None
    assert answer.headers["x-evil"] is None
    assert CANARY.encode() not in answer.body
    assert b"root:" not in answer.body
    assert server.raw("/about/").status == 200


@pytest.mark.parametrize("path", PRIVATE)
def test_private_files_are_never_served(server: Server, path: str) -> None:
    # case P3
    answer = server.raw(path)
    assert answer.status == 404
    assert CANARY.encode() not in answer.body


def test_whatever_lies_in_the_state_folder_is_never_served(server: Server) -> None:
    # case P3
    state = server.cwd / "site" / ".hybridsite"
    files = [path for path in state.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert server.raw(f"/{path.relative_to(server.cwd / 'site')}").status == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example/abc?x=", "127.0.0.1@evil.example"])
def test_a_redirect_stays_on_the_host(server: Server, host: str) -> None:
    # case H2, case L4, case R1
    answer = server.client().get("/about?a=1", headers={"Host": host})
    assert answer.status_code in (308, 400)
    if answer.status_code == 308:
        assert answer.headers["location"] == "/about/?a=1"


def test_forwarded_headers_of_a_stranger_count_only_from_listed_peers(make_site: MakeSite) -> None:
    # case H1
    site = make_site(
        {
            "site.toml": "[server]\nproxies = []",
            "pages/me.py": "def GET(c):\n    return [c.client_address, str(c.url), c.request.url.scheme]",
        }
    )
    with Server(site) as server:
        forwarded = {
            "X-Forwarded-For": "6.6.6.6",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "evil.example",
            "Forwarded": "for=6.6.6.6;host=evil.example;proto=https",
        }
        address, url, scheme = server.client().get("/me", headers=forwarded).json()
        assert (address, scheme) == ("127.0.0.1", "http")
        assert urlsplit(url).hostname == "127.0.0.1"
