"""Where the time goes: phases that make up the whole, and templates each without what they include."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hybridsite.build.timing import Phases
from tests.e2e.support import tree, write_site
from tests.inprocess import built_here

# Each part waits for some time of its own, by a function of a plugin.
WAIT = """
import time

from hybridsite.plugins import Plugin


class Wait(Plugin):
    def load(self, setup):
        setup.add_global("wait", lambda seconds: time.sleep(seconds) or "")

    def built(self, build):
        time.sleep(0.03)
"""
SITE: dict[str, str | bytes] = {
    "site.toml": 'plugins = ["wait:Wait"]\n',
    "wait.py": WAIT,
    "layouts/base.html": "<< wait(0.02) >>{% block main %}<< wait(0.01) >>{% endblock %}"
    "{% include 'components/a.html' %}",
    "components/a.html": "<< wait(0.04) >>",
    "components/macros.html": "{% macro m() %}<< wait(0.01) >>{% endmacro %}",
    "pages/one.html": "{% extends 'layouts/base.html' %}{% from 'components/macros.html' import m %}"
    "{% block main %}<< wait(0.03) >><< super() >><< m() >>{% endblock %}",
    "pages/two.html": "two<< wait(0.01) >>",
    "pages/three.html": "three",
    "pages/three.py": "import time\ndef load(context):\n    time.sleep(0.05)\n",
}


def test_phases_go_on_where_they_left_off_and_make_up_the_whole() -> None:
    began = time.perf_counter()
    phases = Phases("load")
    for name in ("load", "render", "write", "render"):
        phases.enter(name)
        time.sleep(0.01)
    phases.end()
    whole = time.perf_counter() - began
    assert list(phases.seconds) == ["load", "render", "write"]
    assert 0.04 <= sum(phases.seconds.values()) <= whole
    assert phases.seconds["render"] >= 0.02


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_profile_counts_each_template_without_what_it_includes(tmp_path: Path, jobs: int) -> None:
    plain, root = write_site(tmp_path / "plain", SITE), write_site(tmp_path / "site", SITE)
    built_here(plain)
    report = built_here(root, profile=True, jobs=jobs)
    assert tree(plain / "dist") == tree(root / "dist")  # to be watched changes nothing
    spent = {page.url: page.spent for page in report.told}
    one = spent["/one/"]
    assert one.keys() == {"pages/one.html", "layouts/base.html", "components/a.html", "components/macros.html"}
    # A macro's time is that of the template which calls it. Sleep never ends early, so each has its own at least; that
    # none has another's is told by the sum.
    assert one["components/a.html"] >= 0.04
    assert one["layouts/base.html"] >= 0.03
    assert one["pages/one.html"] >= 0.04
    page = next(page for page in report.told if page.url == "/one/")
    assert sum(one.values()) <= page.seconds
    assert spent["/two/"].keys() == {"pages/two.html"}
    three = next(page for page in report.told if page.url == "/three/")
    assert three.seconds - sum(three.spent.values()) >= 0.05  # its Python
    assert report.phases["wait:Wait"] >= 0.03
    assert not any(page.spent for page in built_here(plain, clean=True).told)
