"""The adapter protocol: who is found by which name, what a host offers and a driver needs, and a stranger's own."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from hybridsite import extensions
from hybridsite.adapters import adapter as adapters
from hybridsite.adapters.adapter import BUILT_IN, SERVER, Adapter, Host, HostedBuild, find_adapter, fitted
from hybridsite.capabilities import EVERY, Capability
from hybridsite.errors import AdapterError, BuildError, DriverError, SiteError, SiteErrors
from hybridsite.sessions.drivers import BUILT_IN as DRIVERS
from hybridsite.sessions.drivers import drivers_for, find_store, needs_of
from hybridsite.settings import Settings
from tests.e2e.support import Hybridsite, MakeSite, page, write_site
from tests.inprocess import ON_DEMAND, app_of, ask, built_here

HOST = """
from hybridsite.adapters.adapter import Adapter, Host

class Own(Adapter):
    claims = ("_rules",)

    def host(self, settings):
        return Host(answers=True, offers=frozenset({OFFERS}), session_driver={DRIVER})

    def finish(self, build):
        pages = [file.url for file in build.files]
        build.write("client/_rules", build.own("_rules") + ",".join(pages) + build.read("client/index.html").decode())
        build.write("host.txt", b"beside")
        return ()

    def placed(self, site, dist):
        (site.root / "out.txt").write_text(str((dist / "host.txt").read_text()))
        return []
