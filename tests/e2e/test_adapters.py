"""The example shop on each host: what the adapters write, run by something real, and a visitor who walks through."""

from __future__ import annotations

import http.client
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e import nginx
from tests.e2e.hosting import HOSTINGS, Hosting
from tests.e2e.support import COOKIE, built, free_port, is_private, session_cookie

EXAMPLE = Path(__file__).parents[2] / "example-site"
REDIRECTS = """
[redirects]
"/inks/[slug]" = { to = "/shop/[slug]", status = 307 }
"/papers/[...path]" = "/journal/[...path]"
"/guild" = { to = "https://guild.example/inks?from=shop", status = 302 }
"""


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copies the example, so that nothing is built where the sources are. All hosts' builds share it, and its cache."""
    copy = tmp_path_factory.mktemp("hosts") / "site"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("dist", ".hybridsite", "__pycache__"))
    return copy


@contextmanager
def online(example: Path, hosting: Hosting, folder: Path) -> Iterator[httpx.Client]:
    """Builds the example for a host and puts it online there; gives a visitor."""
    port, origin = free_port(), free_port()
    own = f"http://127.0.0.1:{port}"
    text = (EXAMPLE / "site.toml").read_text("utf-8")
    text = re.sub(r'^url = "[^"]*"', f'url = "{own}"', text, flags=re.MULTILINE)
    settings = hosting.settings.replace("ORIGIN", f"http://127.0.0.1:{origin}")
    (example / "site.toml").write_text(f"{text}{REDIRECTS}\n{settings}", "utf-8")
    assert built(example).stderr == ""
    with hosting.front(example, port, origin, folder), visitor(own) as client:
        yield client


def visitor(own: str) -> httpx.Client:
    """A browser without a history, which sends the Origin of the page with its forms."""
    return httpx.Client(base_url=own, trust_env=False, timeout=30, headers={"Origin": own, "Referer": f"{own}/ask/"})


def add(client: httpx.Client, product: str, quantity: int) -> httpx.Response:
    return client.post("/cart/", data={"product": product, "quantity": str(quantity), "do": "add"})


@pytest.mark.parametrize("name", HOSTINGS)
def test_the_cart_works_through_each_host(example: Path, name: str, tmp_path: Path) -> None:
    with online(example, HOSTINGS[name], tmp_path) as client, visitor(str(client.base_url)) as stranger:
        walk_through_files(client, example / "dist/client")
        walk_through_redirects(client)
        # The cart: a form, the page that it leads to, and the same as data.
        answer = add(client, "woad", 2)
        assert (answer.status_code, answer.headers["location"]) == (303, "/cart/")
        cookie = session_cookie(answer)
        assert cookie is not None
        assert (cookie["path"], cookie["samesite"].lower(), cookie["httponly"]) == ("/", "lax", "")
        assert "domain" not in cookie
        cart = client.get("/cart/")
        assert '"/shop/woad/"' in cart.text
        assert is_private(cart)  # case R3: what keeps it out of caches came through
        assert client.get("/api/cart").json()["count"] == 2
        assert client.get("/cart").headers.get("location", "/cart/") == "/cart/"
        # The piece of a page that all share.
        digest = re.search(r'<slot name="([^"]+)" data-island', client.get("/shop/woad/").text)
        assert digest is not None
        assert ">2<" in client.get(f"/_islands/{digest[1]}").text
        # Nobody else's.
        assert stranger.get("/api/cart").json()["count"] == 0
        assert COOKIE not in stranger.cookies
        walk_through_account(client)
        # An action, and a form of another site: case H3
        answer = client.post("/_actions/ask_the_shop", json={"name": "Ann", "text": "Why?"})
        assert answer.json() == {"data": {"name": "Ann", "ink": None}}
        evil = client.post("/cart/", data={"product": "woad", "do": "add"}, headers={"Origin": "https://evil.example"})
        assert evil.status_code == 403
        assert client.get("/api/cart").json()["count"] == 2


