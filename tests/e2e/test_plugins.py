"""The commands of plugins, by the real command: found in the site's folder, and no trouble anywhere else."""

from __future__ import annotations

from tests.e2e.support import Hybridsite, MakeSite
from tests.test_plugins import FILES


def test_a_plugins_command_is_there_in_its_sites_folder(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site(FILES)
    done = hybridsite("shout", "words", cwd=site)
    assert (done.returncode, done.stdout, done.stderr) == (0, "WORDS good day\n", "")
    help_text = hybridsite("--help", cwd=site).stdout
    assert "shout" in help_text
    assert "build" in help_text
    elsewhere = hybridsite("shout", "words", cwd=site.parent)
    assert elsewhere.returncode == 2
    assert "No such command 'shout'" in elsewhere.stderr


def test_a_plugin_that_does_not_load_is_told_and_leaves_the_help(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site({"site.toml": 'plugins = ["nowhere:X"]'})
    done = hybridsite("shout", cwd=site)
    assert (done.returncode, done.stdout) == (1, "")
    assert "site.toml:1:12: the plugin \"nowhere:X\" can't be loaded; No module named 'nowhere'" in done.stderr
    assert "Traceback" not in done.stderr
    assert hybridsite("--help", cwd=site).returncode == 0


def test_a_plugin_is_there_where_the_built_site_runs(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site(FILES)
    done = hybridsite("build", site)
    assert done.returncode == 0, done.stderr
    assert (site / "dist/server/stranger_package/plugin.py").exists()
    assert "/now.json" in done.stdout
