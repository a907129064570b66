"""The packages that only some sites need: what lacks is told in one run, with one command."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from hybridsite.errors import AssetError, DriverError, SiteError, SiteErrors
from hybridsite.extras import install, is_missing, with_one_command
from hybridsite.site import Mode, load_site
from tests.e2e.support import write_site
from tests.inprocess import ENVIRON, built_here

SITE: dict[str, str | bytes] = {
    "site.toml": '[session]\ndriver = "redis"\n[search]\n[i18n]\nlocales = ["en", "de"]\n',
    "pages/index.html": '{% include "components/hero.html" %}',
    "components/hero.html": '<< image("a.svg", alt="") >>\n<< image("a.jpg", alt="") >>',
    "components/unused.html": '<< image("a.jpg", alt="") >>',
    "assets/a.jpg": b"no picture",
    "assets/a.svg": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>',
    "locales/de/LC_MESSAGES/messages.po": 'msgid ""\nmsgstr ""\n',
}
LACKING = ("hybridsite.sessions.redis", "redis.asyncio", "pagefind", "PIL", "babel.messages.mofile")


@pytest.fixture
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the packages away."""
    monkeypatch.delitem(sys.modules, LACKING[0], raising=False)
    for name in LACKING[1:]:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("_bare")
def test_all_that_a_build_lacks_is_told_at_once_with_one_command(tmp_path: Path) -> None:
    with pytest.raises(SiteErrors) as caught:
        built_here(write_site(tmp_path / "site", SITE))
    command = 'pip install "hybridsite[i18n,images,redis,search]"'
    assert [re.split(" needs | can't ", str(fault))[0] for fault in caught.value.faults] == [
        'components/hero.html:2: image("a.jpg")',
        "locales/de/LC_MESSAGES/messages.po: a .po file",
        'site.toml:2:1: the session driver "redis"',
        "site.toml:3:2: [search]",
    ]
    assert all(command in fault.mend for fault in caught.value.faults)


@pytest.mark.usefixtures("_bare")
def test_one_that_lacks_is_told_with_its_own_command_beside_other_faults(tmp_path: Path) -> None:
    files = {"site.toml": "[search]\n", "pages/a.html": "<< nowhere >>"}
    with pytest.raises(SiteErrors) as caught:
        built_here(write_site(tmp_path / "site", files))
    assert [fault.code for fault in caught.value.faults] == ["template", "plugin"]
    assert caught.value.faults[1].mend == 'pip install "hybridsite[search]"'


@pytest.mark.usefixtures("_bare")
def test_whoever_does_not_build_needs_no_package_of_a_build(tmp_path: Path) -> None:
    files = {**SITE, "site.toml": "[search]\n"}
    del files["locales/de/LC_MESSAGES/messages.po"]
    load_site(write_site(tmp_path / "site", files), Mode(prerendering=True), environ=ENVIRON)


def test_a_fault_that_has_been_told_with_others_is_still_the_same() -> None:
    def lacking(*extras: str) -> SiteError:
        return AssetError("needs Pillow", mend=f"{install(*extras)}; or take it out")

    told = SiteErrors([lacking("images"), lacking("i18n", "images"), DriverError("no redis", mend=install("redis"))])
    both = install("i18n", "images", "redis")
    assert {fault.what: fault.mend for fault in told.faults} == {
        "needs Pillow": f"{both}; or take it out",
        "no redis": both,
    }
    assert len(told.faults) == 2
    assert with_one_command([lacking("images")])[0].mend == f"{install('images')}; or take it out"


def test_a_package_is_looked_for_without_importing_it() -> None:
    assert (is_missing("json"), is_missing("no_such_package")) == (False, True)
