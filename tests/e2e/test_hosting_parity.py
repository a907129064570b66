"""What hosts make of a small site's rules: the same as the server, in every form of addresses and with a base."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.hosting import behind_caddy, behind_nginx, cdn
from tests.e2e.support import free_port, write_site
from tests.inprocess import app_of, ask, built_here

FILES = {
    "pages/index.html": "home",
    "pages/about.html": "about",
    "pages/blog/index.html": "blog",
    "pages/blog/[slug].html": "blog << params.slug >>",
    "pages/blog/[slug].py": "def paths(site):\n    return [{'params': {'slug': s}} for s in ('one', 'two', 'zwölf')]",
    "pages/grüße.html": "grüße",
    "pages/old/kept.html": "kept",
    "pages/feed.xml": "<feed/>",
    "pages/404.html": "none",
    "public/a b.txt": "a b",
    "public/.well-known/x.txt": "x",
}
REDIRECTS = """
[redirects]
"/was" = "/about"
"/täglich" = { to = "/grüße", status = 302 }
"/old/[slug]" = { to = "/blog/[slug]", status = 307 }
"/deep/[a]/[b]" = "/blog/[b]"
"/rest/[...path]" = { to = "/blog/[...path]", status = 308 }
"/out/[...path]" = "https://other.example/x/[...path]"
"/asks" = "/about?from=asks#top"
"/feed" = "/feed.xml"
"""
PATHS = [
    *("", "/", "/about", "/about/", "/about?a=1", "/blog", "/blog/", "/blog/one", "/blog/one/", "/blog/three/"),
    *("/gr%C3%BC%C3%9Fe/", "/gr%C3%BC%C3%9Fe", "/feed.xml", "/a%20b.txt", "/.well-known/x.txt", "/was", "/was/"),
    *("/was?a=1", "/t%C3%A4glich", "/old/one", "/old/one/", "/old/a%20b", "/old/kept", "/old/kept/", "/deep/x/two"),
    *("/deep/x/two/", "/rest/one/", "/out/a/b", "/out/", "/out", "/asks", "/feed", "/nowhere", "/nowhere/", "/old/a/b"),
    *("/ab%FF", "/index.htm"),
]

Front = Callable[[Path, int, Path], AbstractContextManager[None]]


def on(kind: str) -> Front:
    return lambda site, port, folder: cdn(kind, site / "dist", port, folder)


@contextmanager
def by_nginx(site: Path, port: int, folder: Path) -> Iterator[None]:
    with behind_nginx(site, port, free_port(), folder):
        yield


@contextmanager
def by_caddy(site: Path, port: int, folder: Path) -> Iterator[None]:
    with behind_caddy(site, port, free_port(), folder):
        yield


HOSTS: dict[str, tuple[str, Front]] = {
    "nginx": ("standalone", by_nginx),
    "caddy": ("standalone", by_caddy),
    "netlify": ("netlify", on("netlify")),
    "cloudflare": ("cloudflare", on("cloudflare")),
}
MOVED = {301, 308}


FORMS = [
    *(("always", ""), ("always", "/docs"), ("never", "/docs")),
    *(pytest.param(*form, marks=pytest.mark.long) for form in (("never", ""), ("ignore", ""), ("ignore", "/docs"))),
]


@pytest.mark.parametrize(("slash", "base"), FORMS)
@pytest.mark.parametrize("name", HOSTS)
def test_a_host_answers_as_the_server_does(tmp_path: Path, name: str, slash: str, base: str) -> None:
    adapter, front = HOSTS[name]
    toml = (
        f'[site]\nbase = "{base}"\nurl = "https://shop.example"\n[routing]\ntrailing_slash = "{slash}"\n'
        f'[build]\nadapter = "{adapter}"\norigin = "http://127.0.0.1:1"\n{REDIRECTS}'
    )
    root = write_site(tmp_path / "site", {"site.toml": toml, **FILES})
    assert built_here(root).warnings == ()
    app, port = app_of(root), free_port()
    differs = {}
    with (
        front(root, port, tmp_path),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client,
    ):
        for path in PATHS if base else PATHS[1:]:
            wanted, found = ask(app, f"{base}{path}"), client.get(f"{base}{path}")
            location = found.headers.get("location", "")
            same_body = found.content == wanted.body
            if not alike(wanted.status, found.status_code, same_body) or not leads_alike(wanted.header, location, name):
                differs[path] = (wanted.status, wanted.header.get("location"), found.status_code, location)
    assert {path: told for path, told in differs.items() if not is_own_way(name, slash, told)} == {}


def alike(wanted: int, found: int, same_body: bool) -> bool:
    """Whether answers are the same to a visitor: a page may have both of its addresses, and be moved by 301 or 308."""
    if wanted in (400, 404):
        return found in (400, 404)
    if wanted == 200:
        return found == 200 and same_body
    return found == wanted or {wanted, found} <= MOVED or (wanted == 308 and found == 200)


def leads_alike(wanted: dict[str, str], location: str, name: str) -> bool:
    """Whether both lead to the same. A CDN's splat has the slash that was sent, and it leads on to the other form."""
    if not location:
        return True
    lands = wanted.get("location", "")
    return location == lands or (name in ("netlify", "cloudflare") and location.rstrip("/") == lands.rstrip("/"))


def is_own_way(name: str, slash: str, told: tuple[int, str | None, int, str]) -> bool:
    """CDNs have one address for a page and lead the other to it, though [routing] trailing_slash is "ignore"."""
    return name in ("netlify", "cloudflare") and slash == "ignore" and told[0] == 200 and told[2] in MOVED