def walk_through_files(client: httpx.Client, files: Path) -> None:
    """Files come as they were built, with safe headers, in one form of their address; a cache asks before each use."""
    for path, name in (("/", "index.html"), ("/shop/woad/", "shop/woad/index.html"), ("/robots.txt", "robots.txt")):
        answer = client.get(path)
        assert (answer.status_code, answer.content) == (200, (files / name).read_bytes()), path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"
        assert "set-cookie" not in answer.headers
        assert not is_private(answer)
    style = re.search(r"/assets/css/[^\"]+", client.get("/").text)
    assert style is not None
    assert client.get(style[0]).headers["cache-control"] == "public, max-age=31536000, immutable"
    other = client.get("/about?a=1")
    assert (other.status_code in (301, 308), other.headers["location"]) == (True, "/about/?a=1")
    for path in ("//about", "/\\about", "//about/", "/%2fabout", "/shop//woad"):  # case R1
        connection = http.client.HTTPConnection(client.base_url.host, client.base_url.port or 80, timeout=30)
        connection.request("GET", path)
        sent = connection.getresponse()
        assert not re.match(r"[/\\]{2}", sent.getheader("Location") or ""), path
        connection.close()
    missing = client.get("/nowhere/")
    assert (missing.status_code, missing.content) == (404, (files / "404.html").read_bytes())
    for secret in ("/server/manifest.json", "/_redirects", "/..%2fserver/manifest.json"):  # case P3
        assert client.get(secret).status_code in (400, 404), secret


def walk_through_redirects(client: httpx.Client) -> None:
    """Redirects keep their status, also to another host, and the query. case R9"""
    for path, status, target in (
        ("/inks/woad", 307, "/shop/woad/"),
        ("/inks/woad/?a=1", 307, "/shop/woad/?a=1"),
        ("/papers/a-year-in-six-pots/", 301, "/journal/a-year-in-six-pots/"),
        ("/papers/tags/tools/", 301, "/journal/tags/tools/"),
        ("/guild", 302, "https://guild.example/inks?from=shop"),
        ("/de/shop/woad/", 302, "/shop/woad/"),
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (status, target), path


def walk_through_account(client: httpx.Client) -> None:
    """Who signs in sees the page that is guarded, and keeps the cart. case S5"""
    for path in ("/account/", "/account/pot-book/"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (302, "/login/"), path
    before = client.cookies[COOKIE]
    assert client.post("/login/", data={"name": "Ann Inkwell"}).headers["location"] == "/account/"
    assert client.cookies[COOKIE] != before
    assert "Ann Inkwell" in client.get("/account/").text
    book = client.get("/account/pot-book/")
    assert "beside the copper" in book.text
    assert is_private(book)


CACHE = """
proxy_cache_path {folder}/cache keys_zone=shared:1m;
server {{
  listen 127.0.0.1:{port};
  location / {{
    proxy_pass http://127.0.0.1:{behind};
    proxy_set_header Host $http_host;
    proxy_cache shared;
    proxy_cache_valid any 10m;
    add_header X-Shared-Cache $upstream_cache_status always;
  }}
}}
"""


def caching(name: str, behind: int) -> Hosting:
    """The host with a cache before it that keeps for ten minutes whatever its headers don't forbid."""

    @contextmanager
    def front(site: Path, port: int, origin: int, folder: Path) -> Iterator[None]:
        block = CACHE.format(folder=folder, port=port, behind=behind)
        with HOSTINGS[name].front(site, behind, origin, folder), nginx.running(folder / "shared", port, block):
            yield

    return Hosting(HOSTINGS[name].settings, front)


@pytest.mark.parametrize("name", ["netlify", "cloudflare"])
def test_a_shared_cache_before_the_host_keeps_nobody_s_page(example: Path, name: str, tmp_path: Path) -> None:
    # case R3
    with (
        online(example, caching(name, free_port()), tmp_path) as client,
        visitor(str(client.base_url)) as other,
        visitor(str(client.base_url)) as third,
    ):
        style = re.search(r"/assets/css/[^\"]+", client.get("/").text)
        assert style is not None
        assert [client.get(style[0]).headers["x-shared-cache"] for _ in range(2)] == [
            "MISS",
            "HIT",
        ]  # it keeps what it may
        add(client, "woad", 3)
        add(other, "madder", 1)
        digest = re.search(r'<slot name="([^"]+)" data-island', client.get("/shop/woad/").text)
        assert digest is not None
        for _ in range(2):
            for visitor_, count in ((client, 3), (other, 1), (third, 0)):
                assert visitor_.get("/api/cart").json()["count"] == count
                assert f">{count or ''}<" in visitor_.get(f"/_islands/{digest[1]}").text
                cart = visitor_.get("/cart/")
                assert ('"/shop/woad/"' in cart.text, '"/shop/madder/"' in cart.text) == (count == 3, count == 1)
                assert cart.headers["x-shared-cache"] == "MISS"
                assert is_private(cart)
        assert COOKIE not in third.cookies
        # What is kept for all who ask alike is the origin's to keep, and comes through with what says so.
        assert [third.get("/ledger/").headers["x-cache"] for _ in range(2)][1] == "HIT"
        # A path that only looks like a file's is no reason to keep a page (web cache deception): case R4
        assert client.get("/account/x.css").status_code == 404
