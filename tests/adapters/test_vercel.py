"""Vercel's rules: what goes to the function, what is a file with its headers, and where a site of files alone leads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import tools
from tests.e2e.support import write_site
from tests.inprocess import ON_DEMAND, built_here
from tests.tools.vercel_host import Router

VERCEL = '[build]\nadapter = "vercel"\n[build.function]\npackages = false\npython = "3.12"\n'
GUARD = "async def guard(context, call_next):\n    return await call_next(context)\n\n\non_request = guard\n"
MIXED = {
    "pages/index.html": "home",
    "pages/about.html": "about",
    "pages/cart.html": ON_DEMAND,
    "pages/ink-[slug].html": ON_DEMAND,
    "pages/docs/[...path].html": ON_DEMAND,
    "pages/secret.html": "---\nguard: true\n---\nsecret",
    "middleware.py": GUARD,
    "public/a.txt": "a",
    "public/no-extension": "b",
    "public/ä b.txt": "c",
}
PLAIN = {
    "pages/index.html": "home",
    "pages/about.html": "about",
    "pages/shop/ink.html": "ink",
    "pages/404.html": "lost",
    "public/a.txt": "a",
    "public/no-extension": "b",
}
REDIRECTS = """
[redirects]
"/old" = "/about"
"/inks/[slug]" = { to = "/shop/[slug]", status = 307 }
"/[year]-[month]" = "/shop/[month]"
"/papers/[...path]" = "https://other.example/[...path]"
"""


def built(folder: Path, files: dict[str, str], more: str = "", site: str = "") -> Path:
    """Builds a site for Vercel and gives .vercel/output; Vercel's own package reads the rules as they are written."""
    root = write_site(folder, {"site.toml": f'[site]\nurl = "https://shop.example"\n{site}{VERCEL}{more}', **files})
    assert built_here(root).warnings == ()
    output = root / ".vercel/output"
    written = json.loads((output / "config.json").read_text("utf-8"))["routes"]
    if (tools.FOLDER / "@vercel/routing-utils").is_dir():  # else test_rules_are_what_vercel_reads is skipped
        assert tools.vercel_routes(output / "config.json") == written
    return output


def asked(output: Path, path: str) -> tuple[int, str]:
    """Gives the status and the body of an answer; its Location where it leads elsewhere, 0 and "" for the function."""
    function = (output / "functions/_hybridsite.func").is_dir()
    router = Router(output, (lambda: (0, [], b"")) if function else None)
    status, headers, body = router.answer("GET", path, lambda asked: asked())
    return status, dict(headers).get("Location") or body.decode()


def headers(output: Path, path: str) -> dict[str, str]:
    return dict(Router(output, None).answer("GET", path, lambda asked: asked())[1])


@pytest.mark.parametrize(("slash", "site"), [("always", ""), ("never", 'base = "/shop"\n'), ("ignore", "")])
def test_rules_are_what_vercel_reads(tmp_path: Path, slash: str, site: str) -> None:
    routing = f'[routing]\ntrailing_slash = "{slash}"\n'
    headers = '[headers]\n"/a.txt" = { "X-A" = "1" }\n'
    for name, files in (("mixed", MIXED), ("plain", PLAIN)):
        output = built(tmp_path / name, files, f"{routing}{headers}{REDIRECTS}", site)
        written = json.loads((output / "config.json").read_text("utf-8"))["routes"]
        assert tools.vercel_routes(output / "config.json") == written


