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


def test_info_in_json_has_the_same_facts(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    settings = """
        plugins = [{ use = "shop:Words", options = { token = "sesame-open-now" } }]
        [session]
        driver = "redis"
        ttl = "1h"
        options = { url = "env:REDIS_URL" }
        [cache]
        driver = false
    """
    plugin = (
        "from hybridsite.plugins import Plugin\n\nclass Words(Plugin):\n    def __init__(self, token):\n        pass\n"
    )
    site = make_site({"site.toml": settings, "shop.py": plugin, "pages/index.html": "x"})
    env = {"HYBRIDSITE_SECRET": SECRET, "REDIS_URL": "redis://:sesame@localhost/0"}
    done = hybridsite("info", "--json", site, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    told = dict(line.split(maxsplit=1) for line in hybridsite("info", site, env=env).stdout.splitlines())
    assert facts == told
    assert facts["session"] == "redis, ttl 1 hour"
    assert (facts["adapter"], facts["cache"]) == ("standalone, output static", "off")
    assert (facts["plugins"], facts["settings"]) == ("shop:Words", "plugins")
    assert facts["variables"] == "HYBRIDSITE_SECRET"
    assert "redis " in facts["extras"]
    assert "redis" not in facts["packages"]
    assert "sesame" not in done.stdout
    assert SECRET not in done.stdout


def test_info_of_a_built_site_needs_no_sources(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site({"pages/index.html": '<link href="<< asset("a.css") >>">', "assets/a.css": "a {}"})
    built(site)
    facts = json.loads(hybridsite("info", "--json", site / "dist").stdout)
    assert facts["site"] == str(site / "dist")
    assert facts["dist"] == f"2 files by hybridsite {__version__}"


def test_info_in_json_of_a_site_with_faults_tells_them(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    done = hybridsite("info", "--json", make_site({"site.toml": "[sesion]\n[biuld]\n"}))
    assert done.returncode == 1
    facts = json.loads(done.stdout)
    assert facts["hybridsite"] == __version__
    assert [fault.split(":")[:2] for fault in facts["faults"]] == [["site.toml", "1"], ["site.toml", "2"]]
    assert done.stderr.splitlines() == facts["faults"]


def test_the_schema_is_json_with_every_table(hybridsite: Hybridsite) -> None:
    done = hybridsite("config", "schema")
    assert (done.returncode, done.stderr) == (0, "")
    schema = json.loads(done.stdout)
    assert {"site", "build", "routing", "session", "server", "security"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False
