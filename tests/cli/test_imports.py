"""What a command imports: no more than it needs, for that is most of what a small site's build takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.support import MakeSite, environment

ELSEWHERE = {
    *(
        "uvicorn",
        "uvloop",
        "httptools",
        "watchfiles",
        "redis",
        "psycopg",
        "brotli",
        "PIL",
        "babel",
        "nh3",
        "lightningcss",
    ),
    *("tree_sitter", "yaml", "pygments", "hybridsite.dev", "hybridsite.server", "hybridsite.check.check"),
}


def imported(site: Path, *args: str) -> set[str]:
    code = (
        "import sys; from hybridsite.cli.main import main; main(sys.argv[1:], standalone_mode=False); "
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *args, str(site)],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    return set(done.stderr.split())


def test_a_build_imports_neither_the_server_nor_what_its_pages_do_not_use(make_site: MakeSite) -> None:
    site = make_site({"pages/index.html": "home", "pages/about.md": "---\ntitle: About\ntags: [a, b]\n---\n# Us\n"})
    assert imported(site, "build") & ELSEWHERE == set()


@pytest.mark.parametrize(
    ("file", "text", "needed"),
    [
        ("pages/about.md", "---\ntitle: {nested: 1}\n---\n# Us\n", "yaml"),
        ("pages/about.md", "```python\nx = 1\n```\n", "pygments"),
        ("assets/site.css", "a { color: red }\n", "lightningcss"),
    ],
)
def test_a_build_imports_what_one_page_uses(make_site: MakeSite, file: str, text: str, needed: str) -> None:
    found = imported(make_site({"pages/index.html": "home", file: text}), "build")
    assert found & ELSEWHERE == {needed}


def test_a_strict_build_imports_what_follows_links(make_site: MakeSite) -> None:
    assert "hybridsite.check.check" in imported(make_site({"pages/index.html": "home"}), "build", "--strict")
