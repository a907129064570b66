"""Media types by name."""

from __future__ import annotations

import pytest

from hybridsite.media import media_type


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("a/b.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("feed.xml", "application/xml; charset=utf-8"),
        ("data.json", "application/json; charset=utf-8"),
        ("site.webmanifest", "application/manifest+json; charset=utf-8"),
        ("a.svg", "image/svg+xml; charset=utf-8"),
        ("robots.txt", "text/plain; charset=utf-8"),
        ("a.md", "text/markdown; charset=utf-8"),
        ("a.csv", "text/csv; charset=utf-8"),
        ("a.toml", "application/toml; charset=utf-8"),
        ("a.yaml", "application/yaml; charset=utf-8"),
        ("a.png", "image/png"),
        ("a.PNG", "image/png"),
        ("a.avif", "image/avif"),
        ("a.webp", "image/webp"),
        ("a.woff2", "font/woff2"),
        ("a.wasm", "application/wasm"),
        ("a.pdf", "application/pdf"),
        ("a.ico", "image/vnd.microsoft.icon"),
        # case X8
        ("", "application/octet-stream"),
        ("LICENSE", "application/octet-stream"),
        (".html", "application/octet-stream"),
        ("a.unknown", "application/octet-stream"),
        ("a.html.gz", "application/octet-stream"),
        ("a.tar.gz", "application/octet-stream"),
        ("a.svgz", "application/octet-stream"),
        # case P5
        ("data:text/html,x", "application/octet-stream"),
        ("x/data:text/html,y.png", "image/png"),
        ("a b#c?d.html", "text/html; charset=utf-8"),
        ("日本.html", "text/html; charset=utf-8"),
        ("http://a.html/b.css", "text/css; charset=utf-8"),
    ],
)
def test_media_types(name: str, wanted: str) -> None:
    assert media_type(name) == wanted
