"""`hybridsite check` as a command: its lines, its formats, its exit codes, and `build --strict` beside it."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from tests.check.test_planted import GOOD
from tests.e2e.support import Hybridsite, MakeSite
from tests.tools import sarif_schema

BROKEN = {"pages/index.html": '<p>a\n<a href="/x/">b</a>', "components/a.html": "", "pages/lone.html": "x"}
LINES = [
    "components/a.html: no page uses this component; delete it",
    'pages/index.html:2:10: the link "/x/" leads to nothing; nothing answers there; mend it, or take it out',
    "pages/lone.html: no page leads to /lone/; a visitor can't find it; link to it, or delete it",
]


def test_one_line_a_fault_and_exit_code_1(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    done = hybridsite("check", make_site(BROKEN))
    assert (done.returncode, done.stderr.splitlines(), done.stdout) == (1, LINES, "1 error, 2 warnings\n")


def test_a_good_site_ends_0_and_says_so(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    done = hybridsite("check", make_site(GOOD), "--strict")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "nothing is wrong\n")


def test_warnings_alone_end_0_and_with_strict_1(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site({"pages/index.html": "a", "pages/lone.html": "x"})
    assert hybridsite("check", site).returncode == 0
    assert hybridsite("check", site, "--strict").returncode == 1


def test_drafts_are_checked_where_that_is_asked(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site(
        {"pages/index.html": "<a href='/d/'>d</a>", "pages/d.html": "---\ndraft: true\n---\n<a href=/x/>x</a>"}
    )
    assert "pages/d.html is a draft" in hybridsite("check", site).stderr
    assert hybridsite("check", site, "--drafts").stderr.startswith('pages/d.html:4:9: the link "/x/" leads to nothing;')


def test_json_tells_each_fault_with_its_parts(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    done = hybridsite("check", make_site(BROKEN), "--format", "json")
    told = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (1, "")
    assert [(fault["rule"], fault["severity"]) for fault in told] == [
        ("unused-file", "warning"),
        ("broken-link", "error"),
        ("orphan-page", "warning"),
    ]
    assert told[1] == {
        "rule": "broken-link",
        "severity": "error",
        "file": "pages/index.html",
        "line": 2,
        "column": 10,
        "what": 'the link "/x/" leads to nothing',
        "why": "nothing answers there",
        "mend": "mend it, or take it out",
        "pages": [],
    }


@pytest.mark.parametrize("files", [BROKEN, {"pages/a é.html": "<< x"}, {"pages/index.html": ""}])
def test_sarif_is_what_its_schema_says(make_site: MakeSite, hybridsite: Hybridsite, files: dict[str, str]) -> None:
    log = json.loads(hybridsite("check", make_site(files), "--format", "sarif").stdout)
    jsonschema.Draft7Validator(sarif_schema()).validate(log)
    results = log["runs"][0]["results"]
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in results)
    if files is BROKEN:
        place = results[1]["locations"][0]["physicalLocation"]
        assert place == {
            "artifactLocation": {"uri": "pages/index.html"},
            "region": {"startLine": 2, "startColumn": 10},
        }


def test_a_site_that_does_not_load_is_told_in_every_format(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site({"site.toml": "x = 1\n", "pages/index.html": ""})
    [fault] = json.loads(hybridsite("check", site, "--format", "json").stdout)
    assert (fault["rule"], fault["file"], fault["line"]) == ("config", "site.toml", 1)


def test_build_strict_refuses_broken_links_and_anchors(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site({"pages/index.html": '<a href="/x/">b</a><a href="#y">c</a><img src="/">'})
    assert hybridsite("build", site).returncode == 0
    before = (site / "dist/server/manifest.json").stat().st_ino
    done = hybridsite("build", site, "--strict")
    assert done.returncode == 1
    assert [line.partition(";")[0] for line in done.stderr.splitlines()] == [
        'pages/index.html:1:10: the link "/x/" leads to nothing',
        'pages/index.html:1:29: the link "#y" leads to no part of the page',
    ]
    assert (site / "dist/server/manifest.json").stat().st_ino == before


class _Other(http.server.BaseHTTPRequestHandler):
    """Another site: /there, /get-only and /private are there, /gone isn't."""

    def do_HEAD(self) -> None:
        status = {"/there": 200, "/get-only": 405, "/private": 403, "/moved": 302}.get(self.path, 404)
        self.send_response(status)
        self.send_header("Location", "/there")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.path = "/there" if self.path == "/get-only" else self.path
        self.do_HEAD()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def other() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Other) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_other_sites_are_asked_only_where_that_is_said(
    make_site: MakeSite, hybridsite: Hybridsite, other: str, tmp_path: Path
) -> None:
    paths = ("/there", "/get-only", "/private", "/moved", "/gone", "/gone#x")
    links = "\n".join(f'<a href="{other}{path}">x</a>' for path in paths)
    site = make_site({"pages/index.html": f'{links}\n<a href="http://127.0.0.1:1/">x</a><a href="mailto:a@b">x</a>'})
    assert hybridsite("check", site).returncode == 0
    done = hybridsite("check", site, "--external")
    assert done.returncode == 1
    gone, dead = done.stderr.splitlines()
    assert gone.startswith(f'pages/index.html:5:10: the link "{other}/gone" leads to no page; it answers 404; ')
    assert dead.startswith('pages/index.html:7:10: the link "http://127.0.0.1:1/" leads to no page; it does not answer')
