"""Assets in a site: asset() and image() in pages, the same from build and server, and their faults with places."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from html import unescape
from pathlib import Path

import pytest

from hybridsite.errors import SiteError, SiteErrors
from hybridsite.manifest import read_manifest
from hybridsite.server.deployment import create_app
from tests.assets.support import drawn
from tests.e2e.support import page, write_files, write_site
from tests.inprocess import ENVIRON, MEMORY, ON_DEMAND, app_of, ask, built_here

HTML = '<link rel="stylesheet" href="<< asset("css/site.css") >>">'
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 3"><script>alert(1)</script></svg>'
FILES: dict[str, str | bytes] = {
    "site.toml": MEMORY,
    "assets/css/site.css": "a { color: #ff0000 }",
    "assets/js/_part.js": "let a = 1",
    "assets/a.svg": SVG,
    "assets/a.txt": "text",
}


def faults(root: Path, files: Mapping[str, str | bytes]) -> list[str]:
    """Gives the lines of a build that has to fail."""
    with pytest.raises((SiteError, SiteErrors)) as caught:
        built_here(write_site(root, {**FILES, **files}))
    return str(caught.value).splitlines()


def test_a_url_is_the_same_on_prerendered_and_on_demand_pages_with_the_base(tmp_path: Path) -> None:
    site = '[site]\nbase = "/docs"\n' + MEMORY
    module = "def load(context):\n    return {'found': context.site.asset('css/site.css')}"
    pages = {"pages/index.html": HTML, "pages/now.html": ON_DEMAND + HTML + "<< found >>", "pages/now.py": module}
    app = app_of(write_site(tmp_path, {**FILES, "site.toml": site, **pages}))
    built = page(tmp_path, "index.html")
    url = re.fullmatch(r'<link rel="stylesheet" href="(/docs/assets/css/site\.[0-9a-f]{16}\.css)">\n?', built)
    assert url
    assert ask(app, "/docs/now/").text.strip() == built.strip() + url[1]
    assert ask(app, url[1]).text == "a{color:red}"


def test_a_fingerprinted_file_may_be_kept_for_ever(tmp_path: Path) -> None:
    app = app_of(write_site(tmp_path, {**FILES, "pages/index.html": HTML}))
    answer = ask(app, re.findall('href="(.+?)"', page(tmp_path, "index.html"))[0])
    assert answer.header["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.header["content-type"] == "text/css; charset=utf-8"
    assert ask(app, "/assets/css/site.css").status == 404


def test_assets_are_built_anew_only_in_name(tmp_path: Path) -> None:
    root = write_site(tmp_path, {**FILES, "pages/index.html": HTML})
    built_here(root)
    first = (root / "dist/server/manifest.json").read_bytes()
    built_here(root)
    assert (root / "dist/server/manifest.json").read_bytes() == first
    write_files(root, {"assets/css/site.css": "a { color: blue }"})
    built_here(root)
    assert (root / "dist/server/manifest.json").read_bytes() != first


def test_nothing_in_an_svg_runs(tmp_path: Path) -> None:  # case X7
    pages = {"pages/index.html": '<< image("a.svg", alt="") >>', "public/b.svg": SVG, "public/c/index.html": "c"}
    app = app_of(write_site(tmp_path, {**FILES, **pages}))
    fingerprinted = re.findall('src="(.+?)"', page(tmp_path, "index.html"))[0]
    for url in (fingerprinted, "/b.svg"):
        answer = ask(app, url)
        assert answer.text == SVG
        assert answer.header["content-type"].startswith("image/svg+xml")
        policy = answer.header["content-security-policy"]
        assert policy.startswith("default-src 'none';")
        assert policy.endswith("sandbox")
        assert "script-src" not in policy
    assert "content-security-policy" not in ask(app, "/c/").header


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '<p>\n<< asset("css/sit.css") >>',
            'pages/a.html:2: there is no asset "css/sit.css"; did you mean "css/site.css"?',
        ),
        ('<p>\n<< asset("site.css") >>', 'pages/a.html:2: there is no asset "site.css"; did you mean "css/site.css"?'),
        ('<p>\n<< asset("js/_part.js") >>', 'pages/a.html:2: there is no asset "js/_part.js"; what begins with _ '),
        ('{% if false %}\n<< asset("x.css") >>{% endif %}', 'pages/a.html:2: there is no asset "x.css"; names count'),
        ('{% if false %}\n<< image("a.svg") >>{% endif %}', 'pages/a.html:2: image("a.svg") has no alt; '),
        ('<p>\n<< image("a.svg", **{}) >>', 'pages/a.html:2: image("a.svg") has no alt; '),
        ('<p>\n<< image("a.txt", alt="") >>', 'pages/a.html:2: "a.txt" is no picture; '),
        ('<p>\n<< image("a.svg", alt="", widths="1") >>', 'pages/a.html:2: the widths of image("a.svg") are none; '),
        ('{% set n = "x.css" %}\n<< asset(n) >>', 'pages/a.html:2: there is no asset "x.css"; '),
    ],
)
def test_a_fault_names_the_line_that_asks(tmp_path: Path, text: str, told: str) -> None:
    [line] = faults(tmp_path, {"pages/a.html": text})
    assert line.startswith(told)


def test_a_loop_variable_of_that_name_is_none_of_ours(tmp_path: Path) -> None:
    text = '{% for asset in [1, 2] %}<< asset >>{% endfor %}{% macro image(x) %}<< x >>{% endmacro %}<< image("b") >>'
    built_here(write_site(tmp_path, {**FILES, "pages/index.html": text}))
    assert page(tmp_path, "index.html") == "12b"


def test_every_fault_of_every_asset_is_told_once(tmp_path: Path) -> None:
    assets = {"assets/css/site.css": "a { b: c } }", "assets/b.js": "let = = 1", "assets/c.css": '@import "d.css";'}
    told = faults(tmp_path, {**assets, "pages/a.html": HTML, "pages/b.html": HTML})
    assert [line.partition(":")[0] for line in told] == ["assets/b.js", "assets/c.css", "assets/css/site.css"]


def test_a_page_rendered_on_demand_has_the_pictures_that_its_templates_name(tmp_path: Path) -> None:
    pages = {
        "pages/now.html": ON_DEMAND + "{% if url.query %}"
        '<< image("img/a.jpg", widths=[40], alt="") >>{% else %}'
        '<< image("img/" ~ page.name ~ ".jpg", widths=[20], alt="", sizes=url.path) >>{% endif %}',
    }
    pictures: dict[str, str | bytes] = {
        "assets/img/a.jpg": drawn(),
        "assets/img/b.jpg": drawn((40, 30)),
        "assets/other.jpg": drawn(),
    }
    front = pages["pages/now.html"].replace("---\n", "---\nname: b\n", 1)
    files: dict[str, str | bytes] = {**FILES, **pictures, "pages/now.html": front}
    app = app_of(write_site(tmp_path, files))
    for target, width in (("/now/", 20), ("/now/?x", 40)):
        sources = re.findall(r"/assets/img/\w+\.(\d+)\.[0-9a-f]{16}\.(avif|webp)", ask(app, target).text)
        assert set(sources) == {(str(width), "avif"), (str(width), "webp")}
    manifest = read_manifest(tmp_path / "dist")
    assert manifest.assets.pictures.keys() == {"img/a.jpg", "img/b.jpg"}
    sent = [file.file for file in manifest.files if file.file.startswith("assets/img/")]
    assert len(sent) == len(set(sent)) == 6  # a in 20 and 40, b in 20, of both kinds
    for file in sent:
        assert ask(app, f"/{file}").header["content-type"] == f"image/{file.rpartition('.')[2]}"


def test_widths_that_only_a_request_would_tell_are_a_fault(tmp_path: Path) -> None:
    text = ON_DEMAND + '<< image("a.jpg", widths=[page.w], alt="") >>'
    [line] = faults(tmp_path, {"assets/a.jpg": drawn(), "pages/a.html": text})
    assert line.startswith("pages/a.html:4: the widths of image() on a page rendered on demand are not known before; ")


def test_code_that_asks_for_a_picture_that_the_build_did_not_make_is_told(tmp_path: Path) -> None:
    module = "def GET(context):\n    return str(context.site.image('a' + '.jpg', widths=[int('7')], alt=''))"
    files: dict[str, str | bytes] = {
        "assets/a.jpg": drawn(),
        "pages/now.html": ON_DEMAND + '<< image("a.jpg", widths=[20], alt="") >>',
    }
    app = app_of(write_site(tmp_path, {**FILES, **files, "pages/api.py": module}))
    assert ask(app, "/now/").status == 200
    assert ask(app, "/api").status == 500


def test_a_picture_as_it_is_is_sent_only_where_it_is_asked_for(tmp_path: Path) -> None:
    pictures: dict[str, str | bytes] = {"assets/a.jpg": drawn(), "assets/b.jpg": drawn(), "assets/c.jpg": drawn()}
    css = {"assets/css/site.css": "a { background: url(../b.jpg) }"}
    module = {"pages/api.py": "def GET(context):\n    return context.site.asset('c.jpg')"}
    pages = {"pages/index.html": HTML + '<< image("a.jpg", alt="") >>'}
    app = app_of(write_site(tmp_path, {**FILES, **pictures, **css, **module, **pages}))
    sent = {file.file.partition(".")[0] for file in read_manifest(tmp_path / "dist").files if file.type == "image/jpeg"}
    assert sent == {"assets/b", "assets/c"}
    assert ask(app, ask(app, "/api").text).body == drawn()


def test_a_link_that_leads_out_of_the_site_is_a_fault(tmp_path: Path) -> None:  # case P4
    root = write_site(tmp_path / "site", {**FILES, "pages/index.html": ""})
    (root / "assets/x.css").symlink_to("/etc/hostname")
    with pytest.raises(SiteError, match=r"^assets/x\.css: the link leads out of the site; "):
        built_here(root)


def test_dist_runs_without_the_sources_and_without_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = ON_DEMAND + HTML + '<< image("a.jpg", widths=[20], alt="") >>'
    root = write_site(tmp_path / "site", {**FILES, "assets/a.jpg": drawn(), "pages/now.html": text})
    built_here(root)
    (root / "dist").rename(tmp_path / "dist")
    for name in ("PIL", "lightningcss", "tree_sitter"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    assert ask(create_app(tmp_path / "dist", environ=ENVIRON), "/now/").text.count("/assets/") == 4


def test_the_manifest_tells_assets_by_name(tmp_path: Path) -> None:
    built_here(write_site(tmp_path, {**FILES, "pages/index.html": HTML}))
    told = json.loads((tmp_path / "dist/server/manifest.json").read_bytes())["assets"]["files"]
    assert set(told) == {"css/site.css", "a.svg", "a.txt"}


def test_without_pillow_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hybridsite.assets import images

    monkeypatch.setattr(images, "_versions", lambda: None)
    [line] = faults(tmp_path, {"assets/a.jpg": drawn(), "pages/a.html": '<< image("a.jpg", alt="") >>'})
    assert line.endswith('image("a.jpg") needs Pillow, which is not installed; pip install "hybridsite[images]"')
    assert line.startswith("pages/a.html:1: ")


def test_what_the_build_before_gave_out_is_kept_for_a_day(tmp_path: Path) -> None:
    root = write_site(tmp_path, {**FILES, "pages/index.html": HTML})
    built_here(root)
    old = re.findall('href="(.+?)"', page(root, "index.html"))[0]
    write_files(root, {"assets/css/site.css": "a { color: blue }"})
    for _ in range(2):  # an asset that is gone stays, however often the site is built
        app = app_of(root)
        answer = ask(app, old)
        assert (answer.status, answer.text) == (200, "a{color:red}")
        assert answer.header["cache-control"] == "public, max-age=31536000, immutable"
    assert not list((root / "dist").rglob(old.rpartition("/")[2]))
    kept = next((root / ".hybridsite/previous/assets").rglob(old.rpartition("/")[2]))
    day = 86_400
    os.utime(kept, (time.time() - day - 60,) * 2)
    assert ask(create_app(root, environ=ENVIRON), old).status == 404
    built_here(root)
    assert not kept.exists()


def test_an_earlier_svg_runs_nothing_either(tmp_path: Path) -> None:  # case X7
    root = write_site(tmp_path, {**FILES, "pages/index.html": '<< asset("a.svg") >>'})
    built_here(root)
    old = page(root, "index.html").strip()
    write_files(root, {"assets/a.svg": SVG.replace("1", "2")})
    assert ask(app_of(root), old).header["content-security-policy"].endswith("sandbox")


def test_an_island_has_the_pictures_that_its_component_names(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "components/badge.html": '<< image("a.jpg", widths=[20], alt="") >>',
        "pages/index.html": '{% island "components/badge.html" %}{% endisland %}',
        "assets/a.jpg": drawn(),
    }
    built_here(write_site(tmp_path, {**FILES, **files}))
    assert {one.width for one in read_manifest(tmp_path / "dist").assets.pictures["a.jpg"].variants} == {20}


@pytest.mark.parametrize(("one", "other"), [("a.txt", "A.txt"), ("e\u0301.txt", "\u00e9.txt"), ("css/x", "CSS/x")])
def test_two_files_that_are_one_on_many_disks_are_a_fault(tmp_path: Path, one: str, other: str) -> None:  # case P7
    [line] = faults(tmp_path, {f"assets/{one}": "1", f"assets/{other}": "1", "pages/index.html": ""})
    assert "are one file on many disks; rename one of them" in line


@pytest.mark.parametrize(
    "name", ["a b", "it's", 'say "hi"', "50%", "C#", "what?", "🛒", "e\u0301", "a,b", "x" * 200, "no"]
)
def test_an_asset_of_any_name_has_its_url(tmp_path: Path, name: str) -> None:  # case P5
    html = "<< asset(page.name) >>\n<< image(page.picture, alt='') >>"
    front = f"---\n{json.dumps({'name': f'{name}.txt', 'picture': f'{name}.svg'}, ensure_ascii=False)}\n---\n"
    files = {f"assets/{name}.txt": "text", f"assets/{name}.svg": SVG, "pages/index.html": front + html}
    app = app_of(write_site(tmp_path, files))
    url, picture = page(tmp_path, "index.html").strip().split("\n")
    assert ask(app, unescape(url)).text == "text"
    assert ask(app, unescape(re.findall('src="(.+?)"', picture)[0])).text == SVG


def test_a_template_that_nothing_leads_to_may_be_broken(tmp_path: Path) -> None:
    files = {
        "pages/api.py": "def GET(context):\n    return 'x'",
        "components/old.html": "{% if %}",
        "pages/index.html": "",
    }
    built_here(write_site(tmp_path, {**FILES, **files}))


def test_headers_in_site_toml_win_and_the_file_is_kept_all_the_same(tmp_path: Path) -> None:
    rule = '[headers]\n"/assets/*" = { "Cache-Control" = "public, max-age=60", "X-Robots-Tag" = "noindex" }\n'
    root = write_site(tmp_path, {**FILES, "site.toml": MEMORY + rule, "pages/index.html": HTML})
    app = app_of(root)
    old = re.findall('href="(.+?)"', page(root, "index.html"))[0]
    answer = ask(app, old)
    assert (answer.header["cache-control"], answer.header["x-robots-tag"]) == ("public, max-age=60", "noindex")
    write_files(root, {"assets/css/site.css": "a { color: blue }"})
    assert ask(app_of(root), old).status == 200
