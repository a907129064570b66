"""Collections that are read again while the site is served: how often, by whom, and what happens when that fails."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hybridsite.errors import ModuleError, SiteError
from hybridsite.server.deployment import Deployment
from hybridsite.site import Mode, load_site
from tests.inprocess import ENVIRON, app_of, ask, asked, built_here, scope_of
from tests.publishing import Files, site_of

# The source counts its readings in a file beside the site, and gives what another file says.
LOAD = """
import asyncio
from pathlib import Path
from hybridsite import Collection

STATE = Path(__file__).resolve()
while not (STATE / "stock.txt").exists():
    STATE = STATE.parent

{head} load():
    with open(STATE / "readings.txt", "a") as readings:
        readings.write("x")
    {wait}
    for line in (STATE / "stock.txt").read_text().split():
        slug, price = line.split("=")
        yield {{"slug": slug, "price": int(price)}}

stock = Collection(load, live={live})
"""
PAGES: Files = {
    "pages/stock.html": "---\nprerender: false\n---\n{% for each in collection('stock') %}<< each.slug >> {% endfor %}",
    "pages/stock/[slug].html": "---\nprerender: false\npaths: stock\n---\n<< entry.data.price >> << entry.url >>",
    "pages/other.html": "---\nprerender: false\n---\nother << site.title >>",
    "pages/code.html": "---\nprerender: false\n---\n<< count >>",
    "pages/code.py": "def load(context):\n    return {'count': len(context.site.collection('stock'))}",
    "pages/built.html": "{% for each in site.collection('stock') %}<< each.slug >> {% endfor %}",
}


def shop(
    folder: Path, live: str, *, asynchronous: bool = False, stock: str = "oak=7 weld=3"
) -> tuple[Path, Deployment]:
    folder.mkdir(exist_ok=True)
    (folder / "stock.txt").write_text(stock)
    head, wait = ("async def", "await asyncio.sleep(0.02)") if asynchronous else ("def", "")
    site_of(folder / "site", {**PAGES, "collections.py": LOAD.format(head=head, wait=wait, live=live)})
    app = app_of(folder / "site")
    (folder / "readings.txt").write_text("")
    return folder, app


def readings(folder: Path) -> int:
    return len((folder / "readings.txt").read_text())


@pytest.mark.parametrize("asynchronous", [False, True])
def test_each_request_that_may_show_it_reads_it_again(tmp_path: Path, asynchronous: bool) -> None:
    folder, app = shop(tmp_path / "shop", "True", asynchronous=asynchronous)
    assert ask(app, "/stock/").text == "oak weld "
    (folder / "stock.txt").write_text("oak=8 madder=5")
    assert ask(app, "/stock/").text == "madder oak "
    assert ask(app, "/stock/oak/").text == "8 /stock/oak/"
    assert ask(app, "/stock/weld/").status == 404
    assert ask(app, "/code/").text == "2"
    assert readings(folder) == 5
    assert ask(app, "/other/").text == "other "
    assert ask(app, "/built/").text == "oak weld "
    assert readings(folder) == 5


def test_it_is_kept_for_as_long_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("hybridsite.content_home.time.monotonic", lambda: clock[0])
    folder, app = shop(tmp_path / "shop", "'30s'")
    assert ask(app, "/stock/").text == "oak weld "
    (folder / "stock.txt").write_text("madder=5")
    clock[0] += 29
    assert ask(app, "/stock/").text == "oak weld "
    clock[0] += 1
    assert ask(app, "/stock/").text == "madder "
    assert readings(folder) == 2


def test_one_that_is_not_live_is_read_when_the_server_starts(tmp_path: Path) -> None:
    folder, app = shop(tmp_path / "shop", "False")
    assert [ask(app, "/stock/").text for _ in range(2)] == ["oak weld ", "oak weld "]
    assert readings(folder) == 0


def test_requests_at_once_share_a_reading_that_began_after_them(tmp_path: Path) -> None:
    folder, app = shop(tmp_path / "shop", "True", asynchronous=True)

    async def many() -> list[str]:
        answers = await asyncio.gather(*(asked(app, scope_of("/stock/")) for _ in range(50)))
        return [answer.text for answer in answers]

    assert set(asyncio.run(many())) == {"oak weld "}
    assert readings(folder) <= 3


def test_a_reading_that_fails_leaves_the_last_good_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder, app = shop(tmp_path / "shop", "True")
    assert ask(app, "/stock/").text == "oak weld "
    (folder / "stock.txt").write_text("oak=seven")
    assert ask(app, "/stock/").text == "oak weld "
    assert 'the collection "stock" stays as it was' in caplog.text
    assert "invalid literal for int()" in caplog.text
    (folder / "stock.txt").write_text("woad=1")
    assert ask(app, "/stock/").text == "woad "


def test_a_server_starts_without_its_source_and_recovers(tmp_path: Path) -> None:
    folder, _ = shop(tmp_path / "shop", "True")
    (folder / "stock.txt").write_text("broken")
    from hybridsite.server.deployment import create_app

    app = create_app(folder / "site", environ=ENVIRON)
    assert [ask(app, path).status for path in ("/other/", "/stock/", "/stock/oak/")] == [200, 500, 500]
    (folder / "stock.txt").write_text("woad=1")
    assert ask(app, "/stock/").text == "woad "


def test_what_is_to_come_is_shown_when_it_has_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = """
    from hybridsite import Collection
    notes = Collection(lambda: [{"slug": "a", "date": "2031-01-01"}, {"slug": "b", "date": "2021-01-01"}], live=True)
    """
    page = "---\nprerender: false\n---\n<< collection('notes') | length >>"
    site_of(tmp_path / "site", {"collections.py": declared, "pages/index.html": page})
    app = app_of(tmp_path / "site")
    assert ask(app, "/").text == "1"
    monkeypatch.setattr("hybridsite.content_home.now", lambda environ: datetime(2031, 1, 2, tzinfo=UTC))
    assert ask(app, "/").text == "2"


def test_a_build_fails_where_its_source_does(tmp_path: Path) -> None:
    shop(tmp_path / "shop", "True")
    (tmp_path / "shop/stock.txt").write_text("broken")
    with pytest.raises(ModuleError, match=r"^collections\.py:14: ValueError: not enough values"):
        built_here(tmp_path / "shop/site")


def test_code_that_asks_before_any_request_reads_it_at_once(tmp_path: Path) -> None:
    folder, _ = shop(tmp_path / "shop", "True")
    site = load_site(folder / "site", Mode(prerendering=False), environ=ENVIRON)
    assert readings(folder) == 0
    assert [entry.slug for entry in site.collection("stock")] == ["oak", "weld"]
    with pytest.raises(SiteError, match='there is no collection "stcok"'):
        site.collection("stcok")
