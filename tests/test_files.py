"""What is copied into the built site as it is, and where it goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridsite.files import copied_files, copied_name
from tests.e2e.support import write_site


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("public/a.txt", "a.txt"),
        ("public/.well-known/x", ".well-known/x"),
        ("pages/a.png", "a.png"),
        ("pages/blog/a.JPG", "blog/a.JPG"),
        ("pages/a.pdf", "a.pdf"),
        ("pages/a.tar.gz", "a.tar.gz"),
        ("pages/fonts/a.woff2", "fonts/a.woff2"),
        ("pages/sheet.xls", "sheet.xls"),
        ("content/blog/a/b.webp", "_files/blog/a/b.webp"),
        # text is a template, or an entry
        ("pages/a.svg", None),
        ("pages/robots.txt", None),
        ("pages/a.js", None),
        ("pages/a.json", None),
        ("pages/CNAME", None),
        ("pages/a.unknown", None),
        ("content/blog/a.md", None),
        ("content/blog/a.csv", None),
        # no route, no place
        ("pages/_a.png", None),
        ("pages/_x/a.png", None),
        ("pages/[lang]/a.png", None),
        ("content/blog/_a.png", None),
        ("layouts/a.png", None),
        ("site.toml", None),
    ],
)
def test_images_and_their_like_are_copied_and_text_is_not(source: str, name: str | None) -> None:
    assert copied_name(source) == name


def test_copied_files_are_listed_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_site(tmp_path, {"public/b/c.txt": "x", "public/a.txt": "x", "pages/d/e.png": b"x", "content/f/g.png": b"x"})
    monkeypatch.chdir(tmp_path)
    wanted = [
        ("public/a.txt", "a.txt"),
        ("public/b/c.txt", "b/c.txt"),
        ("content/f/g.png", "_files/f/g.png"),
        ("pages/d/e.png", "d/e.png"),
    ]
    assert list(copied_files(tmp_path)) == list(copied_files(Path())) == wanted