"""
OWN = '[build]\nadapter = "own_host:Own"\n'


def own_host(offers: tuple[Capability, ...] = ("sockets",), driver: str | None = None) -> str:
    return HOST.replace("{OFFERS}", repr(offers)).replace("{DRIVER}", repr(driver))


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    sys.modules.pop("own_host", None)


def test_the_built_in_ones_are_found_by_their_names() -> None:
    for name in BUILT_IN:
        assert isinstance(find_adapter(name), Adapter)
    assert find_adapter("standalone").host(Settings()) is SERVER


def test_an_unknown_one_is_told_with_the_nearest(tmp_path: Path) -> None:
    root = write_site(tmp_path, {"site.toml": '[build]\nadapter = "statik"\n', "pages/index.html": ""})
    with pytest.raises(AdapterError) as caught:
        built_here(root)
    assert str(caught.value).startswith('site.toml:2:1: there is no adapter "statik"; known are standalone, static')
    assert str(caught.value).endswith('did you mean "static"?')


def test_a_stranger_s_writes_into_dist_and_beside_it(tmp_path: Path) -> None:
    files = {"own_host.py": own_host(), "pages/index.html": "home", "public/_rules": "mine\n", "public/a.txt": "a"}
    root = write_site(tmp_path / "site", {"site.toml": OWN, **files})
    for _ in range(2):  # the second build keeps pages of the first
        built_here(root)
        assert page(root, "_rules") == "mine\n/,/a.txthome"
        assert (root / "dist/host.txt").read_text() == "beside"
        assert (root / "out.txt").read_text() == "beside"
    assert ask(app_of(root), "/_rules").status == 404  # it is the host's, and no file of the site


def test_an_installed_one_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    place = "hybridsite.adapters.standalone:StandaloneAdapter"

    def installed(group: str) -> list[EntryPoint]:
        return [EntryPoint("mine", place, group)] if group == adapters.ENTRY_POINTS else []

    monkeypatch.setattr(extensions, "entry_points", installed)
    assert find_adapter("mine").host(Settings()) is SERVER


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("Own = 1", "is no subclass of"),
        ("class Other: pass", "can't be loaded; module 'own_host' has no attribute 'Own'"),
        ("1 / 0", "can't be loaded; own_host raises ZeroDivisionError"),
        (
            "from hybridsite.adapters.adapter import Adapter\nclass Own(Adapter):\n def __init__(self, a): pass",
            "can't be made; TypeError",
        ),
    ],
)
def test_a_stranger_s_that_is_none_is_told_with_its_line(tmp_path: Path, code: str, told: str) -> None:
    root = write_site(tmp_path / "site", {"site.toml": OWN, "own_host.py": code, "pages/index.html": ""})
    with pytest.raises(AdapterError) as caught:
        built_here(root)
    assert str(caught.value).startswith('site.toml:2:1: the adapter "own_host:Own" ')
    assert told in str(caught.value)


@pytest.mark.parametrize("name", ["../a", "/a", "a/../b", ".", "a\\b", "client/../../a"])
def test_no_file_is_written_or_read_elsewhere(name: str) -> None:
    build = HostedBuild(None, (), lambda name, body: None, lambda name: b"", lambda: 0)
    with pytest.raises(AdapterError, match="is no path below dist/"):
        build.write(name, "")
    with pytest.raises(AdapterError, match="is no path below dist/"):
        build.read(name)


def test_the_site_s_own_rules_have_to_be_text(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"site.toml": OWN, "own_host.py": own_host(), "public/_rules": b"\xff"}
    with pytest.raises(SiteError, match=r"public/_rules: the file isn't text in UTF-8; save it as UTF-8"):
        built_here(write_site(tmp_path / "site", files))


def test_what_an_adapter_raises_is_a_fault_and_dist_stays(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", {"pages/index.html": "old"})
    built_here(root)
    code = own_host().replace("return ()", 'from hybridsite import SiteError\n        raise SiteError("no room")')
    write_site(root, {"site.toml": OWN, "own_host.py": code, "pages/index.html": "new"})
    with pytest.raises(SiteError, match="no room"):
        built_here(root)
    assert page(root, "index.html") == "old"


def test_two_files_of_one_name_are_no_build(tmp_path: Path) -> None:
    code = own_host().replace("host.txt", "client/index.html")
    with pytest.raises(BuildError):
        built_here(write_site(tmp_path / "site", {"site.toml": OWN, "own_host.py": code, "pages/index.html": ""}))


# What a driver needs and a host offers.


@pytest.mark.parametrize("driver", sorted(DRIVERS))
def test_the_table_of_needs_says_what_the_classes_say(driver: str) -> None:
    assert needs_of(driver) == vars_of(find_store(driver))["needs"]


def vars_of(kind: object) -> dict[str, object]:
    assert isinstance(kind, type)
    return {name: getattr(kind, name) for name in ("needs", "reach")}


def test_a_stranger_s_driver_that_says_nothing_needs_what_its_reach_does() -> None:
    assert needs_of("tests.sessions.support:CountingStore") == {"process"}


def test_which_drivers_work_where() -> None:
    assert drivers_for(EVERY) == list(DRIVERS)
    assert drivers_for({"sockets"}) == ["redis", "postgres", "upstash", "dynamodb", "key-value"]
    assert drivers_for(set()) == ["upstash", "dynamodb"]


def test_a_pair_that_can_t_work_is_an_error_that_names_the_drivers_that_do(tmp_path: Path) -> None:
    toml = OWN + '[session]\ndriver = "sqlite"\n'
    root = write_site(tmp_path / "site", {"site.toml": toml, "own_host.py": own_host(), "pages/index.html": ""})
    with pytest.raises(DriverError) as caught:
        built_here(root)
    assert str(caught.value) == (
        'site.toml:4:1: the session driver "sqlite" can\'t work on the host of the adapter "own_host:Own"; '
        "it needs a file system that stays, which the host doesn't offer; "
        "use one of redis, postgres, upstash, dynamodb, key-value"
    )


def test_a_host_of_files_has_no_driver_at_all(tmp_path: Path) -> None:
    toml = '[build]\nadapter = "static"\n[session]\ndriver = "redis"\n'
    with pytest.raises(DriverError, match="nothing of the site runs there"):
        built_here(write_site(tmp_path / "site", {"site.toml": toml, "pages/index.html": ""}))
    off = write_site(tmp_path / "off", {"site.toml": toml.replace('"redis"', "false"), "pages/index.html": ""})
    assert built_here(off).warnings == ()


def test_the_host_gives_the_driver_of_a_site_that_names_none(tmp_path: Path) -> None:
    write_site(tmp_path, {"site.toml": OWN, "own_host.py": own_host(driver="redis")})
    settings = Settings.model_validate({"build": {"adapter": "own_host:Own"}})
    assert fitted(tmp_path, settings).session.driver == "redis"
    named = Settings.model_validate({"build": {"adapter": "own_host:Own"}, "session": {"driver": "upstash"}})
    assert fitted(tmp_path, named).session.driver == "upstash"
    off = Settings.model_validate({"session": {"driver": False}})
    assert fitted(tmp_path, off).session.driver is False
    assert fitted(tmp_path, Settings()).session.driver == "sqlite"


def test_without_a_default_the_session_is_undefined_and_the_build_says_which_drivers_work(
    make_site: MakeSite, hybridsite: Hybridsite
) -> None:
    text = ON_DEMAND + "<< session.get('cart') >>{% if session is defined %}there{% endif %}."
    site = make_site({"site.toml": OWN, "own_host.py": own_host(), "pages/index.html": "", "pages/cart.html": text})
    done = hybridsite("build", site)
    assert done.returncode == 0
    assert "pages/cart.html:4: `session` is undefined" in done.stderr
    mend = "name a [session] driver in site.toml that works there (redis, postgres, upstash, dynamodb, key-value)"
    assert mend in done.stderr
    assert hybridsite("build", "--strict", site).returncode == 1
    assert ask(app_of(site), "/cart/").text == "."


def test_an_origin_needs_the_site_s_own_address(tmp_path: Path) -> None:
    toml = '[build]\norigin = "https://app.example"\n'
    root = write_site(tmp_path / "site", {"site.toml": toml, "pages/index.html": ""})
    with pytest.raises(SiteError) as caught:
        built_here(root)
    assert str(caught.value).startswith("site.toml:2:1: [site] url has to be set where [build] origin is")


def test_a_host_is_a_value() -> None:
    with pytest.raises(AttributeError):
        SERVER.answers = False  # type: ignore[misc]
    assert Host(answers=True) == Host(answers=True)


def test_several_kinds_of_what_a_host_can_t_do_come_in_one_run(tmp_path: Path) -> None:
    code = "async def on_request(context, call_next):\n    return await call_next(context)"
    files = {
        "site.toml": '[build]\nadapter = "static"\n[session]\ndriver = "redis"\n',
        "middleware.py": code,
        "pages/a.html": "---\nguard: true\n---\n",
        "pages/b.html": ON_DEMAND,
    }
    with pytest.raises(SiteErrors) as caught:
        built_here(write_site(tmp_path / "site", files))
    assert len(caught.value.faults) == 3


def test_a_class_without_host_is_no_adapter(tmp_path: Path) -> None:
    code = "from hybridsite.adapters.adapter import Adapter\n\n\nclass Lacking(Adapter):\n    pass\n"
    site = {"site.toml": '[build]\nadapter = "lacking_host:Lacking"\n', "lacking_host.py": code, "pages/index.html": ""}
    with pytest.raises(AdapterError, match=r'the adapter "lacking_host:Lacking" can\'t be made; .*host'):
        built_here(write_site(tmp_path, site))
