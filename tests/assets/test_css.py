"""Style sheets: bundled, minified, their URLs led to the fingerprinted files, and their faults told with a place."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from hybridsite.assets.store import ResultStore
from tests.assets.support import fault, made, workshop

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 3"/>'


def test_imports_are_bundled_and_minified_with_their_conditions(tmp_path: Path) -> None:
    files = {
        "css/site.css": '@import "_base.css" layer(base);\n@import url( _print.css ) print;\na { color: #ff0000; }\n',
        "css/_base.css": "body { margin: 0px }",
        "css/_print.css": "nav { display: none }",
    }
    text = made(workshop(tmp_path, files), "css/site.css").strip()
    assert text == "@layer base{body{margin:0}}@media print{nav{display:none}}a{color:red}"


def test_a_url_leads_to_the_fingerprinted_file_from_every_folder(tmp_path: Path) -> None:
    files = {
        "css/site.css": '@import "parts/_a.css";\nb { background: URL( "../img/a b.svg#x" ) }',
        "css/parts/_a.css": "a { background: url(../../img/a%20b.svg?y) }",
        "img/a b.svg": SVG,
    }
    shop = workshop(tmp_path, files)
    text = made(shop, "css/site.css")
    file = shop.file("img/a b.svg").removeprefix("assets/").replace(" ", "%20")
    assert f"url(../{file}#x)" in text
    assert f"url(../{file}?y)" in text


@pytest.mark.parametrize(
    "written", ["url(data:image/png;base64,AA)", "url(https://a.example/x.png)", "url(/img/x.png)", "url(#filter)"]
)
def test_what_lies_elsewhere_is_left_alone(tmp_path: Path, written: str) -> None:
    assert written in made(workshop(tmp_path, {"a.css": f"a {{ background: {written} }}"}), "a.css").replace('"', "")


@pytest.mark.parametrize("text", ["/* url(x.png) @import 'y.css' */", 'a::after { content: "url(x.png)" }'])
def test_comments_and_texts_name_nothing(tmp_path: Path, text: str) -> None:
    workshop(tmp_path, {"a.css": text}).file("a.css")


def test_an_unknown_file_is_told_with_its_place_and_the_nearest(tmp_path: Path) -> None:
    files = {
        "css/site.css": '@import "_a.css";',
        "css/_a.css": "a {}\nb { c: url(../img/her.svg) }",
        "img/hero.svg": SVG,
    }
    told = fault(workshop(tmp_path, files), "css/site.css")
    assert told == (
        'assets/css/_a.css:2:12: "../img/her.svg" leads to no asset; there is no assets/img/her.svg; '
        'did you mean "img/hero.svg"?'
    )


def test_what_does_not_parse_is_told_with_its_place_in_the_file_that_holds_it(tmp_path: Path) -> None:
    files = {"site.css": '@import "_a.css";\na {}', "_a.css": "a { color: red }\n b } c {}"}
    told = fault(workshop(tmp_path, files), "site.css")
    assert told.startswith("assets/_a.css:2:4: the style sheet doesn't parse; ")
    assert "public/" in told


def test_imports_in_a_circle_are_refused_with_the_chain(tmp_path: Path) -> None:
    files = {"a.css": '@import "b.css";', "b.css": 'x {}\n@import "c.css";', "c.css": '@import "b.css";'}
    told = fault(workshop(tmp_path, files), "a.css")
    assert told.startswith("assets/c.css:1:9: assets name each other in a circle: b.css → c.css → b.css; ")


def test_a_sheet_that_names_itself_is_a_circle(tmp_path: Path) -> None:
    assert "in a circle: a.css → a.css" in fault(workshop(tmp_path, {"a.css": "a { b: url(a.css) }"}), "a.css")


def test_an_import_from_another_host_is_refused(tmp_path: Path) -> None:
    told = fault(workshop(tmp_path, {"a.css": '@import "https://fonts.example/x.css";'}), "a.css")
    assert told.startswith('assets/a.css:1:9: @import of "https://fonts.example/x.css" leads out of assets/; ')


def test_a_sheet_with_a_source_map_is_sent_as_it_is_with_the_map(tmp_path: Path) -> None:
    text = "a  { color: red }\n/*# sourceMappingURL=a.css.map */\n"
    shop = workshop(tmp_path, {"a.css": text, "a.css.map": "{}"})
    sent = made(shop, "a.css")
    assert re.fullmatch(r"a  \{ color: red \}\n/\*# sourceMappingURL=a\.[0-9a-f]{16}\.css\.map \*/\n", sent)


def test_the_name_changes_with_whatever_the_sheet_holds(tmp_path: Path) -> None:
    files = {"a.css": "a { b: url(x.svg) }", "x.svg": SVG}
    first = workshop(tmp_path, files).file("a.css")
    assert workshop(tmp_path, {}).file("a.css") == first
    assert workshop(tmp_path, {"x.svg": SVG.replace("4", "5")}).file("a.css") != first


def test_work_is_remembered_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    first = made(workshop(tmp_path, {"a.css": "a { color: red }"}, cache), "a.css")
    monkeypatch.setattr("lightningcss.bundle_css", None)
    assert made(workshop(tmp_path, {}, cache), "a.css") == first
    kept = next(path for path in cache.rglob("*") if path.is_file())
    kept.write_bytes(kept.read_bytes()[:-3])  # what a machine that loses its power leaves
    with pytest.raises(TypeError):
        workshop(tmp_path, {}, cache).file("a.css")


def test_what_nobody_asks_for_goes_out_of_the_cache(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    for key in ("old", "new"):
        store.put(key, b"x")
    month = 31 * 86_400
    for path in tmp_path.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - month,) * 2)
    assert store.get("new") == b"x"
    store.sweep(time.time())
    assert (store.get("old"), store.get("new")) == (None, b"x")


def test_a_cache_that_can_not_be_written_costs_nothing_but_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = ResultStore(tmp_path / "file/cache")
    store.put("key", b"x")
    assert store.get("key") == b"x"
