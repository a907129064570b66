"""`hybridsite info` and `config schema`: what goes into a report, and what editors read."""

from __future__ import annotations

import json

from hybridsite import __version__
from tests.e2e.support import SECRET, Hybridsite, MakeSite, built


def test_info_tells_versions_and_the_site_and_no_secret(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site({"pages/index.html": "x", "pages/now.html": "---\nprerender: false\n---\nx"})
    done = hybridsite("info", site, env={"HYBRIDSITE_SECRET": SECRET})
    assert (done.returncode, done.stderr) == (0, "")
    facts = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert facts["hybridsite"] == __version__
    assert "jinja2 3." in facts["packages"]
    assert facts["site"] == str(site)
    assert facts["routes"] == "1 prerendered, 1 on demand"
    assert facts["session"] == "sqlite, ttl 14 days"
    assert "not built" in facts["dist"]
    assert SECRET not in done.stdout
    assert not (site / ".hybridsite").exists()
    built(site)
    assert "1 file" in hybridsite("info", site).stdout
    (site / "pages/new.html").write_text("x")
    assert "older than its sources" in hybridsite("info", site).stdout


def test_info_of_a_site_with_a_fault_still_tells_versions(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    done = hybridsite("info", make_site({"site.toml": "[sesion]\n"}))
    assert done.returncode == 1
    assert __version__ in done.stdout
    assert done.stderr.startswith("site.toml:1:")


def test_the_schema_is_json_with_every_table(hybridsite: Hybridsite) -> None:
    done = hybridsite("config", "schema")
    assert (done.returncode, done.stderr) == (0, "")
    schema = json.loads(done.stdout)
    assert {"site", "build", "routing", "session", "server", "security"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False