def test_a_rule_that_vercel_would_refuse_is_one(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    for wrong in ({"src": "^/(a$"}, {"handle": "files"}, {"src": "^/$", "to": "/x"}):
        config.write_text(json.dumps({"routes": [wrong]}))
        with pytest.raises(AssertionError):
            tools.vercel_routes(config)


def test_files_are_given_out_and_the_function_has_all_else(tmp_path: Path) -> None:
    output = built(tmp_path, MIXED, REDIRECTS)
    files = {"/": "home", "/about/": "about", "/a.txt": "a"}
    assert {path: asked(output, path) for path in files} == {path: (200, text) for path, text in files.items()}
    others = ["/cart/", "/cart", "/ink-red/", "/docs/", "/docs/a/b/", "/secret/", "/secret", "/nowhere/", "/x.txt"]
    others += ["/old", "/inks/woad", "/papers/a/b", "/about"]  # redirects, and the other form of an address
    others += ["/no-extension", "/%C3%A4%20b.txt"]  # which the function has as well
    assert {path: asked(output, path) for path in others} == dict.fromkeys(others, (0, ""))


def test_what_is_guarded_is_no_file_of_the_cdn(tmp_path: Path) -> None:
    output = built(tmp_path, MIXED)
    assert "secret" not in {path.read_text() for path in (output / "static").rglob("*") if path.is_file()}


def test_an_odd_path_is_the_function_s_to_refuse(tmp_path: Path) -> None:
    # case R1
    output = built(tmp_path, MIXED)
    paths = [
        "//evil.example",
        "//evil.example/",
        "//evil.example/about/",
        "/\\evil.example",
        "/a//b/",
        "/%2fevil/",
        "//",
    ]
    assert {path: asked(output, path) for path in paths} == dict.fromkeys(paths, (0, ""))


def test_with_never_the_form_with_a_slash_is_the_function_s(tmp_path: Path) -> None:
    output = built(tmp_path, MIXED, '[routing]\ntrailing_slash = "never"\n')
    assert [asked(output, path) for path in ("/about", "/about/", "/cart", "/")] == [
        (200, "about"),
        (0, ""),
        (0, ""),
        (200, "home"),
    ]


def test_a_site_of_files_alone_needs_no_function(tmp_path: Path) -> None:
    # case R9
    output = built(tmp_path, PLAIN, REDIRECTS)
    assert not (output / "functions").exists()
    assert {path: asked(output, path) for path in ("/", "/about/", "/a.txt", "/no-extension")} == {
        "/": (200, "home"),
        "/about/": (200, "about"),
        "/a.txt": (200, "a"),
        "/no-extension": (200, "b"),
    }
    assert {path: asked(output, path) for path in ("/about", "/old/", "/inks/woad/", "/2024-ink/", "/papers/a/b/")} == {
        "/about": (308, "/about/"),
        "/old/": (301, "/about/"),
        "/inks/woad/": (307, "/shop/woad"),
        "/2024-ink/": (301, "/shop/ink"),
        "/papers/a/b/": (301, "https://other.example/a/b"),
    }
    assert asked(output, "/nowhere/") == (404, "lost")
    assert asked(output, "/OLD/") == (404, "lost")  # case counts, as on the server


def test_a_site_of_files_alone_without_slashes(tmp_path: Path) -> None:
    output = built(tmp_path, PLAIN, f'[routing]\ntrailing_slash = "never"\n{REDIRECTS}')
    assert {path: asked(output, path) for path in ("/", "/about", "/about/", "/shop/ink/", "/old", "/a.txt")} == {
        "/": (200, "home"),
        "/about": (200, "about"),
        "/about/": (308, "/about"),
        "/shop/ink/": (308, "/shop/ink"),
        "/old": (301, "/about"),
        "/a.txt": (200, "a"),
    }


@pytest.mark.parametrize("slash", ["always", "never"])
def test_no_rule_leads_to_another_host(tmp_path: Path, slash: str) -> None:
    # case R1
    output = built(tmp_path, PLAIN, f'[routing]\ntrailing_slash = "{slash}"\n')
    for path in ("//evil.example", "//evil.example/", "/\\evil.example/", "/\\evil.example"):
        assert "Location" not in headers(output, path), path


def test_headers_are_those_of_the_server_and_of_their_file_alone(tmp_path: Path) -> None:
    own = '[headers]\n"/a.txt" = { "X-Robots-Tag" = "noindex", "X-Frame-Options" = "DENY" }\n'
    output = built(tmp_path, MIXED, own)
    found, other = headers(output, "/a.txt"), headers(output, "/about/")
    assert (found["X-Robots-Tag"], found["X-Frame-Options"], found["X-Content-Type-Options"]) == (
        "noindex",
        "DENY",
        "nosniff",
    )
    assert ("X-Robots-Tag" in other, other["X-Frame-Options"]) == (False, "SAMEORIGIN")


def test_with_a_base_the_files_lie_below_it(tmp_path: Path) -> None:
    output = built(tmp_path, MIXED, site='base = "/app"\n')
    assert (output / "static/app/about/index.html").read_text() == "about"
    paths = ("/app/about/", "/app/cart/", "/app/about", "/about/", "/app/a.txt")
    assert [asked(output, path)[0] for path in paths] == [200, 0, 0, 0, 200]
