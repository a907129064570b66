"""Settings below /_dev/: each with its value and where that came from, secrets masked."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import pytest

from hybridsite.config import Settings
from hybridsite.dev.look.origins import Flags
from tests.dev.looking import Browser, looked, rows
from tests.e2e.support import write_files, write_site
from tests.inprocess import ENVIRON

TOML = """
[site]
title = "Mine <b>"
url = "env:SITE_URL"

[session]
driver = "memory"
ttl = "2h"

[redirects]
"/old" = "/"
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_site(tmp_path / "site", {"site.toml": TOML, "pages/index.html": "<p>hello</p>"})


def settings(root: Path, query: str = "", flags: Flags | None = None, **environ: str) -> dict[str, str]:
    async def visit(browser: Browser) -> str:
        answer = await browser.get(f"/_dev/settings/{query}")
        assert answer.status == 200
        return answer.text

    known = {**ENVIRON, "SITE_URL": "https://mine.example", **environ}
    return {
        name: unescape(row) for name, row in rows(looked(root, visit, environ=known, flags=flags or Flags())).items()
    }


def test_each_value_tells_where_it_came_from(site: Path) -> None:
    found = settings(site)
    assert found["title"].startswith('"Mine <b>" site.toml:2:1 ')
    assert found["url"].startswith('"https://mine.example" site.toml:3:1 SITE_URL ')
    assert found["ttl"].startswith("2 hours site.toml:7:1 ")
    assert found["trailing_slash"].startswith('"always" default ')
    assert found["max_body"].startswith('"1MiB" default ')
    assert found["/old"].startswith('{ to = "/" } site.toml:10:1')
    every = {name for table in Settings().model_dump().values() if isinstance(table, dict) for name in table}
    assert {name.rpartition(".")[2] for name in found} >= every - {
        "callouts",
        "cookie",
        "fallback",
        "function",
        "metrics",
    }


def test_flags_and_the_environment_of_the_run_are_told_and_the_secret_is_not(site: Path) -> None:
    found = settings(site, flags=Flags("0.0.0.0", 8000, 8002), HYBRIDSITE_EDITOR="zed")
    assert found["address"] == "0.0.0.0 flag --host"
    assert found["port"] == "8002 next free one after 8000"
    assert found["secret"] == "•••••• environment HYBRIDSITE_SECRET"
    assert found["editor"] == "zed environment HYBRIDSITE_EDITOR"
    assert not any(ENVIRON["HYBRIDSITE_SECRET"] in row for row in found.values())
    assert settings(site, flags=Flags(None, 0, 40001))["port"] == "40001 flag --port"
    found = settings(site)
    assert found["address"] == "127.0.0.1 default"
    assert found["port"] == "8000 default"
    assert found["editor"] == "vscode default"


def test_what_may_be_a_secret_is_masked(site: Path) -> None:
    store = "from hybridsite.sessions.memory import MemoryStore\n\nclass Store(MemoryStore):\n    reach = 'process'\n"
    store += "    def __init__(self, **options):\n        super().__init__()\n"
    toml = '[session]\ndriver = "mystore:Store"\noptions = { url = "env:DB", size = 3 }\n'
    write_files(site, {"site.toml": toml, "mystore.py": store})
    found = settings(site, DB="redis://:hunter2@db.example")
    assert found["options.url"].startswith("•••••• site.toml:3:13 DB")
    assert found["options.size"].startswith("3 site.toml:3")
    assert not any("hunter2" in row for row in found.values())


def test_what_a_plugin_or_the_host_decides_is_told(site: Path) -> None:
    plugin = "from hybridsite.plugins import Plugin\n\nclass Title(Plugin):\n    def configure(self, settings):\n"
    plugin += "        site = settings.site.model_copy(update={'title': 'Theirs'})\n"
    plugin += "        return settings.model_copy(update={'site': site})\n"
    plugin += "    def __init__(self, api_key):\n        pass\n"
    toml = 'plugins = [{ use = "titles:Title", options = { api_key = "hunter2" } }]\n'
    toml += '[site]\ntitle = "Mine"\n[build]\nadapter = "static"\n'
    write_files(site, {"site.toml": toml, "titles.py": plugin})
    found = settings(site)
    assert found["title"].startswith('"Theirs" plugin ')
    assert found["driver"].startswith("false host ")
    assert "titles:Title" in found["plugins"]
    assert "hunter2" not in found["plugins"]


def test_the_filter_goes_by_name_value_and_purpose_and_leaves_defaults_out(site: Path) -> None:
    assert set(settings(site, "?q=session.ttl")) == {"ttl"}
    assert set(settings(site, "?q=mine.example")) == {"url"}
    assert "proxies" in settings(site, "?q=forwarded")
    assert set(settings(site, "?set=1")) == {"secret", "title", "url", "driver", "ttl", "/old"}
    assert settings(site, "?q=nothing+like+that") == {}
