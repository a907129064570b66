"""The Content-Security-Policy: hashes for what is built, a nonce for what is rendered now, and nothing else runs."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest
from starlette.types import ASGIApp

from hybridsite.csp import InlineParts, Policy, digest
from hybridsite.errors import ConfigError
from tests.e2e.support import write_site
from tests.inprocess import MEMORY, ON_DEMAND, app_of, ask, built_here, loaded


def sha256(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def directives(header: str) -> dict[str, list[str]]:
    return {name: sources for name, *sources in (part.split() for part in header.split(";"))}


def test_the_defaults() -> None:
    assert Policy().header() == (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
        "base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
    )


def test_sources_are_added() -> None:
    added = {
        "img-src": ("https://cdn.example",),
        "connect-src": ("https://api.example",),
        "object-src": ("'self'",),
        "style-src-attr": ("'unsafe-inline'",),
        "script-src": ("'unsafe-inline'",),
    }
    told = directives(Policy(added).header(nonce="N", scripts=["'sha256-a'"], styles=["'sha256-b'"]))
    assert told["img-src"] == ["'self'", "data:", "https://cdn.example"]
    assert told["connect-src"] == ["'self'", "https://api.example"]
    assert told["object-src"] == ["'self'"]
    assert told["style-src-attr"] == ["'unsafe-inline'"]
    assert told["script-src"] == ["'self'", "'unsafe-inline'"]  # a hash beside it would take it back
    assert told["style-src"] == ["'self'", "'nonce-N'", "'sha256-b'"]


@pytest.mark.parametrize(
    ("html", "scripts", "styles"),
    [
        ("<script>let a = '<b>&amp;'</script>", ["let a = '<b>&amp;'"], []),
        ("<script type=module>1</script><script type='text/javascript'>2</script>", ["1", "2"], []),
        ("<script type=speculationrules>{}</script>", ["{}"], []),
        ("<script type=application/ld+json>{}</script><script src=/a.js></script>", [], []),
        ("<style>a{}</style><style media=print>b{}</style>", [], ["a{}", "b{}"]),
        ("<!-- <script>1</script> --><p>x</p>", [], []),
        ("<script></script>", [""], []),
        ("<SCRIPT>1</SCRIPT >", ["1"], []),
        ("<p title='<script>1</script>'>", [], []),
    ],
)
def test_what_stands_in_a_page(html: str, scripts: list[str], styles: list[str]) -> None:
    found = InlineParts(html)
    assert (found.scripts, found.styles) == (scripts, styles)


def test_a_hash_is_over_what_a_browser_reads() -> None:
    assert digest("a\r\nb\rc\0") == sha256("a\nb\nc\ufffd")


@pytest.mark.parametrize(
    ("html", "told"),
    [
        ('<p style="color: red">', ['style="color: red"']),
        ('<a onclick="go()">', ['onclick="go()"']),
        ('<a href=" JavaScript:go()">', ['href=" JavaScript:go()"']),
        ('<a href="/x" data-on="a">', []),
    ],
)
def test_attributes_that_no_browser_follows(html: str, told: list[str]) -> None:
    assert Policy().blocked(html) == told
    allowed = Policy({"style-src-attr": ("'unsafe-inline'",), "script-src-attr": ("'unsafe-inline'",)})
    assert allowed.blocked(html) == []


SCRIPT = "<script>const a = 1</script><style>p { color: red }</style>"
FILES = {
    "site.toml": MEMORY + "[security]\ncsp = true\n",
    "layouts/base.html": SCRIPT + "{% block main %}{% endblock %}",
    "pages/built.html": '{% extends "layouts/base.html" %}',
    "pages/text.md": "<script>let b</script>\n",
    "pages/now.html": ON_DEMAND
    + '{% extends "layouts/base.html" %}{% block main %}<< params | length >><< url.query >>{% endblock %}',
    "pages/own.html": ON_DEMAND + '<script nonce="<< csp_nonce >>">1</script><< csp_nonce >>',
    "pages/parts.html": ON_DEMAND
    + '{% include "components/part.html" %}{% from "components/macro.html" import m %}<< m() >>',
    "components/part.html": "<script>part</script>",
    "components/macro.html": "{% macro m() %}<script>macro</script>{% endmacro %}",
    "pages/api.py": "from starlette.responses import HTMLResponse\ndef GET(context):\n    return {'a': 1}",
    "pages/html.py": "from starlette.responses import HTMLResponse\n"
    "def GET(context):\n    return HTMLResponse('<script>1</script>')",
    "pages/rendered.py": "def GET(context):\n    return context.render('components/part.html')",
    "pages/head.html": "---\nprerender: false\nheaders: {Content-Security-Policy: \"default-src 'none'\"}\n---\n"
    + SCRIPT,
    "pages/bad.html": ON_DEMAND + "<< none_such >>",
    "pages/404.html": ON_DEMAND + SCRIPT,
    "pages/500.html": ON_DEMAND + SCRIPT,
    "pages/503.html": SCRIPT,
    "pages/away.py": "from starlette.exceptions import HTTPException\ndef GET(context):\n    raise HTTPException(503)",
    "public/a.svg": "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "public/p.html": SCRIPT,
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> ASGIApp:
    return app_of(write_site(tmp_path_factory.mktemp("csp") / "site", FILES))


@pytest.mark.parametrize(
    ("path", "scripts", "styles"),
    [
        ("/built/", ["const a = 1"], ["p { color: red }"]),
        ("/text/", ["let b"], []),
        ("/p.html", ["const a = 1"], ["p { color: red }"]),
        ("/away", ["const a = 1"], ["p { color: red }"]),
    ],
)
def test_a_built_page_goes_by_hashes(app: ASGIApp, path: str, scripts: list[str], styles: list[str]) -> None:
    answer = ask(app, path)
    told = directives(answer.header["content-security-policy"])
    assert told["script-src"] == ["'self'", *map(sha256, scripts)]
    assert told["style-src"] == ["'self'", *map(sha256, styles)]
    assert "nonce" not in answer.text


@pytest.mark.parametrize("path", ["/now/", "/own/", "/parts/", "/rendered", "/nowhere/", "/bad/"])
def test_a_page_on_demand_has_a_nonce_that_is_new_each_time(app: ASGIApp, path: str) -> None:
    seen = set()
    for _ in range(2):
        answer = ask(app, path)
        tags = re.findall(r"<(?:script|style)[^>]*>", answer.text)
        nonces = {re.search(r'nonce="([\w-]{22})"', tag)[1] for tag in tags}  # type: ignore[index]
        assert (len(nonces), len(tags) > 0) == (1, True)
        told = directives(answer.header["content-security-policy"])
        assert told["script-src"] == ["'self'", *(f"'nonce-{nonce}'" for nonce in nonces)] == told["style-src"]
        seen |= nonces
    assert len(seen) == 2


def test_what_has_a_nonce_is_not_made_public_by_a_rule(tmp_path: Path) -> None:
    rule = '[headers]\n"/*" = { "Cache-Control" = "public, max-age=600" }\n'
    app = app_of(write_site(tmp_path / "site", {**FILES, "site.toml": FILES["site.toml"] + rule}))
    kept = {path: ask(app, path).header["cache-control"] for path in ("/now/", "/html", "/built/")}
    assert kept == {"/now/": "no-cache", "/html": "public, max-age=600", "/built/": "public, max-age=600"}


def test_what_code_writes_itself_is_not_run(app: ASGIApp) -> None:
    answer = ask(app, "/html")
    assert directives(answer.header["content-security-policy"])["script-src"] == ["'self'"]
    assert "content-security-policy" not in ask(app, "/api").header


def test_what_a_visitor_sends_has_no_nonce(app: ASGIApp) -> None:
    # case X1
    answer = ask(app, "/now/?<script>alert(1)</script>")
    assert answer.text.count("nonce=") == 2


def test_a_policy_of_its_own_wins(app: ASGIApp) -> None:
    assert ask(app, "/head/").header["content-security-policy"] == "default-src 'none'"


@pytest.mark.parametrize("csp", ["", "[security]\ncsp = true\n"])
def test_an_svg_file_runs_nothing(tmp_path: Path, csp: str) -> None:
    # case X7
    app = app_of(write_site(tmp_path / "site", {**FILES, "site.toml": MEMORY + csp}))
    told = ask(app, "/a.svg").header["content-security-policy"]
    assert told.startswith("default-src 'none'; ")
    assert "script-src" not in told
    assert told.endswith("; sandbox")


def test_without_the_setting_nothing_is_sent(tmp_path: Path) -> None:
    app = app_of(write_site(tmp_path / "site", {**FILES, "site.toml": MEMORY}))
    for path in ("/built/", "/now/", "/nowhere/", "/p.html"):
        assert "content-security-policy" not in ask(app, path).header
        assert "nonce" not in ask(app, path).text


def test_the_build_warns_of_what_is_blocked_once_a_page(tmp_path: Path) -> None:
    files = {
        "site.toml": "[security]\ncsp = true\n",
        "pages/[s].html": "<p style='a'><p style='b'><a onclick='c'>",
        "pages/[s].py": "def paths(site):\n    return [{'params': {'s': s}} for s in 'xy']",
        "pages/fine.html": "<p>",
    }
    root = write_site(tmp_path / "site", files)
    (warning,) = built_here(root).warnings
    assert str(warning).startswith('pages/[s].html: no browser follows style="a"; it stands in /x/')
    allowed = "csp = { style-src-attr = [\"'unsafe-inline'\"], script-src-attr = [\"'unsafe-inline'\"] }"
    (root / "site.toml").write_text(f"[security]\n{allowed}\n")
    assert built_here(root).warnings == ()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ('"yes"', "security.csp must be true, false, or a table"),
        ('{ "image-src" = ["a"] }', 'has no directive "image-src"'),
        ('{ img-src = "a" }', "must have a list of sources for img-src"),
        ('{ img-src = ["a; script-src *"] }', "without spaces, commas and semicolons"),
    ],
)
def test_faults(tmp_path: Path, value: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path / "site", {"site.toml": f"[security]\ncsp = {value}\n"})
    assert told in str(caught.value)
    assert str(caught.value).startswith("site.toml:2:1: ")
